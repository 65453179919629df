"""Pictures of a trial by file name; drawn in the process of the trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from toothwise.detectors.dinomaly.attention_view import AttentionView

__all__ = ["draw_trial"]


def draw_trial(examples: Mapping[str, np.ndarray], view: AttentionView | None) -> dict[str, bytes]:
    """A few maps; where the detector has directional layers also what they attend to, on the first map.

    Args:
        examples: of the trial.
        view: of their ``maps``, or None.
    """
    from toothwise_lab.attention_picture import draw_layers, draw_map
    from toothwise_lab.trial_picture import draw_examples

    pictures = {"examples.png": draw_examples(examples)}
    if view is not None:
        pictures["attention_layers.png"] = draw_layers(view)
        pictures["attention_map_0.png"] = draw_map(view, examples["maps"], 0)
    return pictures
