"""Health maps: what they are, how they are built, read and written."""

from toothwise.healthmap.core import Axis, HealthMap, HealthMapBatch

__all__ = ["Axis", "HealthMap", "HealthMapBatch"]
