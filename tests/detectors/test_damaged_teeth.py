"""Which teeth are damaged is told by what they predict through the orders that are left, not by the loudest mesh."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest

from toothwise import GearPair, MapBuilder, Model, Monitor, VibrationRecord
from toothwise.detectors.coherent.damaged_teeth import damaged_teeth
from toothwise.diagnosis.decompose import decompose
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.speed import SpeedProfile

SHAPE = (17, 29, 24)


def period(sizes: dict[int, float], axis: int, noise: float = 1.0, rings: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A hunting period in which teeth push by so much, without the orders beside each mesh harmonic; and its scatter.

    ``rings``: meshes by which what a tooth does dies away after it.
    """
    teeth, samples = SHAPE[axis - 1], SHAPE[2]
    turns, size = SHAPE[2 - axis], SHAPE[0] * SHAPE[1] * samples
    at = np.arange(teeth * samples)
    push = sum(height * (at // samples == tooth) for tooth, height in sizes.items()) * np.ones(at.size)
    signal = push * np.sin(np.pi * (at % samples) / samples) ** 2 * np.cos(0.7 * (at % samples))
    if rings:
        answer = np.exp(-at / (rings * samples)) * np.sin(2.0 * at)
        signal = np.fft.irfft(np.fft.rfft(signal) * np.fft.rfft(answer), at.size)
    signal = 3.0 * signal / max(np.abs(signal).max(), 1e-9) + np.zeros(at.size)
    x = np.tile(signal, turns) + noise * np.random.default_rng(7).standard_normal(size)
    order = np.arange(size // 2 + 1) / turns  # of the gear's shaft
    there = np.abs(order - teeth * np.round(order / teeth)) > 3.5
    return np.fft.irfft(np.fft.rfft(x) * there, size), there * float(size)


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize(
    "sizes",
    [
        {4: 1.0},
        {16: 1.0},
        {4: 1.0, 5: 1.0},
        {4: 1.0, 6: 0.6},
        {4: 1.0, 7: 1.0},
        {4: 1.0, 5: 0.7, 6: 0.9},
        {14: 1.0, 15: 1.0, 16: 1.0},
        dict.fromkeys(range(3, 9), 1.0),
    ],
)
def test_the_teeth_that_push_are_found(sizes, axis):
    assert damaged_teeth(*period(sizes, axis), SHAPE, axis)[0] == tuple(sizes)


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("sizes", [{5: 1.0}, {5: 1.0, 6: 1.0, 7: 1.0}, {5: 1.0, 7: 1.0}])
def test_a_housing_that_rings_on_into_the_next_mesh_is_no_next_tooth(sizes, axis):
    assert damaged_teeth(*period(sizes, axis, rings=0.8), SHAPE, axis)[0] == tuple(sizes)


@pytest.mark.parametrize("sizes", [{}, {1: 1.0, 4: 0.8, 9: 1.1, 12: 0.9, 15: 1.0}])
def test_where_no_few_teeth_explain_it_nothing_is_said(sizes):
    assert damaged_teeth(*period(sizes, 1), SHAPE, 1) == ((), 1)


@pytest.fixture(scope="module")
def fast() -> tuple[GearboxConfig, Model]:
    # meshes pass in 1.5 ms; the housing needs that long to answer: the next mesh is the louder one
    config = GearboxConfig(gears=GearPair(17, 30), periods=3, sampling_rate=12_800.0, speed=SpeedProfile(mean=40.0))
    healthy = [simulate_record(config, seed=seed)[0] for seed in range(8)]
    return config, Model.fit(healthy, builder=MapBuilder.learn(config.gears, healthy))


def cracked(config: GearboxConfig, gear: str, teeth: list[int], seed: int) -> VibrationRecord:
    return simulate_record(config, [Fault("crack", gear, tooth, 0.7) for tooth in teeth], seed=seed)[0]


@pytest.mark.parametrize("teeth", [[5], [5, 7], [5, 6, 7]])
@pytest.mark.parametrize("gear", ["driving", "driven"])
def test_a_crack_at_a_high_speed_is_not_told_at_the_next_tooth(fast, gear, teeth):
    config, model = fast
    told = Monitor(model).add([cracked(config, gear, teeth, 100 + k) for k in range(2)])
    assert (told.colour, {(t.gear, t.tooth) for t in told.teeth}) == ("RED", {(gear, t) for t in teeth})


@pytest.mark.parametrize("teeth", [[5], [5, 7], [5, 6, 7]])
@pytest.mark.parametrize("gear", ["driving", "driven"])
def test_the_teeth_that_are_named_have_all_the_evidence_that_the_loudest_mesh_had(fast, gear, teeth):
    config, model = fast
    maps = model.maps_of([cracked(config, gear, teeth, 100)])[0]
    first = model.detector.predict(maps.waveforms)
    loudest = (first.row_evidence if gear == "driving" else first.column_evidence)[0].max()
    found = decompose(maps.values, model.detector, model.reference, rate=0.01, waveforms=maps.waveforms)
    own = found.evidence[1 if gear == "driving" else 2][0]
    np.testing.assert_array_equal(own[teeth], loudest)
    assert np.delete(own, [*teeth, *(t + 1 for t in teeth), *(t - 1 for t in teeth)]).max() < loudest


@pytest.mark.full
@pytest.mark.parametrize("gears", [(19, 33), (24, 37)])
def test_what_is_said_of_cracks_at_four_speeds(gears):
    counts: Counter[tuple[str, str]] = Counter()
    for speed, (gear, teeth) in product((10.0, 20.0, 40.0, 60.0), enumerate(gears)):
        config = GearboxConfig(
            gears=GearPair(*gears), periods=3, sampling_rate=12_800.0, speed=SpeedProfile(mean=speed)
        )
        healthy = [simulate_record(config, seed=seed)[0] for seed in range(10)]
        model = Model.fit(healthy, builder=MapBuilder.learn(config.gears, healthy))
        name = ("driving", "driven")[gear]
        for steps, severity in product([(0,), (0, 1), (0, 2), (0, 1, 2)], (0.3, 0.7)):
            damaged = {(7 + step) % teeth for step in steps}
            faults = [Fault("crack", name, tooth, severity) for tooth in damaged]
            for k in range(2):
                told = Monitor(model).add([simulate_record(config, faults, seed=100 + k)[0]])
                named = {t.tooth if t.gear == name else None for t in told.teeth}
                what = "all" if named == damaged else "some" if named < damaged else "a sound one"
                counts[f"cracks {steps}", f"{told.colour}, {what if named else 'none'}"] += 1
    for (kind, said), n in sorted(counts.items()):
        print(f"{gears}: {kind}: {said}: {n}")  # noqa: T201
    assert sum(n for (_, said), n in counts.items() if "sound" in said) <= 8  # of 128
    assert sum(n for (kind, said), n in counts.items() if kind == "cracks (0,)" and "sound" in said) <= 2  # of 32
