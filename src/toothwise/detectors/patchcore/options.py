"""The options of PatchCore's model, written once: its detector, anomalib module and network take them by name."""

from __future__ import annotations

from dataclasses import dataclass

from toothwise.checks import check_choice, check_range, check_whole


@dataclass(frozen=True)
class PatchcoreOptions:
    """What patches are compared with.

    Attributes:
        context: "none"; "row", "column" or "both" = each patch's features are joined with those of its neighbours in
            that direction (a faint line is seen by many patches at once, a speck is not).
        reach (patches): Neighbours on each side.
        position (weight): Weight of the patch's place in the distance; 1 = patches a whole map apart are as far from
            each other as two unrelated patches. 0 = a patch may be compared with healthy ones from anywhere, right
            where tooth zero of maps is not aligned.
        num_neighbors (patches): Healthy patches that weigh the image's score, 1 = the farthest patch's distance as it
            is.
        max_patches (patches): Healthy patches, drawn at random, of which the coreset is chosen; bounds memory and time.

    Raises:
        InputError: A value that is not allowed.
    """

    context: str = "none"
    reach: int = 1
    position: float = 0.0
    num_neighbors: int = 9
    max_patches: int = 20_000

    def __post_init__(self) -> None:
        check_choice(("none", "row", "column", "both"), context=self.context)
        check_whole(1, num_neighbors=self.num_neighbors, reach=self.reach)
        check_whole(10, max_patches=self.max_patches)
        check_range("[0, inf)", position=self.position)
