"""An exported detector at work: the detector contract without the package that trained it."""

from __future__ import annotations

from typing import Any

import numpy as np

from toothwise.detectors.base import Detector, Prediction
from toothwise.errors import InputError
from toothwise.exported.choosing import Opened
from toothwise.exported.manifest import Manifest
from toothwise.healthmap.logarithm import check_positive
from toothwise.progress import Progress

_DOUBLE = ("score", "row_evidence", "column_evidence", "severity")


class ExportedDetector(Detector):
    """A detector that an engine runs. It predicts as every detector does; it cannot be fitted or saved.

    Args:
        manifest: of the exported folder.
        opened: Its network in the engine that runs it.

    What else the manifest says of it is set where it is opened.
    """

    name = "exported"

    def __init__(self, manifest: Manifest, opened: Opened) -> None:
        super().__init__(**manifest.options)
        self.name = manifest.detector  # type: ignore[misc]
        self._engine, self._most = opened.run, int(manifest.graph["max_batch"])
        self.choice, self.milliseconds = opened.choice, opened.milliseconds
        self._log = bool(manifest.normalisation.get("log", False))

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        if self._log:
            check_positive(values, "log=true")
        parts = []
        for start in range(0, len(values), self._most):
            parts.append(self._engine(np.ascontiguousarray(values[start : start + self._most])))
            progress("scoring", min(1.0, (start + self._most) / len(values)))
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        known: dict[str, Any] = {name: found[name].astype(np.float64) for name in _DOUBLE if name in found}
        return Prediction(anomaly_map=found["anomaly_map"], **known)

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        del values
        raise InputError(f"an exported {self.name} cannot be fitted: fit a detector and export it")

    def _state(self) -> dict[str, np.ndarray]:
        raise InputError(f"an exported {self.name} cannot be saved again: copy its folder")

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        del state
        raise InputError(f"an exported {self.name} cannot be restored from a saved detector")


def runs_in(detector: Detector) -> str | None:
    """The engine and precision that an exported network runs in, and why; of joined detectors, of the first network.

    None = no network, or one that PyTorch runs.
    """
    if not isinstance(detector, ExportedDetector):
        found = map(runs_in, getattr(detector, "parts", {}).values())
        return next((said for said in found if said), None)
    chosen, ms = str(detector.choice), detector.milliseconds
    others = ", ".join(f"{name} {taken:.3g} ms" for name, taken in ms.items() if name != chosen)
    return f"{chosen} (measured on this processor: {ms[chosen]:.3g} ms a map; {others})" if others else chosen
