"""Classical condition indicators of whole revolutions, as scores that alarms can be compared on."""

from __future__ import annotations

import numpy as np
from scipy.signal import hilbert

from toothwise.healthmap.deviation import trailing_mean
from toothwise.healthmap.tooth_by_record import RunMaps
from toothwise.vibration.components import split_revolutions
from toothwise.vibration.indicators import fm4, kurtosis, na4, rms
from toothwise.vibration.spectrum import order_spectrum

__all__ = ["indicator_scores"]


def indicator_scores(maps: RunMaps, *, smoothing: float) -> dict[str, np.ndarray]:
    """Indicators per record, float64 ``[n]`` each: logarithm, healthy median and spread, backward mean.

    RMS, kurtosis and NA4 are of the residual (mesh harmonics removed), FM4 of the difference (first sidebands of the
    gear removed too), "envelope 2x" is the squared envelope's amplitude at twice the rotation of the gear over its
    mean: a planet tooth meets sun and ring once each per turn.
    """
    records = maps.records
    parts = split_revolutions(records.vibration, records.teeth)
    residual = parts.residual
    envelope = np.abs(order_spectrum(np.abs(hilbert(residual, axis=1)) ** 2))
    series = {
        "RMS": rms(residual),
        "kurtosis": kurtosis(residual),
        "FM4": fm4(parts.difference),
        "NA4": na4(residual),
        "envelope 2x": envelope[:, 2] / (envelope[:, 0] / 2.0),
    }
    scores = {}
    for name, values in series.items():
        level = trailing_mean(np.log(np.maximum(values, 1e-12)), smoothing)
        centre = np.median(level[maps.healthy])
        spread = 1.4826 * np.median(np.abs(level[maps.healthy] - centre))
        scores[name] = (level - centre) / max(float(spread), 1e-12)
    return scores
