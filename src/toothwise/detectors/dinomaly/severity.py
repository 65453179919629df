"""Severity-aware Dinomaly behind the detector contract: how anomalous a map is, and the contrast of its damage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from toothwise.checks import check_choice, check_range, check_whole
from toothwise.detectors.base import Abilities, Prediction, given
from toothwise.detectors.dinomaly.detector import DinomalyDetector
from toothwise.detectors.dinomaly.lightning_model import DirectionalDinomaly
from toothwise.detectors.dinomaly.options import DEPTH, DinomalyOptions
from toothwise.detectors.dinomaly.severity_head import SeverityOptions, severity_loss
from toothwise.detectors.dinomaly.severity_model import SeverityAwareDinomaly, SeverityBatch
from toothwise.detectors.images import ImageMaker
from toothwise.detectors.network_parts import NetworkParts
from toothwise.detectors.severity_scale import ContrastScale, healthy_rank
from toothwise.healthmap.logarithm import check_positive
from toothwise.progress import Progress, silent

_HEAD_MAPS, _HEAD_BATCH = 400, 32
_HELD_OUT = 5  # one map of so many is kept for the calibration


class SeverityDetector(DinomalyDetector):
    """Directional Dinomaly with a severity head trained on synthetic lines.

    ``Prediction.severity`` is **contrast over background**: how many times larger the cells of the damaged line are
    than they would be without damage; 1 = healthy. It is the contrast to expect of a map with this output of the head,
    as measured on calibration lines, so weak damage and healthy maps come out a little above 1. Lines that reach
    beyond the calibration's are extrapolated. ``Prediction.score`` is set by ``score``.

    Training. The encoder is frozen and by far the slowest part, and images with new lines in each batch would have to
    go through it in every step. So a pool of maps with lines is drawn once, before training, and each image is
    encoded the first time that a batch holds it; the cache of the encoder gives it from then on. A pool larger than
    what the steps draw costs nothing. Lines are added to the logarithm of the map, before channels and size. The
    batch holds ``batch_size`` maps, ``augment_share`` of them from the pool.

    Calibration. Where there are 5 maps or more, the last fifth of them (neighbours in time stay together) gets no line
    in training and no part in the severity loss, but it does train the reconstruction. Afterwards
    ``calibration_lines`` new lines are drawn on these maps, and a monotone map from output to contrast is learned from
    them and from the maps without lines, which count as much as the lines do: the contrast is that to expect where
    half of the maps are damaged. With fewer maps, the calibration lines are new but the maps are not.

    Args:
        score: "anomaly" = that of DinomalyDetector; "severity" = the head's output, 0 or more, before calibration (the
            same order, without ties); "both" = mean of both scores' ranks among the healthy maps of the fit (see
            ``healthy_rank``), 0 to 1 within them and more above. The reconstruction has seen those maps, so a rank is
            no p-value of a new map. Evidence of rows and columns is that of the anomaly map with every score.
        pool_size (ratio): Maps with lines in the pool, as a multiple of the maps that they are drawn on.
        calibration_lines (lines): Maps with lines that the calibration is learned from, 10 or more.
        head_steps (steps): Steps of 32 maps in which the head alone is trained on, after the joint training, on what
            the bottleneck gives for the pool and for the maps without lines (400 of each at most): the few maps with
            lines of the joint training's batches do not train it far. 0 = joint training only.
        options: Of SeverityOptions and of DinomalyDetector.

    ``info`` after fit: that of DinomalyDetector; ``severity``: calibration lines, Spearman correlation of the head's
    output with their contrast, and the mean output for healthy maps beside it.

    Raises:
        InputError: an option that is not allowed; when fitted, maps that are not positive.
    """

    name = "dinomaly_severity"
    can = Abilities(rows=True, columns=True, severity=True, positive=True, export="network")
    option_groups = (DinomalyOptions, SeverityOptions)
    module_class = SeverityAwareDinomaly
    _scale: ContrastScale  # once it is fitted

    def __init__(
        self,
        *,
        score: str = "anomaly",
        pool_size: float = 2.0,
        calibration_lines: int = 100,
        head_steps: int = 600,
        **options: Any,
    ) -> None:
        own = given(locals())
        check_choice(("anomaly", "severity", "both"), score=score)
        check_range("(0, inf)", pool_size=pool_size)
        check_whole(10, calibration_lines=calibration_lines)
        check_whole(0, head_steps=head_steps)
        taken = SeverityOptions.__dataclass_fields__
        self._settings = SeverityOptions(**{name: options.pop(name) for name in taken if name in options})
        super().__init__(**options)
        self._depth = self.options["decoder_depth"] or DEPTH  # the head was tried with no other depth
        self.name = "dinomaly_severity"  # type: ignore[misc]
        self._more = asdict(self._settings) | {"hidden": list(self._settings.hidden)}
        self.options |= self._more | own
        self._maps = np.zeros((0, 1, 1), dtype=np.float32)  # held while they are fitted
        self._pool = (self._maps, np.zeros(0))  # maps with lines, likewise
        self._found: dict[str, Any] = {}
        self._healthy = np.zeros((2, 1))  # score and output of the healthy maps of the fit

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        check_positive(values, "severity is a ratio and")
        self._maps = values
        try:
            super()._fit(values, progress)
        finally:
            self._maps = values[:0]
            self._pool = (self._maps, np.zeros(0))
        self.info["severity"] = self._found

    @property
    def _parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Maps of the fit for the head's training and for its calibration."""
        count = len(self._maps) // _HELD_OUT
        return (self._maps[:-count], self._maps[-count:]) if count else (self._maps, self._maps)

    def _loader(self, images: torch.Tensor) -> DataLoader[Any]:
        o, rng, source = self.options, np.random.default_rng(self.options["seed"]), self._parts[0]
        which = rng.permutation(np.arange(max(1, round(o["pool_size"] * len(source)))) % len(source))
        maps, severity, _ = self._settings.add(source[which], self._settings.severities(len(which), rng), rng)
        self._pool = (maps, severity)
        target = np.zeros(len(images))
        target[len(source) :] = np.nan  # kept for the calibration
        batches = _Batches(len(images), len(maps), self._settings.split(o["batch_size"], len(images)), o["seed"])
        return DataLoader(
            _WithLines(images, maps, np.concatenate([target, severity]), self._images),
            batch_sampler=batches,
            collate_fn=_collate,
        )

    def _train(self, module: DirectionalDinomaly, images: torch.Tensor, progress: Progress) -> float:
        loss = super()._train(module, images, progress)
        self._module = module.eval()
        if self.options["head_steps"]:
            self._train_head(images)
        self._calibrate()  # here, while the encoder's cache still holds the training images
        return loss

    def _train_head(self, images: torch.Tensor) -> None:
        """Train the head further on what the bottleneck now gives, which is fixed and cheap to keep."""
        module, o = self._fitted(), self.options
        maps, severity = (a[:_HEAD_MAPS] for a in self._pool)
        plain = images[: min(len(self._parts[0]), _HEAD_MAPS)]
        with torch.no_grad():
            batches = chain(plain.split(o["batch_size"]), self._batches(maps))
            tokens = [module.bottleneck_tokens(batch).half() for batch in batches]
        given, grid = torch.cat(tokens), module.model.grid
        target = torch.cat([torch.zeros(len(plain)), torch.from_numpy(severity[: len(maps)]).float()])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(o["seed"])
            optimizer = torch.optim.AdamW(module.head.parameters(), lr=1e-3, weight_decay=1e-2)
            module.head.train()
            for _ in range(o["head_steps"]):
                pick = torch.randint(len(given), (_HEAD_BATCH,))
                loss = severity_loss(module.head(given[pick].float(), grid), target[pick], o["severity_loss"])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            module.head.eval()

    def _calibrate(self) -> None:
        """The scale of contrast, from new lines on held-out maps; the ranks, from the healthy maps of the fit."""
        from scipy.stats import spearmanr

        lines, held = self._settings, self._parts[1]
        rng = np.random.default_rng([self.options["seed"], 1])  # not the lines of the pool
        count = self.options["calibration_lines"]
        maps, severity, _ = lines.add(held[np.arange(count) % len(held)], lines.severities(count, rng), rng)
        healthy, output = self._outputs(held)[1], self._outputs(maps)[1]
        contrast = np.exp(lines.log_step * severity)
        self._scale = ContrastScale.fit(
            np.concatenate([healthy, output]),
            np.concatenate([np.ones(len(held)), contrast]),
            lines.log_step,
            weight=np.concatenate([np.full(len(held), len(maps) / len(held)), np.ones(len(maps))]),
        )
        if self.options["score"] == "both":
            found, of_healthy = self._outputs(self._maps)
            self._healthy = np.sort(np.stack([found.score, of_healthy]), axis=1)
        self._found = {
            "lines": len(maps),
            "healthy_maps": len(held),
            "spearman": float(spearmanr(output, contrast).statistic) if len(set(output)) > 1 else None,
            "output_healthy": float(healthy.mean()),
            "output_lines": float(output.mean()),
        }

    def _outputs(self, values: np.ndarray, progress: Progress = silent) -> tuple[Prediction, np.ndarray]:
        """The prediction of DinomalyDetector and the head's output, float64 ``[n]``, 0 or more."""
        with self._fitted().listening() as found:
            prediction = super()._predict(values, progress)
        return prediction, torch.cat(found).double().cpu().numpy()

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        prediction, output = self._outputs(values, progress)
        score = {"anomaly": prediction.score, "severity": output}.get(self.options["score"])
        if score is None:
            ranks = [healthy_rank(x, h) for x, h in zip((prediction.score, output), self._healthy, strict=True)]
            score = np.mean(ranks, axis=0)
        return replace(prediction, score=score, severity=self._scale(output))

    def network_parts(self) -> NetworkParts:
        """As of DinomalyDetector, and the head with its scale."""
        ranks = self._healthy if self.options["score"] == "both" else None
        return replace(super().network_parts(), head=self._fitted(), contrast=self._scale, healthy=ranks)

    def _state(self) -> dict[str, np.ndarray]:
        state = super()._state()
        scale = {"scale_output": self._scale.output, "scale_log_contrast": self._scale.log_contrast}
        return state | scale | {"healthy_scores": self._healthy}

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        super()._restore(state)
        step = self._settings.log_step
        self._scale = ContrastScale(state["scale_output"], state["scale_log_contrast"], step)
        self._healthy = state["healthy_scores"]


class _WithLines(Dataset[tuple[torch.Tensor, float]]):
    """Images of healthy maps ``[n, 3, h, w]``, then maps with lines ``[m, rows, columns]``, each with its severity.

    Images with lines are made when asked for: a large pool takes the memory of its maps.
    """

    def __init__(self, images: torch.Tensor, maps: np.ndarray, severity: np.ndarray, make: ImageMaker) -> None:
        self.images, self.maps, self.severity, self.make = images, maps, severity, make

    def __len__(self) -> int:
        return len(self.severity)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, float]:
        at = index - len(self.images)
        image = self.images[index] if at < 0 else self.make(self.maps[at : at + 1])[0]
        return image, float(self.severity[index])


class _Batches:
    """Indices of batches with a fixed number of healthy maps and of maps with lines, in seeded random order.

    An epoch goes through the healthy maps once; the pool is gone through over as many epochs as that takes.
    """

    def __init__(self, healthy: int, pool: int, split: tuple[int, int], seed: int) -> None:
        self.healthy, self.pool, self.split = healthy, pool, split
        self.rng = np.random.default_rng([seed, 2])
        self.waiting: list[int] = []

    def __len__(self) -> int:
        return self.healthy // self.split[0]

    def __iter__(self) -> Iterator[list[int]]:
        order = self.rng.permutation(self.healthy)
        for start in range(0, len(self) * self.split[0], self.split[0]):
            while len(self.waiting) < self.split[1]:
                self.waiting += (self.healthy + self.rng.permutation(self.pool)).tolist()
            drawn, self.waiting = self.waiting[: self.split[1]], self.waiting[self.split[1] :]
            yield order[start : start + self.split[0]].tolist() + drawn


def _collate(batch: list[tuple[torch.Tensor, float]]) -> SeverityBatch:
    images, severity = zip(*batch, strict=True)
    return SeverityBatch(image=torch.stack(images), severity=torch.tensor(severity))
