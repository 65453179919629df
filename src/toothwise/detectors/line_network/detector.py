"""The line network behind the detector contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from toothwise.detectors.base import Abilities, Maps, Prediction, as_array
from toothwise.detectors.image_scoring import pick_device
from toothwise.detectors.line_network.lightning_model import LineNetwork, train
from toothwise.detectors.line_network.options import LineNetworkOptions, TrainingOptions
from toothwise.detectors.line_network.torch_model import LineOutput
from toothwise.detectors.module_detector import ModuleDetector
from toothwise.detectors.network_parts import NetworkParts
from toothwise.healthmap.logarithm import log_positive
from toothwise.progress import Progress, silent

_TRAINING = ("max_steps", "learning_rate", "patience", "keep", "seed")
_CHUNK = 16  # maps at a time


class LogMaps:
    """Maps as the network takes them, and the level and spread of the healthy ones."""

    def __init__(self, log: bool) -> None:
        self.log, self.centre, self.scale = log, np.zeros(1), np.ones(1)

    def fit(self, values: np.ndarray) -> None:
        """Note the median and the spread of healthy maps."""
        x = self(values)
        self.centre = np.nanmedian(x, keepdims=True).ravel()
        self.scale = 1.4826 * np.nanmedian(np.abs(x - self.centre), keepdims=True).ravel()

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Logarithms float32 ``[n, rows, columns]``, or the maps themselves."""
        x = log_positive(values, "line_network", "use log=false for such maps") if self.log else values
        return np.asarray(x, dtype=np.float32)

    def state(self) -> dict[str, np.ndarray]:
        """What was noted."""
        return {"map_centre": self.centre, "map_scale": self.scale}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``."""
        self.centre, self.scale = state["map_centre"], state["map_scale"]


class LineNetworkDetector(ModuleDetector):
    """Log odds of damaged teeth: the learned likelihood of lines, corrected by a network trained on the user's maps.

    It begins as ``scan_learned`` and trains on lines that it draws on three of four healthy maps. On the fourth it is
    tried, and what does not find lines better is not kept, so that with few maps it is the scan.

    ``Prediction.severity`` is contrast over background of the likeliest line, if there is one: 1 is healthy.
    ``contrast_of`` gives it with its spread.

    Args:
        options: Of LineNetworkOptions and TrainingOptions.

    ``info`` after fit: number of weights, steps, final loss, and what the held-out maps said.

    Examples:
        >>> from toothwise import detectors
        >>> from toothwise.simulate.maps import generate
        >>> healthy, faulty = (generate("C", 32, bad, seed=bad, shape=(12, 17), contrast=2)[0] for bad in (False, True))
        >>> detector = detectors.create("line_network", max_steps=2, lengths=(4, 8)).fit(healthy)
        >>> found = detector.predict(faulty)
        >>> found.row_evidence.shape, found.severity.shape
        ((32, 12), (32,))
    """

    name = "line_network"
    can = Abilities(rows=True, columns=True, severity=True, positive=True, export="network")
    option_groups = (TrainingOptions, LineNetworkOptions)

    def __init__(self, **options: Any) -> None:
        training = TrainingOptions(**{k: options.pop(k) for k in TrainingOptions.__dataclass_fields__ if k in options})
        shared = LineNetworkOptions(**options)
        super().__init__(**vars(shared) | vars(training) | {"lengths": sorted(set(shared.lengths))})
        self._images = LogMaps(shared.log)
        self._module: LineNetwork | None = None
        self._make_module((3, 3))  # wrong options are to be refused now and not when it is fitted

    def _make_module(self, shape: tuple[int, int] | None) -> LineNetwork:
        assert shape is not None
        own: dict[str, Any] = {k: self.options[k] for k in (*LineNetworkOptions.__dataclass_fields__, *_TRAINING)}
        return LineNetwork(shape, **own, pre_processor=False, evaluator=False, visualizer=False)

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        module = self._make_module((values.shape[1], values.shape[2]))
        self._images.fit(values)
        self.info = train(module, self._images(values), self.options, progress)
        self._module = module

    def network_parts(self) -> NetworkParts:
        """What an export is made of."""
        self._fitted().model.skip_unkept()
        return NetworkParts(self._fitted().model, self._images, on_maps=True)

    @torch.inference_mode()
    def _judge(self, values: np.ndarray, progress: Progress) -> LineOutput:
        device = pick_device(self.options["device"])
        model = self._fitted().to(device).model.eval()
        model.skip_unkept()
        x = torch.from_numpy(self._images(values))
        parts = []
        for start in range(0, len(x), _CHUNK):
            parts.append(model.judge(x[start : start + _CHUNK].to(device)))
            progress("scoring", min(1.0, (start + _CHUNK) / len(x)))
        lines, contrast, spread = (
            {axis: torch.cat([getattr(p, name)[axis] for p in parts]).cpu() for axis in model.axes}
            for name in ("lines", "contrast", "spread")
        )
        cells, score = (torch.cat([getattr(p, name) for p in parts]).cpu() for name in ("cells", "score"))
        return LineOutput(lines, contrast, spread, cells, score)

    @torch.inference_mode()
    def scatter_ratio(self, values: np.ndarray) -> np.ndarray:
        """As ``Detector.scatter_ratio``, of the whitened cells."""
        device = pick_device(self.options["device"])
        model, x = self._fitted().to(device).model.eval(), torch.from_numpy(self._images(values))
        parts = [model.scatter_ratio(part.to(device)).cpu() for part in x.split(_CHUNK)]
        return np.asarray(torch.cat(parts).double())

    def contrast_of(self, maps: Maps) -> tuple[np.ndarray, np.ndarray]:
        """Log contrast of each map's likeliest line and its standard deviation, float64 ``[n]`` each.

        Two standard deviations hold the contrast of 95 % of the lines whose tooth is named rightly.
        """
        mean, spread = self._judge(as_array(maps, shape=self.shape), silent).likeliest()
        return mean.double().numpy(), spread.double().numpy()

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        found = self._judge(values, progress)
        heat = found.cells.numpy()
        heat[np.isnan(values)] = np.nan
        score = found.score.double().numpy()
        lines = {axis: x.double().numpy() for axis, x in found.lines.items()}
        return Prediction(
            score=score,
            anomaly_map=heat,
            severity=np.exp(found.likeliest()[0].double().numpy()),
            row_evidence=lines.get(1),
            column_evidence=lines.get(2),
        )
