"""The line network on mesh waveforms: what attention along a line adds are then waveforms, not RMS values.

It begins with the evidence of ``coherent`` and looks at the same whitened residual: the logarithm of each mesh's RMS
stands where the map stands otherwise, and the samples of the mesh beside it. It trains on damage that is added to the
waveforms: a ringing that repeats at the meshes of a tooth, filtered as the recordings are, so that orders which were
removed take their part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from toothwise.detectors.base import Abilities, given
from toothwise.detectors.coherent import Coherent
from toothwise.detectors.coherent.meshes import events
from toothwise.detectors.coherent.whitening import filtered, weight_of
from toothwise.detectors.image_scoring import pick_device
from toothwise.detectors.line_network.drawn import DrawnMaps, MapDrawer
from toothwise.detectors.line_network.lightning_model import LineNetwork, train
from toothwise.detectors.line_network.options import LineNetworkOptions, TrainingOptions
from toothwise.detectors.line_network.torch_model import LineNetworkModel, LineOutput
from toothwise.progress import Progress

_FARTHEST = 32.0  # standard deviations of a drawn line from healthy: nobody misses it, though its waveform is not known
_RINGS = 3.0  # meshes that a drawn waveform rings through
_UNEVEN = 0.3  # of its size from mesh to mesh
_TAIL = np.pi / np.sqrt(6.0)  # fall of the log chance of a Gumbel maximum, a standard deviation
_CHUNK = 8  # maps at a time

Start = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class WaveformModel(LineNetworkModel):
    """The network for whitened waveforms ``[n, rows, columns, samples]``.

    Args:
        map_shape, options: As of LineNetworkModel.
        samples: Of each mesh.
        start: Waveforms -> evidence of rows and columns that it begins with.
    """

    def __init__(self, map_shape: Sequence[int], samples: int, start: Start, **options: Any) -> None:
        super().__init__(map_shape, **options)
        self.waves = nn.Linear(samples, self.options.dim, bias=False)  # learned directions of the waveform
        self.start = start

    @staticmethod
    def log_rms(values: Tensor) -> Tensor:
        """Log RMS of each mesh, ``[n, rows, columns]``."""
        return 0.5 * (values**2).mean(dim=3).clamp(min=1e-12).log()

    def judge(self, values: Tensor, *, cells: bool = True, **given: Any) -> LineOutput:
        """As of LineNetworkModel, for waveforms."""
        rows, columns = (torch.from_numpy(_TAIL * e).to(values) for e in self.start(values.detach().cpu().numpy()))
        waves = self.waves(torch.nan_to_num(values))
        return super().judge(self.log_rms(values), cells=cells, more=waves, start={1: rows, 2: columns})


class WaveformDrawer(MapDrawer):
    """Draws training waveforms.

    Args:
        options, precision: As of MapDrawer.
        weight: Of each bin of the hunting period, by which recordings were whitened.
    """

    def __init__(self, options: LineNetworkOptions, precision: np.ndarray, weight: np.ndarray) -> None:
        super().__init__(options, precision)
        self.weight = weight
        self.meshes = events(*self.shape)

    def __call__(
        self, maps: np.ndarray, rng: np.random.Generator, *, faulty: np.ndarray, disturbed: bool = True
    ) -> DrawnMaps:
        """As of MapDrawer, for whitened waveforms ``[n, rows, columns, samples]`` of unit variance."""
        n, (i, j) = len(maps), self.meshes
        turned = rng.integers(0, len(i), n)  # another mesh comes first: both gears turn
        sign = rng.choice([-1.0, 1.0], n).astype(np.float32)
        values = np.stack([np.roll(m, (-i[k], -j[k]), (0, 1)) for m, k in zip(maps, turned, strict=True)])
        values *= sign[:, None, None, None]
        if disturbed:  # a passing transient, which repeats nowhere
            loud = (rng.random((n, 1, 1)) < self.options.disturbed) & (rng.random(values.shape[:3]) < 3.0 / len(i))
            values *= 1.0 + 3.0 * loud[..., None].astype(np.float32)
        cells, by_row = self._lines(n, rng)
        cells[~faulty] = False
        contrast = np.zeros(n)
        for k in np.flatnonzero(faulty):
            own = cells[k][i, j]
            if not own.any():  # gears that do not hunt: this line lies where no pair meets
                cells[k] = False
                continue
            added = self._damage(own, maps.shape[3], rng) * rng.uniform(0.0, _FARTHEST)
            values[k][i, j] += added.astype(np.float32)
            contrast[k] = 0.5 * np.log1p((added[own] ** 2).mean())
        return DrawnMaps(values, cells.astype(np.float32), self._teeth(cells, by_row), contrast.astype(np.float32))

    def _damage(self, own: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
        """A whitened waveform at meshes ``own``, ``[events, samples]``, one noise deviation from nothing."""
        length = round(_RINGS * samples)
        at = np.arange(length)
        ring = np.exp(-at / rng.uniform(0.1 * samples, samples)) * np.cos(
            np.pi * rng.uniform(0.0, 0.9) * at + rng.uniform(0.0, 2 * np.pi)
        )
        size = len(own) * samples
        comb = np.zeros(size)
        begin = np.flatnonzero(own) * samples + rng.integers(-samples // 4, samples // 2)
        comb[begin % size] = 1.0 + _UNEVEN * rng.standard_normal(len(begin))
        white = filtered(filtered(comb, np.fft.rfft(ring, size)), self.weight)
        return np.asarray(white / max(float(np.linalg.norm(white)), 1e-300)).reshape(-1, samples)


class WaveformNetwork(LineNetwork):
    """LineNetwork for waveforms that a ``Coherent`` detector whitened.

    Args:
        map_shape, options: As of LineNetwork.
        samples, start: As of WaveformModel.
        weight: As of WaveformDrawer.
    """

    def __init__(
        self, map_shape: Sequence[int], samples: int, start: Start, weight: np.ndarray, **options: Any
    ) -> None:
        network = {name: options[name] for name in ("attention", "dim", "blocks", "heads")}
        super().__init__(map_shape, **options)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.model = WaveformModel(map_shape, samples, start, **network)
        self._weight = weight

    def maps_of(self, values: np.ndarray) -> np.ndarray:
        """Log RMS of each mesh."""
        return WaveformModel.log_rms(torch.from_numpy(values)).numpy()

    def make_drawer(self, precision: np.ndarray) -> MapDrawer:
        """Of waveforms."""
        return WaveformDrawer(self.model.options, precision, self._weight)


class LineWaveforms(Coherent):
    """``coherent``, corrected by a line network whose attention adds waveforms along the lines of both gears.

    The network trains on a repeating waveform added to three of four healthy records; on the fourth it is tried, and
    what does not find damage better there is not kept. With few records that is as good as never, and the evidence is
    that of ``coherent``.

    Args:
        segments (share): Shares of the mates that damage may cover, besides all of them.
        contacts: The axis ("rows" or "columns") whose teeth touch two mates half a revolution apart.
        attention: What a block attends to, as of ``line_network``.
        dim (features): Features of a mesh.
        blocks (blocks): Number of blocks.
        heads (heads): Of the attention; they divide ``dim``.
        seed: Of weights, order, damage, and of the records that ``coherent`` draws.
        options: Of TrainingOptions.

    Raises:
        InputError: An option that is not allowed, maps without waveforms, or fewer than 20 healthy maps.
    """

    name: ClassVar[str] = "line_waveforms"
    can: ClassVar[Abilities] = Abilities(rows=True, columns=True, waveforms=True)
    option_groups = (TrainingOptions,)

    def __init__(
        self,
        *,
        segments: tuple[float, ...] = (0.5, 0.25),
        contacts: str | None = None,
        attention: str = "both",
        dim: int = 16,
        blocks: int = 2,
        heads: int = 2,
        **options: Any,
    ) -> None:
        own = given(locals())
        training = TrainingOptions(**options)
        super().__init__(segments=segments, contacts=contacts, seed=training.seed)
        self.options = own | vars(training) | self.options
        self._network: WaveformNetwork | None = None
        self._make_network((3, 3), 1)  # wrong options are to be refused now and not when it is fitted

    def _make_network(self, shape: tuple[int, int], samples: int) -> WaveformNetwork:
        names = ("attention", "dim", "blocks", "heads", "max_steps", "learning_rate", "patience", "keep", "seed")
        options = {name: self.options[name] for name in names}
        weight = weight_of(self._learned.get("scatter", np.ones(1)))
        off = dict.fromkeys(("pre_processor", "evaluator", "visualizer"), False)
        return WaveformNetwork(shape, samples, self._start, weight, **options, **off)

    def _start(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return super()._evidence(self._periods(waveforms), waveforms.shape, self._learned)

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        self._network = None
        super()._fit(values, progress)
        shape = (values.shape[1], values.shape[2])
        # each record whitened by the others: one that is whitened by itself too looks more even than a new one will
        white = self._learn(np.fft.rfft(self._periods(values)), values.shape)[1]
        network = self._make_network(shape, values.shape[3])
        self.info = train(network, self._unit(white, values.shape), self.options, progress)
        self._network = network

    def _unit(self, white: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Whitened periods as mesh waveforms whose samples have a variance of 1, float32."""
        live = np.sqrt((self._learned["scatter"] > 0).mean() / white.shape[1])
        return (self._folded(white, shape) / live).astype(np.float32)

    def _evidence(
        self, white: np.ndarray, shape: tuple[int, ...], learned: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """As of ``coherent``, with the network's correction."""
        model = None if self._network is None else self._network.model
        if model is None or not float(model.get_buffer("gain")):
            return super()._evidence(white, shape, learned)
        device = pick_device(self.options["device"])
        x = torch.from_numpy(self._unit(white, shape))
        with torch.inference_mode():
            parts = [model.to(device).eval().judge(p.to(device), cells=False).lines for p in x.split(_CHUNK)]
        rows, columns = (torch.cat([p[a] for p in parts]).cpu().double().numpy() / _TAIL for a in (1, 2))
        return rows, columns

    def _state(self) -> dict[str, np.ndarray]:
        assert self._network is not None
        weights = self._network.model.state_dict()
        return self._learned | {f"network.{k}": v.detach().cpu().numpy() for k, v in weights.items()}

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        super()._restore(state)
        assert self.shape is not None
        self._network = self._make_network(self.shape, self.samples)
        own = {k: torch.from_numpy(np.array(v)) for k, v in state.items() if k.startswith("network.")}
        self._network.model.load_state_dict({k.removeprefix("network."): v for k, v in own.items()})
        self._network.eval()
