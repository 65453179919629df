"""A line network over what Dinomaly leaves over: are thin cracks in photographs lines among its tokens?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from toothwise import detectors
from toothwise.detectors.base import Prediction
from toothwise.detectors.composite import part_of
from toothwise.detectors.line_network.detector import LineNetworkDetector
from toothwise.progress import Progress

_INNER = "inner."


class ResidualLines(LineNetworkDetector):
    """``line_network`` on the squared residual of each token of a Dinomaly, which learned from the other healthy maps.

    The score is the network's, the anomaly map Dinomaly's. Its options are those of the line network, and:

    Args:
        detector: A detector with residual vectors, which learns from every second healthy map.
        inner: Its options.
    """

    name: ClassVar[str] = "residual_lines"

    def __init__(self, *, detector: str = "dinomaly", inner: dict[str, Any] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.options |= {"detector": detector, "inner": dict(inner or {})}
        self._inner: Any = detectors.create(detector, **self.options["inner"])

    def _tokens(self, values: np.ndarray) -> np.ndarray:
        return np.asarray((self._inner.vectors(values) ** 2).sum(axis=-1))

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        self._inner.fit(values[1::2], progress)
        tokens = self._tokens(values[::2])
        super()._fit(tokens, progress)
        self.info |= {"inner": self._inner.info, "tokens": tokens.shape[1:]}

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        score = super()._predict(self._tokens(values), progress).score
        return replace(self._inner.predict(values), score=score)

    def _state(self) -> dict[str, np.ndarray]:
        return super()._state() | {f"{_INNER}{k}": v for k, v in self._inner._state().items()}

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        self._inner.shape, self._inner.info = self.shape, self.info["inner"]
        self._inner._restore(part_of(state, _INNER))
        whole, self.shape = self.shape, tuple(self.info["tokens"])
        super()._restore({k: v for k, v in state.items() if not k.startswith(_INNER)})
        self.shape = whole
