"""The simulated gearbox against what physics says of it."""

from dataclasses import replace

import numpy as np
import pytest

from toothwise import GearPair, PlanetaryStage
from toothwise.errors import InputError
from toothwise.simulate.faults import Fault, stiffness_drop
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.mesh import Flanks, draw_flanks, loaded_error
from toothwise.simulate.speed import SpeedProfile, draw_revolutions
from toothwise.simulate.tacho import TachoConfig
from toothwise.vibration.periods import cut_periods, mesh_visibility
from toothwise.vibration.pulse_repair import Marks, follow_pulses
from toothwise.vibration.tacho import find_pulses

QUIET = GearboxConfig(GearPair(9, 14), periods=4, snr=None, sampling_rate=10_000.0)


def _flat(teeth):
    zero = np.zeros(teeth)
    return Flanks(zero, zero, zero, zero)


def test_a_crack_gives_way_by_what_its_stiffness_says():
    """Perfect flanks, one pair alone in contact: F / k before, F / (k (1 - drop)) with the crack."""
    pair, load = GearPair(9, 14), 200.0
    sound = loaded_error(pair, _flat(9), _flat(14), np.zeros((9, 14)), load)
    fault = Fault("crack", "driving", 4, 0.6)
    broken = loaded_error(pair, _flat(9), _flat(14), np.zeros((9, 14)), load, faults=((fault, 0),))
    more = broken - sound
    more = (more - np.median(more)).reshape(-1, 64)  # means were removed: far from the tooth nothing changes
    middle = more[4, 31]  # event 4: tooth 4 at its pitch point, alone in contact
    assert middle == pytest.approx(load / 14.0 * 0.27 / 0.73, rel=0.02)
    events = np.flatnonzero(np.abs(more).max(axis=1) > 0.05)
    assert set(events % 9) <= {3, 4, 5}
    # where two pairs share the load alike, the mesh's stiffness falls by half of the pair's drop
    both = 2 * 14.0 * (1 - 0.3 * 0.625**2)
    assert more[4, 0] == pytest.approx(load / both * (0.135 / (1 - 0.135)), rel=0.05)


def test_stiffness_table():
    assert stiffness_drop(0.6) == 0.27
    assert stiffness_drop(0.55) == pytest.approx(0.235)
    with pytest.raises(InputError, match=r"depth_of_crack must be a number in \[0, 0.8\], but got 0.9"):
        Fault("crack", severity=0.9)


def test_pairs_repeat_after_a_hunting_period_and_teeth_differ():
    first, second = (draw_flanks(n, 7, np.random.default_rng(n)) for n in (9, 14))
    error = loaded_error(GearPair(9, 14), first, second, np.zeros((9, 14)), 200.0)
    assert len(error) == 126 * 64
    events = error.reshape(126, 64)
    assert np.std(events[:9], axis=0).min() > 0.1
    assert abs(error[0] - error[-1]) < 3.0  # closes on itself, micrometre steps apart


@pytest.mark.parametrize("grade", [6, 9])
def test_coarser_grades_are_louder(grade):
    assert (
        np.std(simulate_record(replace(QUIET, grade=grade))[0].channel())
        > np.std(simulate_record(replace(QUIET, grade=7))[0].channel())
    ) == (grade > 7)


def test_the_mesh_is_the_loudest_order_with_sidebands_of_both_shafts():
    periods = cut_periods(simulate_record(QUIET)[0], QUIET.gears)
    mean = periods.mean()
    spectrum = np.abs(np.fft.rfft(mean))
    mesh = 126  # bins of one hunting period: mesh harmonics are multiples of 126
    assert int(np.argmax(spectrum)) % mesh == 0
    assert mesh_visibility(periods, mean) > 100
    k = int(np.argmax(spectrum))
    for away in (14, 9):  # shafts turn 14 and 9 times per hunting period
        assert spectrum[k + away] > 5 * np.median(spectrum[k - 60 : k + 60])


def test_the_same_gearbox_in_every_record_and_another_noise():
    noisy = replace(QUIET, snr=10.0)
    one, again, other = (simulate_record(noisy, seed=s)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(one.channel(), again.channel())
    assert not np.array_equal(one.channel()[:1000], other.channel()[:1000])
    a, b = (cut_periods(r, noisy.gears, samples_per_tooth=16).components().residual for r in (one, other))
    assert np.corrcoef(a, b)[0, 1] > 0.5
    stranger = simulate_record(replace(noisy, seed=5), seed=1)[0]
    c = cut_periods(stranger, noisy.gears, samples_per_tooth=16).components().residual
    assert abs(np.corrcoef(a, c)[0, 1]) < 0.3


@pytest.mark.parametrize("snr", [0.0, 10.0, 20.0])
def test_noise_is_as_loud_as_asked(snr):
    quiet = simulate_record(QUIET, seed=3)[0].channel().astype(float)
    noise = simulate_record(replace(QUIET, snr=snr), seed=3)[0].channel().astype(float) - quiet
    assert 20 * np.log10(np.std(quiet) / np.std(noise)) == pytest.approx(snr, abs=0.2)


def test_level_follows_load_and_speed():
    def level(**changes):
        return np.std(simulate_record(replace(QUIET, **changes))[0].channel())

    load = np.log(level(load=1.0) / level(load=0.25)) / np.log(4)
    assert 0.2 < load < 1.0
    steady = replace(QUIET, modes=((4500.0, 0.3, 1.0),))
    slow, fast = (
        np.std(simulate_record(replace(steady, speed=SpeedProfile(v, "constant")))[0].channel()) for v in (5.0, 10.0)
    )
    assert 1.0 < np.log2(fast / slow) < 2.5


def test_heat_moves_the_modes_down():
    ring = replace(QUIET, speed=SpeedProfile(25.0, "constant"), modes=((1800.0, 0.005, 1.0),))
    peaks = []
    for temperature in (40.0, 80.0):
        x = simulate_record(replace(ring, temperature=temperature, grade=9), seed=1)[0].channel()
        spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x))))
        f = np.fft.rfftfreq(len(x), 1e-4)
        near = (f > 1500) & (f < 2100)
        peaks.append(float(np.sum(f[near] * spectrum[near] ** 2) / np.sum(spectrum[near] ** 2)))
    assert -0.03 < peaks[1] / peaks[0] - 1 < -0.003


@pytest.mark.parametrize("kind", ["pit", "chip", "broken"])
def test_other_tooth_faults_show_at_their_tooth(kind):
    sound = simulate_record(QUIET, seed=2)[0]
    bad = simulate_record(QUIET, [Fault(kind, "driven", 6, 0.7)], seed=2)[0]
    periods = cut_periods(sound, QUIET.gears, samples_per_tooth=16)
    other = cut_periods(bad, QUIET.gears, samples_per_tooth=16)
    change = (other.mean() - periods.mean()).reshape(-1, 16)
    by_tooth = [np.mean(change[np.arange(126) % 14 == j] ** 2) for j in range(14)]
    assert int(np.argmax(by_tooth)) in (5, 6, 7)
    assert max(by_tooth) > 5 * np.median(by_tooth)


@pytest.mark.parametrize("kind", ["wear", "eccentricity", "misalignment"])
def test_faults_of_a_whole_gear(kind):
    sound = simulate_record(QUIET, seed=2)[0].channel()
    bad = simulate_record(QUIET, [Fault(kind, "driving", 0, 0.6)], seed=2)[0].channel()
    assert np.std(bad - sound) > 0.1 * np.std(sound)


@pytest.mark.parametrize("kind", ["constant", "ramp", "fluctuation"])
def test_speed_stays_in_its_bounds(kind):
    t = np.arange(100_000) / 1000
    turned = draw_revolutions(SpeedProfile(20.0, kind, 0.05), t, np.random.default_rng(0))
    speed = np.diff(turned) * 1000
    assert speed.min() >= 20 * 0.95 - 1e-6
    assert speed.max() <= 20 * 1.05 + 1e-6
    assert turned[0] == 0
    if kind != "constant":
        assert np.ptp(speed) > 0.1


def test_tachometers_lose_and_double_pulses_as_asked():
    sound = simulate_record(QUIET, seed=4)[0].tacho
    true = find_pulses(sound.values, 10_000.0)
    assert len(true) == 4 * 14 + 1
    broken = replace(QUIET, tacho=TachoConfig(missed=0.08, doubled=0.05, jitter=0.001))
    pulses = find_pulses(simulate_record(broken, seed=4)[0].tacho.values, 10_000.0)
    mended, _, report = follow_pulses(pulses, Marks(np.ones(1)))
    assert report.repaired > 2
    known = true[(true > mended[0] - 0.001) & (true < mended[-1] + 0.001)]  # a last pulse may be lost for good
    assert np.abs(mended[:, None] - known).min(axis=0).max() < 0.02 * np.diff(true).mean()
    assert abs(len(mended) - len(true)) <= 1
    times = simulate_record(replace(QUIET, tacho=TachoConfig("times", pulses=8)), seed=4)[0].tacho
    assert len(times.values) == pytest.approx(8 * 58, abs=8)


def test_planets_are_loudest_at_the_sensor():
    stage = PlanetaryStage(14, 11, 36, 1)
    config = GearboxConfig(stage, periods=3, snr=None, sampling_rate=10_000.0, path=(0.1, 4.0), runout=(0.0, 0.0))
    periods = cut_periods(simulate_record(config)[0], stage)
    level = np.mean(periods.mean().reshape(11, 36, -1) ** 2, axis=(0, 2))  # by place on the ring
    assert int(np.argmax(level)) in (0, 1, 35)
    assert level[17:20].mean() < 0.05 * level.max()


def test_every_record_may_begin_at_another_revolution():
    config = replace(QUIET, start=None)
    starts = {simulate_record(config, seed=s)[1]["start"] for s in range(20)}
    assert len(starts) > 5
    assert max(starts) < 14


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: GearboxConfig(load=0.0), "load must be a number, above 0"),
        (
            lambda: GearboxConfig(grade=5, periods=1) and simulate_record(GearboxConfig(grade=5, periods=1)),
            "grade must",
        ),
        (lambda: GearboxConfig(sampling_rate=1000.0), "needs a sampling rate of 1800 Hz"),
        (lambda: SpeedProfile(kind="sine"), "kind must be one of 'constant', 'ramp', 'fluctuation'"),
        (lambda: TachoConfig(kind="laser"), "kind must be one of 'waveform', 'times'"),
        (lambda: TachoConfig(missed=0.7), "missed must be"),
        (lambda: Fault("rust"), "kind must be one of"),
        (
            lambda: simulate_record(QUIET, [Fault("crack", "driving", 9)]),
            r"tooth of a fault must be 0 to 8 \(driving\)",
        ),
        (
            lambda: simulate_record(QUIET, [Fault("crack", "sun", 1)]),
            "gear_of_fault must be one of 'driving', 'driven'",
        ),
    ],
)
def test_what_cannot_be_is_told(make, reason):
    with pytest.raises(InputError, match=reason):
        make()
