"""The limit of the simulated benchmark in the form of a detector. It knows the generator: not one to use."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from toothwise.detectors.base import Detector, Prediction
from toothwise.progress import Progress
from toothwise.simulate.lines import LineShape
from toothwise_lab.likelihood_ratio import LikelihoodRatio, LimitConfig, generalised_likelihood_ratio


class GeneratorLimit(Detector):
    """Likelihood ratio averaged over the generator's prior ("limit"), or its best single line ("glr").

    Args:
        kind: "limit" or "glr".
        domain, mode, gear, length: of the benchmark.
        contrast: (lowest, highest); a few values in between stand for the even prior.
        draws: gap patterns per number of gaps and length.
    """

    name: ClassVar[str] = "limit"

    def __init__(
        self,
        *,
        kind: str = "limit",
        domain: str = "C",
        mode: str = "matched",
        gear: str = "driving",
        length: tuple[int, int] | None = None,
        contrast: tuple[float, float] = (1.08, 1.3),
        draws: int = 4,
    ) -> None:
        super().__init__(
            kind=kind, domain=domain, mode=mode, gear=gear, length=length, contrast=list(contrast), draws=draws
        )
        self._config = LimitConfig(
            domain,
            split="test",
            session="fault" if mode == "realistic" else "healthy",
            gear=gear,
            line=LineShape(length=length),
            contrast=tuple(float(c) for c in np.linspace(contrast[0], contrast[1], 4)),
            draws=draws,
        )

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        """The generator's parameters are known: nothing to learn."""

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        if self.options["kind"] == "glr":
            score = generalised_likelihood_ratio(values, self._config)
        else:
            score = LikelihoodRatio(self._config).score(values)
        return Prediction(score=score, anomaly_map=np.zeros(values.shape, dtype=np.float32))

    def _state(self) -> dict[str, np.ndarray]:
        return {"nothing": np.zeros(1)}

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        del state
