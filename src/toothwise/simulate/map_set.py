"""What a folder of simulated maps holds: the options of ``toothwise simulate maps``, and of ``write_domain``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from toothwise.checks import check_choice, check_whole
from toothwise.errors import InputError

FORMATS = {"tiff": ".tiff", "png16": ".png"}


@dataclass(frozen=True, kw_only=True)
class MapSetConfig:
    """What a folder of simulated maps holds; ``toothwise.simulate.maps.generate`` says more of each.

    Attributes:
        mode: Whether faulty maps differ by the line alone (matched), or come from another session too (realistic).
        n_train: Number of healthy maps to learn from.
        n_test: Number of healthy maps, and of faulty ones, to score; in realistic mode half of the healthy ones (the
            larger half where the number is odd) come from the fault session.
        contrast (LOW HIGH): Lowest and highest contrast of the damaged lines over their background.
        gear: Gear whose tooth is damaged.
        diagonals (SHARE): Share of the maps that hold a transient along a wrapped diagonal.
        format: File format of the maps: float32 TIFF or PNG of 16 bits.
        png_scale (VALUE): Map value of the brightest PNG pixel, in place of the domain's own. No value is clipped.
        seed: Seed of all domains.

    Raises:
        InputError: A value that is not allowed.
    """

    mode: Literal["matched", "realistic"] = "matched"
    n_train: int = 1000
    n_test: int = 1000
    contrast: tuple[float, float] = (1.2, 1.45)
    gear: Literal["driving", "driven", "both"] = "driving"
    diagonals: float = 0.0
    format: Literal["tiff", "png16"] = "tiff"
    png_scale: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        from toothwise.simulate.maps import generate

        check_choice(FORMATS, format=self.format)
        check_whole(1, n_train=self.n_train)
        check_whole(2, n_test=self.n_test)
        check_whole(0, seed=self.seed)
        if self.png_scale is not None and self.format == "tiff":
            raise InputError(f"png_scale {self.png_scale} is for png16 only: a TIFF holds the values as they are")
        generate("C", 1, True, self.mode, "test", gear=self.gear, contrast=self.contrast, diagonals=self.diagonals)
