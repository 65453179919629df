"""A trial: what is run, and the name that its result is found by."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from toothwise_lab.studies.cell import Measured, try_cell
from toothwise_lab.studies.cell_maps import Cell
from toothwise_lab.studies.image_trial import ImageTrial, measure_images
from toothwise_lab.studies.run_trial import RunTrial, measure_run

Settings = Cell | ImageTrial | RunTrial
KINDS: dict[str, type] = {"maps": Cell, "images": ImageTrial, "run": RunTrial}


@dataclass(frozen=True)
class Trial:
    """One trial of a study.

    Attributes:
        part: of the study, "" where it has one part.
        arm: what is compared: an override, or an override and what it is crossed with.
        group: what comparisons stay within: domain and mode, image set, or run.
        kind: a name in KINDS.
        settings: all that the result depends on, besides code and data.
    """

    part: str
    arm: str
    group: str
    kind: str
    settings: Settings

    @property
    def name(self) -> str:
        """In words, for people."""
        words = (self.part, self.arm, self.group, f"seed {self.settings.seed}")
        return ", ".join(word for word in words if word)

    @property
    def config(self) -> dict[str, Any]:
        """Kind and settings, JSON types."""
        return {"kind": self.kind, **json.loads(json.dumps(asdict(self.settings)))}

    @property
    def config_hash(self) -> str:
        """Of kind and settings; names of arms and parts are not in it, so that they may be changed."""
        return hashlib.sha256(json.dumps(self.config, sort_keys=True).encode()).hexdigest()[:16]


def measure(settings: Settings) -> Measured:
    """Run the trial of these settings in this process."""
    if isinstance(settings, Cell):
        return try_cell(settings)
    if isinstance(settings, ImageTrial):
        return measure_images(settings)
    return measure_run(settings)
