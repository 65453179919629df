"""Streaks of a changing speed are no transient, and no tooth, beyond the stated rate."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

import toothwise
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.speed import SpeedProfile

LEARNED, JUDGED = 24, 80
PAIRS = [(13, 22), (14, 23), (16, 25), (17, 26), (19, 28)]


@pytest.mark.full
@pytest.mark.parametrize("detector", ["scan", "coherent"])
def test_a_speed_that_changes_within_healthy_recordings_makes_no_transient_and_no_tooth(detector):
    seen, rate = [], 0.0
    for number, (kind, variation) in enumerate(
        [("fluctuation", 0.02), ("fluctuation", 0.1), ("fluctuation", 0.2), ("ramp", 0.05), ("ramp", 0.2)]
    ):
        pair = toothwise.GearPair(*PAIRS[number])
        config = GearboxConfig(gears=pair, periods=2, sampling_rate=12800.0, seed=number)
        config = replace(config, speed=SpeedProfile(20.0, kind, variation))
        records = [simulate_record(config, [], seed=k)[0] for k in range(LEARNED + JUDGED)]
        healthy = records[:LEARNED]
        builder = toothwise.MapBuilder.learn(pair, healthy) if detector == "coherent" else toothwise.MapBuilder(pair)
        model = toothwise.Model.fit(healthy, detector=detector, builder=builder)
        monitor = toothwise.Monitor(model)
        rate = max(rate, monitor.limits().single_rate)
        batch = model.maps_of(records[LEARNED:])[0]
        seen += [one.pattern for one in monitor.alone(batch) if one.colour != "UNKNOWN"]
    assert len(seen) >= 0.9 * 5 * JUDGED
    most = binom.ppf(0.999, len(seen), rate)  # of all patterns together; a share of it is for transients
    assert np.sum([pattern == "transient" for pattern in seen]) <= most
    assert np.sum([pattern.endswith(("tooth", "teeth")) for pattern in seen]) <= most
