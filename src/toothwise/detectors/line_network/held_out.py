"""Healthy maps that were not trained on decide what is kept: lines drawn on them must be found better with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from toothwise.detectors.line_network.drawn import MapDrawer
from toothwise.detectors.line_network.torch_model import LineNetworkModel

_TRIALS = 160  # healthy maps, and as many with lines, about: each held-out map serves several times
_MOST = 120  # held-out maps that are asked
_DRAWS = 200  # of maps with replacement, for the standard error
_CELLS = 24_000  # scored at once: 8 maps of 31 x 95
_SURE = 2.0  # standard errors of the gain: weights and share are chosen on the same maps, so one is by chance
_COVERED = 0.95  # of lines whose contrast lies within two standard deviations
_ROUNDS, _FEW = 4, 20  # of drawn lines for contrast; named ones that can tell how sure it is
_PARTS = np.arange(0.0, 0.51, 0.05)  # spread of contrast in parts of itself


class HeldOut:
    """Trials of a network on held-out maps.

    Args:
        model: Changed in place: its weights, the gain of its correction, how contrast follows from what is measured.
        maps: Held-out healthy log maps ``[n, rows, columns]``, or what else the model judges.
        drawer: Draws the lines.
        rng: Of the draws.
    """

    def __init__(self, model: LineNetworkModel, maps: np.ndarray, drawer: MapDrawer, rng: np.random.Generator) -> None:
        self.model, self.maps, self.drawer, self.rng = model, maps[:_MOST], drawer, rng
        maps = self.maps
        times = max(1, round(_TRIALS / len(maps)))
        self.whose = np.tile(np.arange(len(maps)), times)
        many = maps[self.whose]
        healthy = drawer(many, rng, faulty=np.zeros(len(many), dtype=bool), disturbed=False)
        faulty = drawer(many, rng, faulty=np.ones(len(many), dtype=bool), disturbed=False)
        # darker lines are for the network alone: the likelihood does not look for them
        for k in np.flatnonzero(faulty.contrast < 0):
            faulty.values[k] -= 2.0 * faulty.cells[k] * faulty.contrast[k]
        self.values = torch.from_numpy(np.concatenate([healthy.values, faulty.values]).astype(np.float32))
        self.chunk = max(1, _CELLS // faulty.cells[0].size)
        self.draws = rng.multinomial(len(maps), np.full(len(maps), 1.0 / len(maps)), _DRAWS)
        self.best: tuple[float, dict[str, Tensor], np.ndarray] | None = None
        self.since = 0
        self.start = self._with(gain=0.0)  # what the network starts from
        model.get_buffer("gain").fill_(1.0)

    @torch.no_grad()
    def _score(self) -> np.ndarray:
        device = self.model.get_buffer("gain").device
        parts = self.values.split(self.chunk)
        return torch.cat([self.model.judge(p.to(device), cells=False).score.cpu() for p in parts]).double().numpy()

    def _with(self, gain: float) -> np.ndarray:
        """Scores with another share of the correction, which stays so."""
        self.model.get_buffer("gain").fill_(gain)
        return self._score()

    def _wins(self, score: np.ndarray) -> np.ndarray:
        """How often a line on map j scores above healthy map i, ``[maps, maps]``; ties count half."""
        n, maps = len(self.whose), len(self.maps)
        healthy, faulty = score[:n].reshape(-1, 1, maps, 1), score[n:].reshape(1, -1, 1, maps)
        return np.asarray(((faulty > healthy) + 0.5 * (faulty == healthy)).mean(axis=(0, 1)))

    def _better(self, score: np.ndarray, than: np.ndarray) -> tuple[float, float]:
        """Gain in AUROC, and its standard error over maps, by bootstrap."""
        gain = self._wins(score) - self._wins(than)
        n = len(gain)
        return float(gain.mean()), float(np.std([(c @ gain @ c) / n**2 for c in self.draws]))

    def check(self) -> int:
        """Remember the weights if they are the best so far; how many checks ago the best was."""
        score = self._score()
        area = float(self._wins(score).mean())
        self.since += 1
        if self.best is None or area > self.best[0]:
            state = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
            self.best, self.since = (area, state, score), 0
        return self.since

    def settle(self, *, best: bool, keep_all: bool = False) -> dict[str, Any]:
        """Go back to the best weights, keep the share of the correction that helps, and widen the spread.

        Args:
            best: Go back to the best weights.
            keep_all: Keep the whole correction, whether it helps or not.

        Returns:
            AUROC of the evidence that the network starts from, and of what is kept; the gain and its standard error;
            what was kept.
        """
        whole = None
        if best and self.best is not None:
            _, state, whole = self.best
            self.model.load_state_dict(state)
        chosen, kept, found = 0.0, (0.0, 0.0), self.start
        for share in (1.0, 0.5):
            score = whole if share == 1.0 and whole is not None else self._with(gain=share)
            gain, error = self._better(score, self.start)
            if keep_all or (gain > _SURE * error and gain > kept[0]):
                chosen, kept, found = share, (gain, error), score
            if keep_all:
                break
        self.model.get_buffer("gain").fill_(chosen)
        if self.maps.ndim == 3:  # of waveforms no contrast is told
            self._calibrate()
        return {
            "auroc": {"start": float(self._wins(self.start).mean()), "kept": float(self._wins(found).mean())},
            "gain": kept[0],
            "standard_error": kept[1],
            "correction_kept": chosen,
        }

    @torch.no_grad()
    def _calibrate(self) -> None:
        """Set contrast and spread by the lines whose tooth is named rightly, so that two spreads hold 95 % of them.

        Gaps, and segments that end elsewhere than the line, take a part of its contrast: the brighter it is, the more.
        """
        every = np.ones(len(self.whose), dtype=bool)
        named = []
        for _ in range(_ROUNDS):
            drawn = self.drawer(self.maps[self.whose], self.rng, faulty=every, disturbed=False)
            for at in np.split(np.arange(len(every)), range(self.chunk, len(every), self.chunk)):
                device = self.model.get_buffer("gain").device
                found = self.model.judge(torch.from_numpy(drawn.values[at]).to(device), cells=False)
                line = torch.cat(list(found.lines.values()), 1).argmax(1).cpu().numpy()
                mean, spread = (x.double().cpu().numpy() for x in found.likeliest())
                hit = np.concatenate([drawn.teeth[a][at] for a in found.lines], axis=1)[np.arange(len(at)), line] > 0
                right = hit & (drawn.contrast[at] > 0) & (mean > 0)
                named.append(np.stack([drawn.contrast[at], mean, spread])[:, right])
        actual, mean, spread = np.concatenate(named, axis=1)
        if len(mean) < _FEW:
            return
        fits = []
        for part in _PARTS:
            width = np.sqrt(spread**2 + (part * mean) ** 2)
            line = np.polyfit(mean, actual, 1, w=1.0 / width)
            off = np.abs(actual - np.polyval(line, mean)) / width
            fits.append(((np.log(width) + 0.5 * off**2).sum(), *line, part, np.quantile(off, _COVERED) / 1.96))
        self.model.get_buffer("contrast").copy_(torch.tensor(min(fits)[1:]))
