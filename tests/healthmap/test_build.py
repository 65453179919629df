"""Maps from signals whose tooth amplitudes are known, and recordings that cannot become one."""

import warnings

import numpy as np
import pytest

from toothwise import GearPair, PlanetaryStage, build_map
from toothwise.errors import InputError, SignalWarning
from toothwise.gears import GearTrain, TrainStage
from toothwise.healthmap.build import MapConfig, made_map
from toothwise.vibration.angle import angle_from_pulses
from toothwise.vibration.periods import cut_periods, mesh_visibility
from toothwise.vibration.records import Tachometer, VibrationRecord
from toothwise.vibration.tacholess import tacholess_angle

PAIR = GearPair(7, 11)
STAGE = PlanetaryStage(14, 11, 36, 3)  # hunting: 11 and 36 share no divisor


def _record(gears, signal, *, periods=4, speed=10.0, rate=20_000.0, noise=0.0, seed=0, slow=0.03, extra=0.6):
    """A record whose vibration is ``signal(mesh events)``, at a speed that fluctuates; pulses once per revolution."""
    revolutions = periods * gears.hunting_revolutions + extra
    t = np.arange(int(revolutions / speed * rate * 1.02)) / rate
    turned = speed * (t + slow / (2 * np.pi * 0.7) * np.sin(2 * np.pi * 0.7 * t))
    events = turned * gears.hunting_period / gears.hunting_revolutions
    x = signal(events) + noise * np.random.default_rng(seed).standard_normal(len(t))
    pulses = np.interp(np.arange(int(turned[-1]) + 1), turned, t)
    shaft = "driving" if isinstance(gears, GearPair) else "carrier"
    return VibrationRecord({"x": x}, rate, Tachometer("times", pulses, shaft=shaft), unit="g")


RING = np.sqrt(3 / 16)  # RMS of _ring over a tooth


def _ring(within, cycles=12):
    return np.sin(np.pi * within) ** 2 * np.cos(2 * np.pi * cycles * within)


def _tooth_pairs(gears, amplitude, cycles=12):
    """Every mesh event rings with the amplitude of its pair, swelling and fading within its tooth."""

    def signal(events):
        m = np.floor(events).astype(int)
        return amplitude[gears.pair_at(m)] * _ring(events - m, cycles)

    return signal


def test_known_amplitudes_give_that_map_to_1_percent():
    amplitude = np.random.default_rng(0).uniform(0.5, 2.0, (7, 11))
    record = _record(PAIR, _tooth_pairs(PAIR, amplitude))
    made = build_map(record, PAIR, signal="average", window="rectangular")
    np.testing.assert_allclose(made.values, amplitude * RING, rtol=0.01)
    assert made.count.min() == made.count.max() == 4
    assert made.quantity == "rms of average"
    assert made.unit == "g"
    assert made.provenance["hunting_periods"] == 4
    assert made.rows.name == "driving tooth"
    peak = build_map(record, PAIR, signal="average", window="rectangular", quantity="peak")
    np.testing.assert_allclose(peak.values, amplitude, rtol=0.02)
    energy = build_map(record, PAIR, signal="average", window="rectangular", quantity="energy")
    np.testing.assert_allclose(energy.values, (amplitude * RING) ** 2, rtol=0.02)
    assert energy.unit == "g^2"


def test_gears_that_do_not_hunt_leave_the_other_pixels_empty():
    pair = GearPair(6, 9)
    amplitude = np.random.default_rng(1).uniform(0.5, 2.0, (6, 9))
    made = build_map(_record(pair, _tooth_pairs(pair, amplitude)), pair, signal="average", window="rectangular")
    met = np.zeros((6, 9), dtype=bool)
    met[pair.pair_at(np.arange(pair.hunting_period))] = True
    np.testing.assert_array_equal(np.isfinite(made.values), met)
    np.testing.assert_allclose(made.values[met], (amplitude * RING)[met], rtol=0.01)
    assert (made.count[~met] == 0).all()


def test_regular_lines_vanish_from_the_difference_map():
    def regular(events):
        return np.cos(2 * np.pi * events) + np.cos(2 * np.pi * events / 7) + np.cos(2 * np.pi * events / 11)

    record = _record(PAIR, regular)
    average, difference = (build_map(record, PAIR, signal=s) for s in ("average", "difference"))
    assert 20 * np.log10(difference.values.max() / average.values.mean()) < -60


def test_noise_of_a_coherent_map_falls_with_the_root_of_the_periods_and_that_of_incoherent_maps_does_not():
    def silence(events):
        return 0.0 * events

    levels = {}
    for periods in (1, 16):
        record = _record(PAIR, silence, periods=periods, noise=1.0, slow=0.0, rate=4000.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SignalWarning)  # no mesh in noise
            for average in ("coherent", "incoherent"):
                made = build_map(record, PAIR, signal="average", quantity="energy", average=average)
                levels[average, periods] = np.sqrt(made.values.mean())
    assert levels["coherent", 1] / levels["coherent", 16] == pytest.approx(4.0, rel=0.05)
    assert levels["incoherent", 1] / levels["incoherent", 16] == pytest.approx(1.0, rel=0.05)


def test_variance_over_the_periods():
    amplitude = np.ones((7, 11))
    steady = build_map(_record(PAIR, _tooth_pairs(PAIR, amplitude)), PAIR, signal="average")
    noisy = build_map(_record(PAIR, _tooth_pairs(PAIR, amplitude), noise=0.5), PAIR, signal="average")
    assert np.sqrt(steady.variance.mean()) < 0.02 * np.sqrt(noisy.variance.mean())
    one = build_map(_record(PAIR, _tooth_pairs(PAIR, amplitude)), PAIR, periods=1)
    assert np.isnan(one.variance).all()


@pytest.mark.parametrize("planet", [0, 1, 2])
def test_planets_have_maps_of_their_own(planet):
    """Each planet rings by its own tooth pair; only while it passes the sensor is it heard."""
    rng = np.random.default_rng(2)
    amplitude = rng.uniform(0.5, 2.0, (3, 11))  # per planet and planet tooth

    def signal(events):
        x = np.zeros(len(events))
        for p in range(3):
            own = events - STAGE.spacing[p] * 36
            m = np.floor(own).astype(int)
            near = np.abs((own / 36 + 0.5) % 1.0 - 0.5) * 36 < 4
            x += near * amplitude[p][m % 11] * _ring(own - m)
        return x

    record = _record(STAGE, signal, rate=40_000.0)
    made = build_map(record, STAGE, signal="average", window="rectangular", planet=planet, sensor_reach=2)
    heard = np.isfinite(made.values)
    assert heard[:, [0, 1, 2, 34, 35]].all()
    assert not heard[:, 3:34].any()
    expected = np.broadcast_to(amplitude[planet][:, None] * RING, (11, 36))
    np.testing.assert_allclose(made.values[heard], expected[heard], rtol=0.02)
    assert made.rows.name == "planet tooth"


@pytest.mark.parametrize("gear", ["driving", "driven"])
def test_tooth_by_revolution(gear):
    pair = GearPair(6, 9)
    teeth = getattr(pair, gear)
    strength = np.random.default_rng(3).uniform(0.5, 2.0, teeth)

    def signal(events):
        m = np.floor(events).astype(int)
        return strength[m % teeth] * _ring(events - m)

    config = MapConfig(signal="average", window="rectangular", revolutions=None, gear=gear)
    made = made_map(_record(pair, signal), pair, config, by_revolution=True)
    assert made.shape == (teeth, 4 * 18 // teeth)
    np.testing.assert_allclose(made.values, np.tile(strength[:, None] * RING, made.shape[1]), rtol=0.01)
    with pytest.raises(InputError, match="gear must be one of 'driving', 'driven'"):
        made_map(_record(pair, signal), pair, MapConfig(gear="sun"), by_revolution=True)


def test_a_stage_of_a_train_from_another_shafts_tachometer():
    """The tachometer turns with the input; the second stage is mapped."""
    first, second = GearPair(10, 20), PAIR
    train = GearTrain((TrainStage("a", first, ("in", "mid")), TrainStage("b", second, ("mid", "out"))))
    amplitude = np.random.default_rng(4).uniform(0.5, 2.0, (7, 11))
    own = _record(PAIR, _tooth_pairs(PAIR, amplitude), slow=0.0)
    pulses = own.tacho.values
    halves = np.sort(np.concatenate([pulses, 0.5 * (pulses[1:] + pulses[:-1])]))
    record = VibrationRecord(own.channels, own.sampling_rate, Tachometer("times", halves, shaft="in"), "g")
    made = build_map(record, train, stage="b", signal="average", window="rectangular")
    np.testing.assert_allclose(made.values, amplitude * RING, rtol=0.02)
    half = VibrationRecord(own.channels, own.sampling_rate, Tachometer("times", pulses[::2], ratio=2.0), "g")
    made = build_map(half, PAIR, signal="average", window="rectangular")
    np.testing.assert_allclose(made.values, amplitude * RING, rtol=0.02)


def test_pulses_after_the_start_and_a_waveform_tachometer():
    amplitude = np.random.default_rng(5).uniform(0.5, 2.0, (7, 11))
    own = _record(PAIR, _tooth_pairs(PAIR, amplitude), extra=1.2)
    n, rate = own.samples, own.sampling_rate
    lead = 137
    wave = np.zeros(n + lead)
    for at in own.tacho.values:
        k = int(np.ceil(at * rate)) + lead
        wave[k : k + 40] = 5.0
        if k > 0:
            wave[k - 1] = 5.0 * (k - lead - at * rate) * 0.5 if at > 0 else 0.0
    x = np.concatenate([np.zeros(lead), own.channels["x"]])
    record = VibrationRecord({"x": x}, rate, Tachometer("waveform", wave), "g")
    made = build_map(record, PAIR, signal="average", window="rectangular")
    np.testing.assert_allclose(made.values, amplitude * RING, rtol=0.05)


def test_provenance_repeats_the_map():
    record = _record(PAIR, np.cos, noise=0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SignalWarning)
        one = build_map(record, PAIR, signal="residual", window="tukey", overlap=0.3, num_harmonics=3)
        again = build_map(record, PAIR, MapConfig(**one.provenance["config"]))
    np.testing.assert_array_equal(one.values, again.values)


def test_bad_recordings():
    record = _record(PAIR, lambda m: np.cos(2 * np.pi * m))

    def with_(**changes):
        fields = {"channels": record.channels, "sampling_rate": record.sampling_rate, "tacho": record.tacho}
        return VibrationRecord(**(fields | changes))

    x = record.channels["x"]
    with pytest.raises(InputError, match=r"too short: one hunting period of 7/11 teeth .* takes 11 revolutions"):
        build_map(with_(channels={"x": x[: len(x) // 6]}), PAIR)
    with pytest.raises(InputError, match="'x' is constant"):
        build_map(with_(channels={"x": np.ones(len(x))}), PAIR)
    with pytest.raises(InputError, match="there is no tachometer"):
        build_map(with_(tacho=None), PAIR)
    with pytest.raises(InputError, match="is flat"):
        build_map(with_(tacho=Tachometer("waveform", np.zeros(len(x)))), PAIR)
    with pytest.raises(InputError, match="no channel 'y': the channels are x"):
        build_map(record, PAIR, channel="y")
    with pytest.raises(InputError, match="NaN or infinite samples lie in every hunting period"):
        build_map(with_(channels={"x": np.where(np.arange(len(x)) % 5000 == 0, np.nan, x)}), PAIR)
    with pytest.raises(InputError, match="signal must be one of"):
        build_map(record, PAIR, signal="raw")
    with pytest.raises(InputError, match="unknown option 'sginal'; did you mean 'signal'"):
        build_map(record, PAIR, sginal="raw")
    with pytest.raises(InputError, match="periods must be 1 to 4"):
        build_map(record, PAIR, periods=5)


def test_a_gap_costs_its_period_only():
    amplitude = np.random.default_rng(8).uniform(0.5, 2.0, (7, 11))
    record = _record(PAIR, _tooth_pairs(PAIR, amplitude))
    x = record.channels["x"].copy()
    x[len(x) // 2 : len(x) // 2 + 20] = np.nan
    gap = VibrationRecord({"x": x}, record.sampling_rate, record.tacho, "g")
    with pytest.warns(SignalWarning, match="1 of 4 hunting periods hold NaN"):
        made = build_map(gap, PAIR, signal="average", window="rectangular")
    np.testing.assert_allclose(made.values, amplitude * RING, rtol=0.01)
    assert made.provenance["periods_left_out"] == 1


def test_a_mesh_that_is_not_heard_is_told():
    record = _record(PAIR, lambda m: 0.3 * np.cos(2 * np.pi * m), noise=0.3)
    assert mesh_visibility(cut_periods(record, PAIR)) > 10
    wrong = VibrationRecord(record.channels, record.sampling_rate * 1.13, record.tacho)
    with pytest.warns(SignalWarning, match="is not heard"):
        build_map(wrong, PAIR)


def test_the_angle_may_come_from_elsewhere():
    record = _record(PAIR, lambda m: np.cos(2 * np.pi * m))
    bare = VibrationRecord(record.channels, record.sampling_rate)
    angle = angle_from_pulses(record.tacho.values)
    np.testing.assert_array_equal(build_map(bare, PAIR, angle=angle).values, build_map(record, PAIR).values)


def test_a_map_without_a_tachometer_is_right_but_for_its_tooth_zero():
    amplitude = np.random.default_rng(9).uniform(0.5, 2.0, (7, 11))

    def signal(events):
        return _tooth_pairs(PAIR, amplitude)(events) + 4 * np.cos(2 * np.pi * events)

    record = _record(PAIR, signal, periods=6)
    reference = build_map(record, PAIR)
    angle = tacholess_angle(record.channels["x"], record.sampling_rate, 7, (9.0, 11.0))
    assert angle.quality > 0.8
    made = build_map(VibrationRecord(record.channels, record.sampling_rate, unit="g"), PAIR, angle=angle)
    assert {zero["known"] for zero in made.provenance["tooth_zero"].values()} == {"unknown"}
    turned = [np.roll(made.values, shift, (0, 1)) for shift in np.ndindex(made.shape)]
    off = [np.quantile(np.abs(values / reference.values - 1), 0.9) for values in turned]
    assert min(off) < 0.4 < sorted(off)[1]
