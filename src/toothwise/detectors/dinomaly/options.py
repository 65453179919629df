"""The options of Dinomaly, written once: its detectors, its anomalib modules and its networks take them by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toothwise.checks import check_choice, check_whole
from toothwise.detectors.embedded import EMBEDDED
from toothwise.errors import InputError

DEPTH = 8  # decoder layers of the published network


@dataclass(frozen=True)
class DinomalyOptions:
    """What a detector and its network share.

    Attributes:
        encoder_name: The frozen encoder: the one of the package, or a vision transformer of timm by its name.
        weights: Weights of the encoder: a .safetensors file; None = those of the package, or a file in the folder
            TOOTHWISE_WEIGHTS; "hub" = the hub of timm is asked; "random" = for tests.
        directional_layers: Decoder layers with directional attention, 0 = next to the bottleneck; empty = Dinomaly.
        axis: Where a token of a directional layer looks: along its column ("y"), along its row ("x"), or "both".
        mix: With axis "both", how the two are mixed: "learned" (one weight), "fixed", or "adaptive" (a linear function
            of the token).
        alpha (weight): Weight of axis y at the start; 0 and 1 only with mix "fixed".
        alpha_per: "layer" (one weight) or "head" (one for each head).
        exclude (tokens): Neighbours on each side, itself included, that a token does not attend to on its line (0 =
            itself alone), so that a damaged row cannot rebuild itself; None = it attends to all.
        prefix: Class and register tokens of the encoder: "context" = every line attends to them, "drop" = they do not
            enter the decoder.
        loss: "hard" = the hard mining of Dinomaly; "tail" = the mean over the worst tokens (TopTailLoss).
        tail (share): With loss "tail": share of the tokens that count.
        recentre: What is subtracted from the features to rebuild: "none", "class" = the class token, or "mean" = the
            mean of the grid's tokens, so that what a whole map shares (its level, its session) needs no rebuilding.
        decoder_depth (layers): Number of decoder layers, 2 or more; None = 8, as published, but 2 where maps are
            learned without directional layers and with another encoder than the package's (study fewer_layers).

    Raises:
        InputError: A loss or recentre that is not allowed, a decoder that is too shallow, or directional layers beyond
            it.
    """

    encoder_name: str = EMBEDDED
    weights: str | None = None
    directional_layers: Sequence[int] = (0, 1, 2)
    axis: str = "both"
    mix: str = "learned"
    alpha: float = 0.5
    alpha_per: str = "layer"
    prefix: str = "context"
    exclude: int | None = None
    loss: str = "hard"
    tail: float = 0.05
    recentre: str = "none"
    decoder_depth: int | None = None

    def __post_init__(self) -> None:
        check_choice(("hard", "tail"), loss=self.loss)
        check_choice(("none", "class", "mean"), recentre=self.recentre)
        check_whole(2, decoder_depth=self.depth)
        if wrong := [i for i in self.directional_layers if not 0 <= i < self.depth]:
            raise InputError(f"directional_layers must be between 0 and {self.depth - 1}, but got {wrong}")

    @property
    def depth(self) -> int:
        """Number of decoder layers; those of the published network where none was asked for."""
        return DEPTH if self.decoder_depth is None else self.decoder_depth


@dataclass(frozen=True)
class NetworkOptions(DinomalyOptions):
    """What the network takes besides; detectors leave it at the published values.

    Attributes:
        mining_steps (steps): Steps over which the hard-mining share rises to 90 %.
    """

    mining_steps: int = 1000
