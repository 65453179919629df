"""Records whose noise is louder than what their teeth tell are turned by what repeats with every mate."""

import warnings

import numpy as np
import pytest

from toothwise.errors import SignalWarning
from toothwise.healthmap.waveform import HealthyWaveform

TEETH, SAMPLES = (13, 22), 8
EVENTS = TEETH[0] * TEETH[1]


def noisy(n: int, seed: int, strength: float, noise: float) -> tuple[list[np.ndarray], list[int]]:
    """Records of a gear pair at places that are drawn, by whole turns of the driving gear as its pulses leave open."""
    rng = np.random.default_rng(seed)
    event = np.arange(EVENTS)
    # each tooth of either gear has a waveform of its own, over a mesh that all share
    own = [strength * rng.standard_normal((teeth, SAMPLES)) for teeth in TEETH]
    mesh = np.sin(2 * np.pi * np.arange(SAMPLES) / SAMPLES)
    signal = (mesh + own[0][event % TEETH[0]] + own[1][event % TEETH[1]]).reshape(-1)
    begins = [0, *(int(k) * TEETH[0] for k in rng.integers(TEETH[1], size=n - 1))]
    return [np.roll(signal, k * SAMPLES) + noise * rng.standard_normal(signal.size) for k in begins], begins


def learn(signals: list[np.ndarray]) -> HealthyWaveform:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SignalWarning)
        return HealthyWaveform.learn(signals, SAMPLES, [float(TEETH[0])] * len(signals), TEETH)


@pytest.mark.parametrize("noise", [0.5, 1.5])
def test_what_the_teeth_of_either_gear_repeat_places_a_noisy_record(noise):
    signals, begins = noisy(10, 1, 0.3, noise)
    found = learn(signals)
    assert found.used == tuple(range(10))
    assert [round(place) % EVENTS for place in found.places] == begins


def test_a_record_is_turned_onto_a_waveform_of_one_record():
    signals, begins = noisy(2, 2, 0.3, 1.5)
    first = HealthyWaveform(signals[0], SAMPLES, 1, np.ones(len(signals[0]) // 2 + 1))
    turn = first.turn(signals[1], float(TEETH[0]), TEETH)
    assert turn.sure
    assert turn.events % EVENTS == begins[1]
    there = np.roll(signals[1], -begins[1] * SAMPLES)
    assert turn.correlation == pytest.approx(np.corrcoef(there, signals[0])[0, 1], abs=0.05)  # of all of the waveform


def test_records_that_tell_nothing_of_their_teeth_are_at_no_sure_place():
    sure = 0
    for seed in range(20):
        signals, _ = noisy(4, seed, 0.0, 0.5)
        sure += len(learn(signals).used) - 1
    assert sure == 0


def test_a_sure_place_is_the_right_one():
    """Teeth that differ ever less: what is taken is right, and the rest is left out."""
    taken = 0
    for seed, strength in enumerate((0.3, 0.25, 0.2, 0.15, 0.1, 0.05)):
        signals, begins = noisy(6, 100 + seed, strength, 1.0)
        found = learn(signals)
        taken += len(found.used) - 1
        assert [round(place) % EVENTS for place in found.places] == [begins[k] for k in found.used]
    assert 5 <= taken < 30
