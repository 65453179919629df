"""Coherent deviation of mesh waveforms on the scale of healthy scatter."""

from toothwise.detectors.coherent.detector import Coherent

__all__ = ["Coherent"]
