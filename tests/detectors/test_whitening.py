"""Bands that are louder than usual are brought down to the others; teeth stay what they are."""

from dataclasses import replace

import numpy as np
import pytest

from toothwise import GearPair, MapBuilder, Model, Monitor
from toothwise.detectors.coherent.whitening import evened
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.speed import SpeedProfile

SHAPE, SAMPLES = (9, 14), 8
SIZE = SHAPE[0] * SHAPE[1] * SAMPLES
EVENLY = np.ones(SIZE // 2 + 1)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((20, SIZE))


def test_a_record_without_anything_stays_without():
    assert (evened(np.zeros((1, SIZE)), EVENLY, SHAPE) == 0.0).all()


def test_even_records_stay_nearly_as_they_are():
    assert np.std(evened(noise(1), EVENLY, SHAPE) - noise(1)) < 0.15


@pytest.mark.parametrize(("first", "last"), [(0, 60), (200, 260), (440, 505)])
def test_a_loud_band_comes_down_to_the_others(first, last):
    spectrum = np.fft.rfft(noise(2))
    spectrum[:, first:last] *= 5.0
    power = np.abs(np.fft.rfft(evened(np.fft.irfft(spectrum), EVENLY, SHAPE))) ** 2
    inside = power[:, first + 16 : last - 16].mean()
    assert inside < 2.0 * np.delete(power, slice(max(first - 16, 0), last + 16), axis=1).mean()


@pytest.mark.parametrize("teeth", SHAPE)
def test_a_tooth_that_is_alike_at_all_mates_stays(teeth):
    x = np.zeros((1, SIZE // SAMPLES, SAMPLES))
    x[:, 3::teeth] = 20.0 * np.sin(2 * np.pi * 0.3 * np.arange(SAMPLES))
    x = x.reshape(1, SIZE)
    there = evened(noise(3)[:1] + x, EVENLY, SHAPE) - evened(noise(3)[:1], EVENLY, SHAPE)
    assert float(there[0] @ x[0]) > 0.9 * float(x[0] @ x[0])


@pytest.mark.full
def test_a_sharp_resonance_makes_no_tooth_when_the_speed_changes_a_little():
    modes = ((1463.0, 0.016, 0.8), (2053.0, 0.029, 0.8), (6398.0, 0.021, 0.8))
    config = GearboxConfig(gears=GearPair(14, 25), grade=8, modes=modes, runout=(9.0, 9.0), snr=6.7, seed=13917)
    config = replace(config, periods=3, start=None, lead=None)

    def records(count: int, seed: int, faults: list[Fault]) -> list:
        away = np.random.default_rng(seed).standard_normal((count, 2))
        speeds = (SpeedProfile(mean=21.0 * (1.0 + 0.01 * a), variation=0.02) for a, _ in away)
        own = (replace(config, speed=s, load=1.0 + 0.04 * b) for s, (_, b) in zip(speeds, away, strict=True))
        return [simulate_record(one, faults, seed=1000 * seed + k)[0] for k, one in enumerate(own)]

    found = []
    for seed in (1, 2, 3):
        learned = records(8, seed, [])
        monitor = Monitor(Model.fit(learned, builder=MapBuilder.learn(config.gears, learned)))
        healthy, _ = monitor.model.maps_of(records(60, 10 + seed, []))
        found += [one.colour for one in monitor.alone(healthy)]
        cracked = monitor.alone(monitor.model.maps_of(records(4, 20 + seed, [Fault("crack", "driving", 9, 0.6)]))[0])
        assert all(one.colour == "RED" for one in cracked)
        assert len({(one.gear, one.tooth) for one in cracked}) == 1
    assert found.count("RED") <= 1
    assert found.count("AMBER") <= 3
