"""The options of Dinomaly, written once: its detectors, its anomalib modules and its networks take them by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toothwise.checks import check_choice, check_whole
from toothwise.detectors.embedded import EMBEDDED
from toothwise.errors import InputError

__all__ = ["DinomalyOptions", "NetworkOptions"]


@dataclass(frozen=True)
class DinomalyOptions:
    """What a detector and its network share.

    Attributes:
        encoder_name: The frozen encoder; see FrozenEncoder.
        weights: Its weights: a .safetensors file, "random", or None for those that FrozenEncoder finds.
        directional_layers: Decoder layers with directional attention, 0 = next to the bottleneck; empty = Dinomaly.
        axis, mix, alpha, alpha_per, exclude: Of DirectionalLinearAttention.
        prefix: Likewise; with "drop" class and register tokens do not enter the decoder at all.
        loss: "hard" = Dinomaly's hard mining; "tail" = see TopTailLoss.
        tail: Share of tokens for loss "tail".
        recentre: What is subtracted from the features to rebuild: "none", "class" = the class token, or "mean" = the
            mean of the grid's tokens, so that what a whole map shares (its level, its session) needs no rebuilding.

    Raises:
        InputError: A loss or recentre that is not allowed.
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

    def __post_init__(self) -> None:
        check_choice(("hard", "tail"), loss=self.loss)
        check_choice(("none", "class", "mean"), recentre=self.recentre)


@dataclass(frozen=True)
class NetworkOptions(DinomalyOptions):
    """What the network takes besides; detectors leave it at the published values.

    Attributes:
        decoder_depth: Number of decoder layers, 2 or more.
        bottleneck_dropout: Dropout of the bottleneck.
        target_layers: Blocks of the encoder whose features are rebuilt; see FrozenEncoder.
        fuse_encoder, fuse_decoder: Groups of indices into the target layers and into the decoder layers (last layer
            first) whose features are averaged and compared, group by group; None = first and second half.
        mining_steps: Steps over which the hard-mining share rises to 90 %.

    Raises:
        InputError: A decoder that is too shallow, or directional layers beyond it.
    """

    decoder_depth: int = 8
    bottleneck_dropout: float = 0.2
    target_layers: list[int] | None = None
    fuse_encoder: list[list[int]] | None = None
    fuse_decoder: list[list[int]] | None = None
    mining_steps: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(2, decoder_depth=self.decoder_depth)
        wrong = [i for i in self.directional_layers if not 0 <= i < self.decoder_depth]
        if wrong:
            raise InputError(f"directional_layers must be between 0 and {self.decoder_depth - 1}, but got {wrong}")
