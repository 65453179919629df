"""Dinomaly, plain or directional, behind the detector contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader

from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.dinomaly.encoder import EncoderCache
from toothwise.detectors.dinomaly.images import ImageMaker
from toothwise.detectors.dinomaly.lightning_model import DirectionalDinomaly
from toothwise.detectors.pooling import check_pooling, line_contrasts, pool
from toothwise.detectors.training import Images, check_device, fit_quietly, pick_device
from toothwise.errors import InputError

__all__ = ["DinomalyDetector"]


class DinomalyDetector(Detector):
    """Directional Dinomaly on maps; with no directional layer it is Dinomaly.

    Args:
        directional_layers, axis, mix, alpha, alpha_per, prefix, encoder_name, weights: of DirectionalDinomaly.
        image_size: (height, width) that a map is resized to, multiples of the patch; None = 224 x 224.
        channels: "grey" (three times the map) or "physical" (the map, without what its columns share, without what
            its rows share).
        log: take the logarithm first (positive maps).
        pooling: score = "top" (top 1 % of the anomaly map), or the best line: mean of the anomaly map along a row or a
            column, less the median of all of them, so that what moves the whole map does not count; "rows", "columns"
            or "lines" (either).
        max_steps, batch_size, learning_rate: of the training; ``mining_steps`` None = a fifth of 5000 in proportion.
        seed: of weights, order and dropout.
        device: "auto", "cpu" or "cuda".

    ``info`` after fit: encoder source and hash, alpha per directional layer, steps, final loss.
    """

    name = "dinomaly_directional"

    def __init__(
        self,
        *,
        encoder_name: str = "vit_small_patch14_dinov2",
        weights: str | None = None,
        directional_layers: Sequence[int] = (0, 1, 2),
        axis: str = "both",
        mix: str = "learned",
        alpha: float = 0.5,
        alpha_per: str = "layer",
        prefix: str = "context",
        image_size: Sequence[int] | None = None,
        channels: str = "physical",
        log: bool = True,
        pooling: str = "lines",
        max_steps: int = 150,
        batch_size: int = 8,
        learning_rate: float = 2e-3,
        mining_steps: int | None = None,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        check_pooling(pooling)
        if batch_size < 1:
            raise InputError(f"batch_size must be 1 or more, but got {batch_size}")
        check_device(device)
        super().__init__(
            encoder_name=encoder_name,
            weights=weights,
            directional_layers=list(directional_layers),
            axis=axis,
            mix=mix,
            alpha=alpha,
            alpha_per=alpha_per,
            prefix=prefix,
            image_size=list(image_size or (224, 224)),
            channels=channels,
            log=log,
            pooling=pooling,
            max_steps=max_steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            mining_steps=mining_steps,
            seed=seed,
            device=device,
        )
        self.name = "dinomaly_directional" if directional_layers else "dinomaly"  # type: ignore[misc]
        self._images = ImageMaker(tuple(self.options["image_size"]), channels=channels, log=log)
        self._module: DirectionalDinomaly | None = None

    def _make_module(self) -> DirectionalDinomaly:
        o = self.options
        own = (
            "encoder_name",
            "weights",
            "directional_layers",
            "axis",
            "mix",
            "alpha",
            "alpha_per",
            "prefix",
            "max_steps",
            "learning_rate",
            "seed",
        )
        mining = o["mining_steps"] or max(1, o["max_steps"] // 5)
        return DirectionalDinomaly(
            **{k: o[k] for k in own}, mining_steps=mining, pre_processor=False, evaluator=False, visualizer=False
        )

    def _fit(self, values: np.ndarray) -> None:
        module = self._make_module()  # first: missing weights must not cost a scaling
        self._images.fit(values)
        images = self._images(values)
        module.model.encoder.grid(images)
        module.model.cache = EncoderCache()
        loss = self._train(module, images)
        module.model.cache = None
        self._module = module.eval()
        source = asdict(module.model.encoder.source)
        self.info = {
            "encoder": {"name": self.options["encoder_name"], **source},
            "alpha": module.model.alphas(),
            "steps": self.options["max_steps"],
            "final_loss": loss,
        }

    def _train(self, module: DirectionalDinomaly, images: torch.Tensor) -> float:
        """Through anomalib's Engine, quietly, leaving no file behind. Returns the last loss."""
        from anomalib.data import ImageBatch

        o = self.options
        generator = torch.Generator().manual_seed(o["seed"])
        loader: DataLoader[torch.Tensor] = DataLoader(
            Images(images),
            batch_size=min(o["batch_size"], len(images)),
            shuffle=True,
            drop_last=True,
            generator=generator,
            collate_fn=lambda batch: ImageBatch(image=torch.stack(batch)),
        )
        return fit_quietly(module, loader, seed=o["seed"], device=o["device"], watch=self.watch)

    @torch.inference_mode()
    def _predict(self, values: np.ndarray) -> Prediction:
        module = self._module
        if module is None:
            raise InputError(f"{self.name} holds no weights: fit it first")
        device = pick_device(self.options["device"])
        module.to(device)
        score, maps = [], []
        for start in range(0, len(values), self.options["batch_size"]):
            part = values[start : start + self.options["batch_size"]]
            found = module.model(self._images(part).to(device))
            full = functional.interpolate(
                found.anomaly_map, size=values.shape[1:], mode="bilinear", antialias=True, align_corners=False
            )
            if self.watch is not None:
                self.watch(start / len(values))
            score.append(found.pred_score.double().cpu().numpy())
            maps.append(full[:, 0].float().cpu().numpy())
        anomaly_map = np.concatenate(maps)
        anomaly_map[np.isnan(values)] = np.nan
        rows, columns = line_contrasts(anomaly_map)
        pooling = self.options["pooling"]
        return Prediction(
            score=pool(pooling, np.concatenate(score), rows, columns),
            anomaly_map=anomaly_map,
            row_evidence=None if pooling == "columns" else np.nan_to_num(rows, nan=-np.inf),
            column_evidence=None if pooling == "rows" else np.nan_to_num(columns, nan=-np.inf),
        )

    def _state(self) -> dict[str, np.ndarray]:
        if self._module is None:
            raise InputError(f"{self.name} has not been fitted: there is nothing to save")
        weights = {
            k: v.detach().cpu().numpy()
            for k, v in self._module.model.state_dict().items()
            if not k.startswith("encoder.")
        }
        return weights | self._images.state()

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        self._images.restore(state)
        module = self._make_module().eval()
        expected, source = self.info.get("encoder", {}).get("sha256"), module.model.encoder.source
        if expected != source.sha256:
            raise InputError(
                f"this detector was fitted with encoder weights {str(expected)[:12]}, but {source.name} has "
                f"{source.sha256[:12]}: give the same file"
            )
        own = module.model.state_dict()
        for key in own:
            if not key.startswith("encoder."):
                own[key] = torch.from_numpy(np.array(state[key]))
        module.model.load_state_dict(own)
        self._module = module
