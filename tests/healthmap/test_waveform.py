"""The healthy waveform, and the whole way from a simulated crack to the tooth that is named."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest

from toothwise import GearPair, PlanetaryStage, build_map, detectors
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.errors import GearWarning, InputError, SignalWarning
from toothwise.healthmap.build import MapConfig, learn_waveform
from toothwise.healthmap.waveform import HealthyWaveform
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.tacho import TachoConfig
from toothwise.vibration.periods import cut_periods
from toothwise_lab.named_teeth import name_teeth

SIXTEEN = MapConfig(samples_per_tooth=16)


def _learned(config, records=5):
    first = replace(config, start=0)
    made = [simulate_record(first if k == 0 else config, seed=k)[0] for k in range(records)]
    return learn_waveform([cut_periods(r, config.gears, samples_per_tooth=16) for r in made], SIXTEEN)


def test_records_are_turned_onto_the_waveform():
    config = GearboxConfig(GearPair(9, 14), periods=4, sampling_rate=10_000.0, start=None)
    waveform = _learned(config)
    assert waveform.records == 5
    for seed in range(20, 26):
        record, truth = simulate_record(config, seed=seed)
        made = build_map(record, config.gears, SIXTEEN, waveform=waveform)
        assert made.provenance["turned"]["events"] == (-9 * truth["start"]) % 126
        assert made.provenance["turned"]["confidence"] > 0.1
        assert made.quantity == "rms of difference from healthy"


def test_a_louder_record_is_no_damage():
    config = GearboxConfig(GearPair(9, 14), periods=4, sampling_rate=10_000.0)
    waveform = _learned(config)
    record, _ = simulate_record(config, seed=9)
    twice = replace(record, channels={"vibration": 2 * record.channel()})
    one, two = (build_map(r, config.gears, SIXTEEN, waveform=waveform).values for r in (record, twice))
    np.testing.assert_allclose(two, 2 * one, rtol=1e-3)


def test_saved_and_loaded(tmp_path):
    waveform = _learned(GearboxConfig(GearPair(9, 14), periods=2, sampling_rate=10_000.0), 2)
    waveform.save(tmp_path / "healthy.npz")
    loaded = HealthyWaveform.load(tmp_path / "healthy.npz")
    np.testing.assert_array_equal(loaded.values, waveform.values)
    (tmp_path / "broken.npz").write_bytes(b"PK")
    for name in ("broken.npz", "none.npz"):
        with pytest.raises(InputError, match=f"{name}: (not|not readable as) a healthy waveform|{name}: no such file"):
            HealthyWaveform.load(tmp_path / name)


def test_other_gears_are_refused():
    waveform = _learned(GearboxConfig(GearPair(9, 14), periods=2, sampling_rate=10_000.0), 2)
    other = GearboxConfig(GearPair(9, 13), periods=2, sampling_rate=10_000.0)
    with pytest.raises(InputError, match="other gears"):
        build_map(simulate_record(other)[0], other.gears, SIXTEEN, waveform=waveform)
    with pytest.raises(InputError, match="needs one healthy record"):
        learn_waveform([])


@pytest.mark.parametrize(
    ("gears", "periods", "faulty"),
    [
        (GearPair(18, 35), 4, ("driving", "driven")),
        pytest.param(GearPair(32, 96), 40, ("driving", "driven"), marks=pytest.mark.full),
        pytest.param(PlanetaryStage(15, 15, 46, 3), 12, ("planet",), marks=pytest.mark.full),
    ],
    ids=["18/35", "32/96", "planetary"],
)
def test_a_crack_of_60_percent_is_named_and_healthy_records_are_not(gears, periods, faulty):
    """A small round trip; benchmarks/round_trip.py is the full one."""
    config = GearboxConfig(gears, periods=periods, sampling_rate=12_000.0, start=None)
    waveform = _learned(config)

    def map_of(seed, *faults):
        record, _ = simulate_record(config, faults, seed=seed)
        return build_map(record, gears, SIXTEEN, waveform=waveform).values

    healthy = np.stack([map_of(k) for k in range(100, 124)])
    detector, _ = fit_with_threshold(lambda: detectors.create("healthy_distance"), healthy, 0.05)
    fresh = detector.predict(np.stack([map_of(k) for k in range(200, 212)]))
    assert np.mean(fresh.score > detector.threshold.value) <= detector.threshold.interval[1]
    for gear in faulty:
        teeth = {name.split()[0]: n for name, n in gears.axes}[gear]
        tooth = np.arange(4) * teeth // 4 + 1
        found = detector.predict(
            np.stack([map_of(300 + k, Fault("crack", gear, int(t), 0.6)) for k, t in enumerate(tooth)])
        )
        assert (found.score > detector.threshold.value).all()
        assert name_teeth(found, gears).right(gear, tooth, teeth).all()


@pytest.mark.parametrize(
    ("tacho", "known"),
    [(TachoConfig(pulses=4), "waveform"), (TachoConfig(shaft="driven"), "waveform"), (TachoConfig(), "index")],
    ids=["four pulses", "on the mate", "index"],
)
def test_the_same_tooth_in_every_record_whatever_the_tachometer(tacho, known):
    config = GearboxConfig(GearPair(11, 18), periods=4, sampling_rate=11_000.0, start=None, lead=None, tacho=tacho)
    records = [simulate_record(config, seed=k)[0] for k in range(6)]
    waveform = learn_waveform([cut_periods(r, config.gears, samples_per_tooth=16) for r in records], SIXTEEN)
    assert waveform.records == 6
    rows = []
    for seed in range(50, 56):
        record, _ = simulate_record(config, [Fault("crack", "driving", 7, 0.7)], seed=seed)
        made = build_map(record, config.gears, SIXTEEN, waveform=waveform)
        assert made.provenance["tooth_zero"]["driving"]["known"] == known
        # four pulses leave open where between two rows a tooth lies, so that its middle is asked for
        energy = np.nanmedian(made.values, axis=1) ** 2
        rows.append((energy * np.exp(2j * np.pi * np.arange(11) / 11)).sum())
    away = np.angle(np.array(rows) / rows[0]) * 11 / (2 * np.pi)
    assert np.ptp(away) < 0.5


def test_a_speed_or_load_that_was_not_learned_is_said(tmp_path):
    config = GearboxConfig(GearPair(9, 14), periods=2, sampling_rate=10_000.0)
    waveform = _learned(config, 3)
    waveform.save(tmp_path / "healthy.npz")
    waveform = HealthyWaveform.load(tmp_path / "healthy.npz")
    assert set(waveform.conditions) >= {"speed", "load"}

    def outside(**changes):
        record, _ = simulate_record(replace(config, **changes), seed=40)
        return build_map(record, config.gears, SIXTEEN, waveform=waveform).condition.get("not_learned")

    assert outside() is None
    assert outside(speed=replace(config.speed, mean=1.02 * config.speed.mean)) is None
    with pytest.warns(SignalWarning, match="was not learned"):  # a sharp resonance rings at other orders already
        assert outside(speed=replace(config.speed, mean=1.035 * config.speed.mean)).startswith("speed")
    with pytest.warns(SignalWarning, match="was not learned"):  # the housing rings at other orders already
        assert outside(speed=replace(config.speed, mean=1.12 * config.speed.mean)).startswith("speed")
    with pytest.warns(SignalWarning, match=r"speed 15\.\S* rev/s was not learned"):
        assert outside(speed=replace(config.speed, mean=15.0)).startswith("speed 15")
    with pytest.warns(SignalWarning, match="load 0.5 was not learned"):
        assert outside(load=0.5).startswith("load 0.5")


@pytest.mark.parametrize("varying", [{"kind": "ramp", "variation": 0.2}, {"variation": 0.25, "cycles": (0.3, 2.0)}])
def test_a_speed_that_varies_as_in_no_healthy_record_is_said(varying):
    config = GearboxConfig(GearPair(9, 14), periods=4, sampling_rate=10_000.0)
    waveform = _learned(config, 3)

    def outside(**changes):
        record, _ = simulate_record(replace(config, speed=replace(config.speed, **changes)), seed=41)
        return build_map(record, config.gears, SIXTEEN, waveform=waveform).condition.get("not_learned", "")

    assert (outside(kind="constant"), outside(kind="ramp", variation=0.04)) == ("", "")
    with pytest.warns(SignalWarning, match="was not learned"):
        said = outside(**varying)
    assert re.match(r"speed (at its (slow|fast)est )?\S+ rev/s was not learned", said)
    before = {"speed": waveform.conditions["speed"]}  # learned by a version that knew the mean alone
    waveform = replace(waveform, conditions=before)
    assert outside(**varying) == ""


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GearWarning)
        yield


def test_another_sensor_or_gearbox_is_not_judged_and_damage_is_no_such_thing():
    config = GearboxConfig(GearPair(9, 14), periods=3, sampling_rate=10_000.0, start=None)
    waveform = _learned(config, 6)
    assert {"level", "noise", "correlation"} <= set(waveform.conditions)

    def outside(record):
        return build_map(record, config.gears, SIXTEEN, waveform=waveform).condition.get("not_learned", "")

    def times(factor, record):
        return replace(record, channels={name: factor * x for name, x in record.channels.items()})

    # of six short recordings whose speed fluctuates the mean speeds are known to within 1.4 % only
    said = [why for k in range(60, 80) if (why := outside(simulate_record(config, seed=k)[0]))]
    assert len(said) <= 1
    assert all(why.startswith("speed") for why in said)
    for fault in (
        Fault("crack", "driving", 4, 0.8),
        Fault("broken", "driven", 4, 0.9),
        Fault("wear", "driving", 0, 0.9),
    ):
        assert outside(simulate_record(config, [fault], seed=90)[0]) == ""
    healthy = simulate_record(config, seed=91)[0]
    assert outside(times(10.0, healthy)).startswith("level")
    assert outside(times(0.1, healthy)).startswith("level")
    assert outside(times(2.0, healthy)) == ""


@pytest.mark.parametrize("n", [2, 3])
def test_new_records_differ_by_as_much_as_those_that_were_learned(n):
    rng = np.random.default_rng(0)
    known = rng.standard_normal(12 * 13 * 64)
    signals = [known + 0.1 * rng.standard_normal(known.size) for _ in range(n + 4)]
    waveform = HealthyWaveform.learn(signals[:n], 64, [12 * 13] * n, (12, 13))
    learned = [np.std(waveform.without(one).deviation(one)) for one in signals[:n]]
    new = [np.std(waveform.deviation(one)) for one in signals[n:]]
    assert np.mean(new) == pytest.approx(np.mean(learned), rel=0.03)
