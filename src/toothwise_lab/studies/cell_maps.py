"""A cell, which is one detector on one domain, mode and seed, and the maps that it is run on.

A study varies more than the benchmark does: what the detector is trained on (another domain or state, few maps, some
of them faulty) and what happens to the test maps (corruption, another grid). All of that is off by default, and a cell
with the defaults draws the same maps as ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd

from toothwise.checks import check_choice, check_range, check_whole
from toothwise.detectors.registry import class_of
from toothwise.errors import InputError
from toothwise.simulate.maps import LineShape, generate
from toothwise.simulate.textures import DOMAINS
from toothwise_lab.corruptions import CORRUPTIONS, RESIZE_METHODS, corrupt, resize_maps
from toothwise_lab.studies.vibration_maps import vibration_maps

MODES = ("matched", "realistic")
LIMITS = ("limit", "glr")  # they know the generator, and are no detectors of the registry
# what the benchmark says of its cells; all else is varied by studies alone
_PLAIN = ("domain", "mode", "detector", "seed", "options", "n_train", "n_test", "contrast", "gear", "length", "depth")


@dataclass(frozen=True)
class Cell:
    """What is run.

    Attributes:
        domain: "A" to "D".
        mode: "matched" or "realistic".
        detector: its name.
        seed: of maps and detector.
        options: of the detector.
        n_train: maps that it is fitted on, and that its threshold is chosen on (a fourth); 10 or more.
        n_test: healthy and as many faulty maps, 32 or more.
        contrast: (lowest, highest) of the lines.
        gear: whose tooth is damaged: "driving", "driven" or "both".
        length: (shortest, longest) of the lines, cells; None = all lengths.
        source: "generator" = maps are drawn; "vibration" = they are built from simulated recordings of a gearbox that
            follows from domain and seed, with cracks of ``depth`` in place of lines (see ``vibration_maps``).
        depth: (lowest, highest) of these cracks.
        test_domain: of the test maps; None = the same.
        shape: teeth of the two gears of the training maps.
        test_shape: of the test maps; None = the same.
        grid: rows and columns that maps are resized to before a detector sees them; None = the training maps' own.
        train_grid, test_grid: resolution that maps are stored in before that; None = their own.
        train_resize, test_resize: how they are resized, see ``resize_maps``.
        train_condition: "pool" = the domain's training maps; "cold" or "warm" = maps of one thermal state.
        test_condition: "mixed", "cold" or "warm".
        contamination: share of the training maps that have a line, unknown to the detector.
        corruption: of the test maps, one of ``CORRUPTIONS``, or None.
        strength: of the corruption.
    """

    domain: str
    mode: str
    detector: str
    seed: int
    options: dict[str, Any] = field(default_factory=dict)
    n_train: int = 400
    n_test: int = 400
    contrast: tuple[float, float] = (1.08, 1.3)
    gear: str = "driving"
    length: tuple[int, int] | None = (20, 94)
    source: str = "generator"
    depth: tuple[float, float] = (0.05, 0.3)
    test_domain: str | None = None
    shape: tuple[int, int] = (31, 95)
    test_shape: tuple[int, int] | None = None
    grid: tuple[int, int] | None = None
    train_grid: tuple[int, int] | None = None
    test_grid: tuple[int, int] | None = None
    train_resize: str = "area"
    test_resize: str = "area"
    train_condition: str = "pool"
    test_condition: str = "mixed"
    contamination: float = 0.0
    corruption: str | None = None
    strength: float = 0.0

    def __post_init__(self) -> None:
        if self.test_domain == self.domain:  # home by another name is the same trial
            object.__setattr__(self, "test_domain", None)
        check_whole(10, n_train=self.n_train)
        check_whole(32, n_test=self.n_test)
        check_range("[0, 0.5)", contamination=self.contamination)
        for name, allowed in (
            ("mode", MODES),
            ("source", ("generator", "vibration")),
            ("train_condition", ("pool", "cold", "warm")),
            ("test_condition", ("mixed", "cold", "warm")),
            ("train_resize", RESIZE_METHODS),
            ("test_resize", RESIZE_METHODS),
            ("test_domain", (None, *DOMAINS)),
            ("corruption", (None, *CORRUPTIONS)),
        ):
            check_choice(allowed, **{name: getattr(self, name)})
        if self.detector in LIMITS and self.varied():
            raise InputError(f"{self.detector!r} knows the generator as it is: {', '.join(self.varied())} must be off")

    @property
    def name(self) -> str:
        """Unique within one configuration of the benchmark."""
        return f"{self.domain}-{self.mode}-{self.detector}-{self.seed}"

    def varied(self) -> list[str]:
        """Names of what differs from the plain benchmark."""
        return [f.name for f in fields(self) if f.name not in _PLAIN and getattr(self, f.name) != f.default]


@dataclass(frozen=True, eq=False)
class CellMaps:
    """Maps of one domain, mode and seed; every detector sees the same.

    Attributes:
        train: the unlabelled healthy pool.
        healthy, faulty: of one session; ``truth`` is the table of the faulty ones, ``masks`` their damaged cells.
        condition: thermal state of the healthy maps, "cold" and "warm"; the faulty ones have the same order.
        other: healthy maps of the training session; the same as ``healthy`` in matched mode.
        teeth: rows and columns that the truth counts in; None = those of the maps.
        moved: the pixels have left their teeth.
    """

    train: np.ndarray
    healthy: np.ndarray
    faulty: np.ndarray
    truth: pd.DataFrame
    masks: np.ndarray
    condition: np.ndarray
    other: np.ndarray
    teeth: tuple[int, int] | None = None
    moved: bool = False


def draw_maps(cell: Cell) -> CellMaps:
    """The maps of a cell, from its seed alone; from recordings, mesh waveforms where its detector looks at them."""
    if cell.source == "vibration":
        return _recorded(cell)
    line = LineShape(length=cell.length)
    common: dict[str, Any] = {"mode": cell.mode, "gear": cell.gear, "line": line}
    base = 1000 * cell.seed
    train = _train_maps(cell, base, common)
    domain, shape = cell.test_domain or cell.domain, cell.test_shape or cell.shape
    common |= {"shape": shape, "condition": cell.test_condition, "split": "test"}
    session = "fault" if cell.mode == "realistic" else None
    other, _ = generate(domain, cell.n_test, False, seed=base + 1, **common)
    healthy, table = other, None
    if session is not None:
        healthy, table = generate(domain, cell.n_test, False, seed=base + 3, session=session, **common)
    faulty, truth, masks = generate(
        domain, cell.n_test, True, seed=base + 2, contrast=cell.contrast, masks=True, **common
    )
    condition = (truth if table is None else table)["condition"].to_numpy().astype(str)
    same = other is healthy
    moved = False
    if cell.corruption is not None and cell.strength > 0:
        moved = CORRUPTIONS[cell.corruption].moves
        healthy, _ = corrupt(healthy, cell.corruption, cell.strength, seed=base + 4)
        faulty, found = corrupt(faulty, cell.corruption, cell.strength, seed=base + 5, masks=masks)
        masks = masks if found is None else found
        other = healthy if same else corrupt(other, cell.corruption, cell.strength, seed=base + 6)[0]
    grid = cell.grid or cell.train_grid or cell.shape
    train = _resized(train, cell.train_grid, grid, cell.train_resize)
    healthy, faulty = (_resized(x, cell.test_grid, grid, cell.test_resize) for x in (healthy, faulty))
    other = healthy if same else _resized(other, cell.test_grid, grid, cell.test_resize)
    if masks.shape[1:] != grid:
        masks = resize_maps(masks.astype(np.float32), grid, "area") >= 0.5
    return CellMaps(train, healthy, faulty, truth, masks, condition, other, shape, moved)


def _recorded(cell: Cell) -> CellMaps:
    found = vibration_maps(cell.domain, cell.seed, cell.shape, cell.n_train, cell.n_test, cell.gear, tuple(cell.depth))
    named = ":" not in cell.detector  # a class of one's own looks at maps
    kind = "waveforms" if named and class_of(cell.detector).can.waveforms else "values"
    train, healthy, faulty = (getattr(found[name], kind) for name in ("train", "healthy", "faulty"))
    return CellMaps(train, healthy, faulty, found["truth"], found["masks"], found["condition"], healthy, cell.shape)


def _resized(values: np.ndarray, stored: tuple[int, int] | None, grid: tuple[int, int], method: str) -> np.ndarray:
    """Maps as they are stored, brought to the detector's grid."""
    for shape in (stored or grid, grid):
        if values.shape[1:] != shape:
            values = resize_maps(values, shape, method)
    return values


def _train_maps(cell: Cell, base: int, common: dict[str, Any]) -> np.ndarray:
    """Training maps; a contaminated one is the same map with a line."""
    kind: dict[str, Any] = {"split": "train", "shape": cell.shape, "seed": base, **common}
    if cell.train_condition != "pool":
        kind |= {"split": "test", "condition": cell.train_condition}
    train: np.ndarray = generate(cell.domain, cell.n_train, False, **kind)[0]
    count = round(cell.contamination * cell.n_train)
    if count:
        kind |= {"session": "healthy", "segment": False, "contrast": cell.contrast}
        with_lines = generate(cell.domain, cell.n_train, True, **kind)[0]
        rng = np.random.default_rng(base + 7)
        which = rng.permutation(cell.n_train)[:count]
        train[which] = with_lines[which]
    return train
