"""Grids of trials: the benchmark of detectors on simulated maps."""
