"""What an export needs of a detector that is a network: each such detector declares it by ``network_parts``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from toothwise.detectors.severity_scale import ContrastScale


@dataclass(frozen=True, eq=False)
class NetworkParts:
    """A fitted network and what surrounds it.

    Attributes:
        network: Images ``[n, 3, h, w]`` -> score and anomaly map; one that ``judges`` gives its severity as well.
        images: Maker of the images, or of what else the network takes.
        encoder: The frozen part, whose weights are not in the detector's state.
        hashed_by_file: The encoder is known by the sha256 of its file, else by that of its weights.
        patch: Pixels of a token ``(h, w)``, of networks whose anomaly map can be read off the tokens.
        judges: As said of ``network``.
        on_maps: The network takes maps, not images.
        head, contrast: The module whose severity head listens while the network runs, and the scale of what it says.
        healthy: Scores and severities of healthy maps ``[2, n]`` where ranks among them make the score.
    """

    network: Any
    images: Any
    encoder: nn.Module | None = None
    hashed_by_file: bool = False
    patch: tuple[int, int] | None = None
    judges: bool = False
    on_maps: bool = False
    head: Any = None
    contrast: ContrastScale | None = None
    healthy: np.ndarray | None = None
