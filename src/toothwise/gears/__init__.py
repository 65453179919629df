"""Gears and their tooth arithmetic: pairs, planetary stages and trains of them. No signal."""

from toothwise.gears.pair import GearPair
from toothwise.gears.planetary import PlanetaryStage
from toothwise.gears.train import GearTrain, TrainStage, read_gears, write_gears

__all__ = ["GearPair", "GearTrain", "PlanetaryStage", "TrainStage", "read_gears", "write_gears"]
