"""Model: a detector with everything that it was fitted on and with, in one folder."""

from __future__ import annotations

from toothwise.model.about import MapsAbout
from toothwise.model.model import Model

__all__ = ["MapsAbout", "Model"]
