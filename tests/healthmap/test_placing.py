"""A sensor that was turned round and a tachometer's mark that has moved are no damage."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from toothwise import GearPair, MapBuilder, build_map
from toothwise.errors import GearWarning
from toothwise.healthmap.build import MapConfig, learn_waveform
from toothwise.healthmap.conditions import not_learned
from toothwise.healthmap.placing import offset_of, place
from toothwise.healthmap.turning import turned
from toothwise.healthmap.waveform import HealthyWaveform
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.vibration.periods import cut_periods

SIXTEEN = MapConfig(samples_per_tooth=16)
TEETH, SPT = (13, 17), 16
EVENTS = TEETH[0] * TEETH[1]
RNG = np.random.default_rng(4)
VALUES = np.fft.irfft(np.fft.rfft(RNG.standard_normal(EVENTS * SPT))[: 4 * EVENTS], EVENTS * SPT)
WAVEFORM = HealthyWaveform(VALUES, SPT, 10, np.ones(len(VALUES) // 2 + 1))


def seen(events, *, noise=0.3, sign=1.0, seed=0):
    """A record that begins so many mesh events later than the waveform."""
    added = noise * np.std(VALUES) * np.random.default_rng(seed).standard_normal(len(VALUES))
    return sign * turned(VALUES, -events * SPT) + added


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("offset", [0.0, -0.08, 0.2, -0.45, 0.5, 5.3])
def test_the_place_is_found_at_either_sign_and_wherever_the_mark_is(sign, offset):
    found = place(WAVEFORM, seen(3 * 13 + offset, sign=sign), 13.0, TEETH)
    assert found.sure
    assert found.inverted == (sign < 0)
    assert found.events % EVENTS == pytest.approx(3 * 13 + offset, abs=0.01)
    assert found.offset == pytest.approx(offset, abs=0.01)


def test_a_record_at_its_place_stays_there():
    for noise in (0.1, 1.0, 2.0):
        found = place(WAVEFORM, seen(39, noise=noise), 13.0, TEETH)
        assert (found.events, found.offset, found.inverted) == (39, 0.0, False)
    found = place(WAVEFORM, seen(4.25), None, TEETH)
    assert (found.events, found.offset) == (4.25, 0.0)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_damaged_tooth_moves_nothing(axis):
    hit = np.repeat(np.arange(EVENTS) % TEETH[axis] == 5, SPT)
    burst = 6.0 * hit * np.std(VALUES) * np.sin(2 * np.pi * np.arange(len(VALUES)) * 3 / SPT)
    found = place(WAVEFORM, seen(0) + burst, 13.0, TEETH)
    assert (found.events, found.offset, found.inverted) == (0, 0.0, False)


def test_a_broken_tooth_that_rings_as_others_mesh_moves_nothing():
    """Of few teeth three ring: they correlate more with the waveform of other teeth than all others do at their own."""
    gears = GearPair(11, 16)
    config = GearboxConfig(gears=gears, periods=3, start=None, seed=1)
    builder = MapBuilder.learn(gears, [simulate_record(config, seed=k)[0] for k in range(6)])
    for depth, seed in ((0.7, 200), (0.8, 201)):
        broken, _ = simulate_record(config, [Fault("crack", "driving", 3, depth)], seed=seed)
        built = builder.build(broken)
        assert built.provenance["tooth_zero"]["driving"]["known"] == "index"
        assert int(built.values.mean(axis=1).argmax()) in (3, 4)


def test_what_damage_has_in_common_with_the_waveform_elsewhere_moves_nothing():
    noise = np.std(VALUES) * np.random.default_rng(9).standard_normal(len(VALUES))
    waveform = replace(WAVEFORM, conditions={"correlation": (0.13, 0.26)})  # healthy records are mostly noise
    signal = 0.12 * VALUES + 0.2 * turned(VALUES, -44.3 * SPT) + noise
    found = place(waveform, signal, 13.0, TEETH)
    assert (found.events, found.inverted) == (0, False)
    found = place(waveform, seen(44.3), 13.0, TEETH)  # one that is heard well there has moved
    assert found.events == pytest.approx(44.3, abs=0.01)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("offset", [0.2, 5.3])
def test_a_record_that_is_mostly_noise_is_found_by_what_repeats_with_every_mate(sign, offset):
    rng, event = np.random.default_rng(7), np.arange(EVENTS)
    own = [np.fft.irfft(np.fft.rfft(rng.standard_normal((n, SPT)))[:, :6], SPT) for n in TEETH]
    values = (own[0][event % TEETH[0]] + own[1][event % TEETH[1]]).reshape(-1)
    waveform = replace(WAVEFORM, values=values, conditions={"correlation": (0.12, 0.2)})
    for seed in range(5):
        noise = 5.0 * np.std(values) * np.random.default_rng(seed).standard_normal(values.size)
        found = place(waveform, sign * turned(values, -(26 + offset) * SPT) + noise, 13.0, TEETH)
        assert found.inverted == (sign < 0)
        assert found.events % EVENTS == pytest.approx(26 + offset, abs=0.05)
        assert place(waveform, turned(values, -26 * SPT) + noise, 13.0, TEETH).events == 26


def test_noise_is_placed_nowhere():
    for seed in range(5):
        found = place(WAVEFORM, np.random.default_rng(100 + seed).standard_normal(len(VALUES)), 13.0, TEETH)
        assert not found.sure
        assert (found.inverted, found.offset) == (False, 0.0)


@pytest.mark.parametrize("offset", [0.0, 0.004, -0.3, 0.49])
def test_an_offset_is_read_between_samples(offset):
    assert offset_of(WAVEFORM, turned(VALUES, -offset * SPT)) == pytest.approx(offset, abs=0.001)


@pytest.fixture(scope="module")
def learned():
    config = GearboxConfig(GearPair(9, 14), periods=4, sampling_rate=10_000.0, start=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GearWarning)
        made = [simulate_record(replace(config, start=None if k else 0), seed=k)[0] for k in range(6)]
        return config, learn_waveform([cut_periods(r, config.gears, samples_per_tooth=16) for r in made], SIXTEEN)


@pytest.mark.filterwarnings("ignore::toothwise.errors.GearWarning")
def test_what_was_changed_at_the_sensors_is_said_and_the_map_stays(learned):
    config, waveform = learned
    record, _ = simulate_record(config, seed=30)

    def made(record):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            one = build_map(record, config.gears, SIXTEEN, waveform=waveform)
        return one, " ".join(str(c.message) for c in caught)

    sound, said = made(record)
    assert "opposite" not in said
    assert "pulse comes" not in said
    other, said = made(replace(record, channels={"vibration": -record.channel()}))
    assert "the signal's sign is the opposite of the healthy recordings'" in said
    np.testing.assert_allclose(other.values, sound.values, rtol=1e-4)
    np.testing.assert_allclose(other.waveforms, sound.waveforms, atol=1e-4 * np.nanmax(np.abs(sound.waveforms)))

    late = 0.01 / config.speed.mean
    moved = replace(record.tacho, start=record.tacho.start + late)
    other, said = made(replace(record, tacho=moved))
    assert "degrees of the driving shaft (0.09 teeth) later than in the healthy recordings" in said
    assert other.provenance["turned"]["offset"] == pytest.approx(-0.09, abs=0.02)
    assert np.sqrt(np.nanmean(other.waveforms**2)) < 1.1 * np.sqrt(np.nanmean(sound.waveforms**2))
    assert "not_learned" not in other.condition


@pytest.mark.filterwarnings("ignore::toothwise.errors.GearWarning")
def test_a_record_at_no_place_is_all_noise_and_is_not_judged(learned):
    config, waveform = learned
    periods = cut_periods(simulate_record(config, seed=30)[0], config.gears, samples_per_tooth=16)
    level, noise = waveform.conditions["level"][1], waveform.conditions["noise"][1]
    assert noise < level
    nowhere = {"level": 0.02 * level, "noise": np.hypot(level, noise), "correlation": 0.02}
    assert not_learned(waveform.conditions, periods, nowhere).startswith("level")
    low = waveform.conditions["level"][0] / 3.0
    assert not_learned(waveform.conditions, periods, nowhere | {"level": low}).startswith("correlation")
    # noise that came on top explains it
    louder = {"level": 0.9 * level, "noise": 5.0 * level, "correlation": 0.17}
    assert not_learned(waveform.conditions, periods, louder) == ""
