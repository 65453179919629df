"""Options that the detector ``line_network``, its anomalib module and its network share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toothwise.checks import check_choice, check_range, check_whole
from toothwise.detectors.image_scoring import check_device
from toothwise.errors import InputError

ATTENTION = ("both", "x", "y", "global", "means", "none")


@dataclass(frozen=True)
class LineNetworkOptions:
    """What is looked for, and the network that corrects its likelihood.

    Attributes:
        lines: "rows", "columns" or "both": where damage may show.
        lengths (cells): Cells along the lines of the likelihood; those longer than the line are cut to it.
        teeth (teeth): Most neighbouring teeth of a line of the likelihood.
        gaps (cells): Dark cells to be expected within such a line.
        log: Work on the logarithm of the values (for maps of positive magnitudes).
        attention: What a block attends to: "x" (its row), "y" (its column), "both" (a mix with a learned weight per
            head), "global" (all cells), "means" (the means of its row, its column and the map, in place of attention),
            or "none".
        dim (features): Features of a cell.
        blocks (blocks): Number of blocks.
        heads (heads): Of the attention; they divide ``dim``.
        max_teeth (teeth): Most neighbouring teeth of a line drawn in training.
        darker (share): Share of the drawn lines that are darker than healthy: a tooth may grow quieter first.
        disturbed (share): Share of the drawn maps, healthy and faulty, with each of the disturbances that are no
            damage.
        flips: Also train on mirrored maps, as the learned spectrum does.

    Raises:
        InputError: A value that is not allowed.
    """

    lines: str = "both"
    lengths: Sequence[int] = (4, 8, 16, 32, 64, 128)
    teeth: int = 2
    gaps: float = 3.0
    log: bool = True
    attention: str = "both"
    dim: int = 16
    blocks: int = 2
    heads: int = 2
    max_teeth: int = 3
    darker: float = 0.1
    disturbed: float = 0.1
    flips: bool = True

    def __post_init__(self) -> None:
        check_choice(("rows", "columns", "both"), lines=self.lines)
        check_choice(ATTENTION, attention=self.attention)
        check_whole(1, teeth=self.teeth, dim=self.dim, blocks=self.blocks, heads=self.heads, max_teeth=self.max_teeth)
        if self.dim % self.heads:
            raise InputError(f"heads must divide dim, but {self.heads} does not divide {self.dim}")
        check_whole(1, lengths=list(self.lengths) or 0)
        check_range("[0, inf)", gaps=self.gaps)
        check_range("[0, 1]", darker=self.darker, disturbed=self.disturbed)


@dataclass(frozen=True)
class TrainingOptions:
    """How the network is trained, on maps and on waveforms alike.

    Attributes:
        max_steps (steps): Training steps at most.
        batch_size (maps): Maps in a step, half of them with damage.
        learning_rate (per step): At its highest; it falls to 0 along a cosine.
        patience (checks): Training stops when so many of its six checks in a row found nothing better; 0 = it never
            stops.
        keep: "helpful" = what does not find damage better on held-out maps is undone; "all" = nothing is.
        seed: Of weights, order and the damage that is drawn.
        device: "auto", "cpu" or "cuda".

    Raises:
        InputError: A value that is not allowed.
    """

    max_steps: int = 200
    batch_size: int = 16
    learning_rate: float = 4e-3
    patience: int = 3
    keep: str = "helpful"
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        check_whole(2, batch_size=self.batch_size)
        check_device(self.device)
