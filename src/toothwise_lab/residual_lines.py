"""A line network over what Dinomaly leaves over: are thin cracks in photographs lines among its tokens?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from toothwise import detectors
from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.composite import part_of
from toothwise.progress import Progress


class ResidualLines(Detector):
    """``line_network`` on the squared residual of each token of a Dinomaly, which learned from the other healthy maps.

    The score is the network's, the anomaly map Dinomaly's. A study gives it no seed of its own.

    Args:
        detector: A detector with residual vectors, which learns from every second healthy map.
        options: Of this detector.
        network: Of the line network.

    ``info`` after fit: that of both, and ``tokens``: rows and columns of tokens.
    """

    name: ClassVar[str] = "residual_lines"

    def __init__(self, *, detector: str = "dinomaly", options: dict[str, Any] | None = None, **network: Any) -> None:
        lines = detectors.create("line_network", **network)
        super().__init__(detector=detector, options=dict(options or {}), **lines.options)
        self._parts: dict[str, Any] = {"inner": detectors.create(detector, **self.options["options"]), "lines": lines}

    def _tokens(self, values: np.ndarray) -> np.ndarray:
        return np.asarray((self._parts["inner"].vectors(values) ** 2).sum(axis=-1))

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        self._parts["inner"].fit(values[1::2], progress)
        self._parts["lines"].fit(self._tokens(values[::2]), progress)
        self.info = {name: part.info for name, part in self._parts.items()}
        self.info["tokens"] = list(self._parts["lines"].shape)

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        score = self._parts["lines"].predict(self._tokens(values), progress).score
        return replace(self._parts["inner"].predict(values), score=score)

    def _state(self) -> dict[str, np.ndarray]:
        return {f"{name}.{k}": v for name, part in self._parts.items() for k, v in part._state().items()}

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        for name, shape in (("inner", self.shape), ("lines", tuple(self.info["tokens"]))):
            part = self._parts[name]
            part.shape, part.info = shape, self.info[name]
            part._restore(part_of(state, f"{name}."))
