"""A waveform that is the same with every mate is found where its energy is lost in what healthy meshes scatter."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from toothwise import GearPair, MapBuilder, Model, Monitor, detectors, write_map, write_record
from toothwise.detectors.coherent import Coherent
from toothwise.detectors.coherent.whitening import scatter
from toothwise.errors import InputError
from toothwise.exported.export import export
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.serving.decoding import Decoder, Upload
from toothwise.serving.limits import Limits
from toothwise.serving.schemas import FormFields
from toothwise.serving.service import Job, Service
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.speed import SpeedProfile

SAMPLES = 8


def waveforms(n: int, seed: int, rows: int = 9, columns: int = 14) -> np.ndarray:
    """Healthy residuals: loud where the gearbox is heard (low orders), quiet elsewhere."""
    rng = np.random.default_rng(seed)
    events = np.arange(rows * columns // np.gcd(rows, columns))
    spectrum = np.fft.rfft(rng.standard_normal((n, events.size * SAMPLES)))
    spectrum /= 1.0 + np.arange(spectrum.shape[1]) / 20.0
    out = np.full((n, rows, columns, SAMPLES), np.nan)
    out[:, events % rows, events % columns] = np.fft.irfft(spectrum).reshape(n, events.size, SAMPLES)
    return out


def batch(x: np.ndarray) -> HealthMapBatch:
    axes = Axis.teeth("driving tooth", x.shape[1]), Axis.teeth("driven tooth", x.shape[2])
    return HealthMapBatch(np.sqrt((x**2).mean(axis=3)), *axes, waveforms=x)


def damaged(x: np.ndarray, axis: int, tooth: int, size: float, mates: slice = slice(None)) -> np.ndarray:
    """A tooth that adds the same quick ringing at each of its meshes with some mates."""
    x = x.copy()
    view = x[:, tooth, mates] if axis == 1 else x[:, mates, tooth]
    view += size * np.sin(2 * np.pi * 0.4 * np.arange(SAMPLES))
    return x


@pytest.fixture(scope="module")
def fitted() -> Coherent:
    return Coherent().fit(waveforms(40, 1))


@pytest.mark.parametrize(("axis", "tooth"), [(1, 4), (2, 11)])
def test_a_faint_tooth_is_named_exactly(fitted, axis, tooth):
    healthy = fitted.predict(waveforms(60, 2)).score
    found = fitted.predict(damaged(waveforms(30, 3), axis, tooth, 0.08))
    assert np.mean(healthy[:, None] < found.score) > 0.99
    assert ((found.row if axis == 1 else found.column) == tooth).all()
    # in the energy of a pixel there is nothing to be seen of it
    pixel = np.log((damaged(waveforms(30, 3), axis, tooth, 0.08) ** 2).mean(axis=3)).mean(axis=3 - axis)
    assert np.mean(pixel.argmax(axis=1) == tooth) < 0.5


def test_a_tone_that_is_locked_to_no_tooth_is_none(fitted):
    x, size = waveforms(20, 5), 9 * 14 * SAMPLES
    number = np.arange(9 * 14)
    for k in range(len(x)):  # 5 times as loud as the rest, and it wanders by 1 %
        at = np.arange(size) / size
        hum = np.sin(2 * np.pi * (150.3 + 7.0 * k) * (at + 0.002 * np.sin(2 * np.pi * at)) + k)
        hum *= 5.0 * np.nanstd(x[k]) * np.sin(np.pi * at) ** 2
        x[k][number % 9, number % 14] += hum.reshape(-1, SAMPLES)
    healthy = fitted.predict(waveforms(60, 2)).score
    assert np.mean(fitted.predict(x).score > healthy.max()) <= 0.1


@pytest.mark.full
def test_neighbours_are_two_teeth_and_one_tooth_is_one():
    gears, kind, severity = (17, 30), "crack", 0.7
    config = GearboxConfig(gears=GearPair(*gears), periods=3, sampling_rate=12800.0, speed=SpeedProfile(mean=20.0))
    healthy = [simulate_record(config, seed=s)[0] for s in range(16)]
    builder = MapBuilder.learn(GearPair(*gears), healthy, options={"samples_per_tooth": 16})
    model = Model.fit(healthy, builder=builder)
    for teeth in ([5], [5, 6]):
        faults = [Fault(kind, "driven", tooth, severity) for tooth in teeth]
        damaged = [simulate_record(config, faults, seed=100 + s)[0] for s in range(3)]
        assert len(Monitor(model).add(damaged).teeth) == len(teeth)


def test_a_stretch_of_mates_is_enough(fitted):
    found = fitted.predict(damaged(waveforms(30, 4), 2, 6, 0.15, slice(2, 5)))
    assert np.mean(found.column == 6) > 0.9


def test_gain_and_a_healthy_line_that_all_teeth_share_change_little(fitted):
    x = waveforms(20, 5)
    np.testing.assert_allclose(fitted.predict(3.0 * x).score, fitted.predict(x).score, atol=1.5)


def test_at_another_condition_teeth_of_a_ring_are_not_compared():
    x = waveforms(20, 3, rows=10, columns=21)
    for contacts, compared in ((None, True), ("rows", False)):
        detector = Coherent(contacts=contacts).fit(waveforms(20, 1, rows=10, columns=21))
        planet = detector.among_teeth(damaged(x, 1, 2, 0.5))[0]
        ring = detector.among_teeth(damaged(x, 2, 7, 0.5))[1]
        assert (planet.argmax(axis=1) == 2).all()
        assert ((ring.argmax(axis=1) == 7) & (ring.max(axis=1) > 1.0)).all() == compared
        assert compared or not ring.any()


@pytest.mark.parametrize("n", [2, 8])
def test_few_healthy_records_still_find_what_is_plain(n):
    detector = Coherent().fit(waveforms(n, 6))
    found = detector.predict(damaged(waveforms(10, 7), 2, 5, 0.2))
    assert (found.column == 5).all()
    assert found.score.min() > detector.predict(waveforms(30, 8)).score.max()


def test_a_tooth_that_grows_quieter_is_found_as_one_that_grows_louder():
    own = np.sin(2 * np.pi * 0.4 * np.arange(SAMPLES))
    healthy = waveforms(40, 1)
    healthy[:, :, 6] += 0.1 * own  # a residual keeps what every healthy record holds; only the mean takes it off
    detector = Coherent().fit(healthy)
    found = [detector.predict(damaged(waveforms(20, 3), 2, 6, 0.1 + step)) for step in (-0.1, 0.1)]
    assert all((one.column == 6).mean() > 0.9 for one in found)


def test_both_contacts_of_a_planet_tooth_count_and_go_together():
    detector = Coherent(contacts="rows").fit(waveforms(40, 1, rows=10, columns=21))
    x = damaged(damaged(waveforms(10, 3, rows=10, columns=21), 1, 2, 0.15), 1, 7, 0.1)
    found = detector.predict(x)
    assert (found.row == 2).all()
    rest = np.stack([detector.without_line(one, 1, 2, slice(None)) for one in x])
    assert detector.predict(rest).score.max() < found.score.min()


def test_what_the_sensor_does_not_hear_is_no_evidence():
    x, later = waveforms(40, 1), waveforms(20, 2)
    for part in (x, later):
        part[:, :, 4:11] = np.nan
    detector = Coherent().fit(x)
    found = detector.predict(later)
    assert np.isfinite(found.column_evidence).all()
    assert not np.isin(found.column, range(4, 11)).any()


@pytest.mark.parametrize("n", [2, 8])
def test_few_healthy_records_have_a_threshold_that_later_healthy_ones_keep(n):
    model = Model.fit(batch(waveforms(n, 6)))
    assert (model.detector.name, model.threshold.n) == ("coherent", n)
    alarms = model.predict(batch(waveforms(50, 8))).score > model.threshold.value
    assert alarms.mean() <= 0.06
    later = batch(damaged(waveforms(3, 7), 2, 5, 2.0 / n))
    found = model.predict(later)
    assert (found.column == 5).all()
    assert (found.score > model.threshold.value).all()
    for told in (Monitor(model, {"sequence": False}).add(later), Monitor(model).add(later)):
        assert (told.colour in ("RED", "AMBER"), told.gear, told.tooth) == (True, "driven", 5)
    assert Monitor(model).add(batch(waveforms(3, 9))).colour == "GREEN"


def test_gears_with_a_common_factor_have_pairs_that_never_meet():
    detector = Coherent().fit(waveforms(20, 9, rows=6, columns=9))
    found = detector.predict(damaged(waveforms(10, 10, rows=6, columns=9), 1, 3, 0.5))
    assert (found.row == 3).all()
    assert np.isnan(found.anomaly_map).sum() == 10 * (6 * 9 - 18)


def test_maps_without_waveforms_and_options_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="waveforms"):
        Coherent().fit(np.ones((5, 9, 14), dtype=np.float32))
    for wrong in ({"segments": (1.5,)}, {"contacts": "both"}):
        with pytest.raises(InputError, match="must be"):
            detectors.create("coherent", **wrong)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A model of recordings in a folder, and recordings of the same gearbox with a crack in driven tooth 5."""
    pair = GearPair(9, 14)
    config = GearboxConfig(gears=pair, periods=3, sampling_rate=12800.0, start=None)
    healthy = [simulate_record(config, seed=k)[0] for k in range(10)]
    builder = MapBuilder.learn(pair, healthy, options={"samples_per_tooth": 16})
    model = Model.fit(healthy, builder=builder)  # "auto": the maps carry waveforms
    faulty = [simulate_record(config, [Fault("crack", "driven", 5, 0.6)], seed=50 + k)[0] for k in range(3)]
    return model, model.save(tmp_path_factory.mktemp("coherent") / "model"), builder, faulty


def test_recordings_go_through_a_saved_and_an_exported_model_alike(recorded, tmp_path):
    model, folder, _, faulty = recorded
    found = Model.open(folder).predict(faulty)
    np.testing.assert_array_equal(found.score, model.predict(faulty).score)
    assert (found.score > model.threshold.value).all()
    assert len(set(found.column.tolist())) == 1  # one tooth in all, whatever number the first healthy record gives it
    export(folder, tmp_path / "exported")
    np.testing.assert_allclose(Model.open(tmp_path / "exported").predict(faulty).score, found.score, rtol=1e-6)


def test_wear_raises_the_level_of_the_whole_gear_and_a_tooth_does_not(tmp_path):
    config = GearboxConfig(gears=GearPair(9, 14), periods=3, sampling_rate=12800.0, start=None)

    def records(n, first, *faults):
        return [simulate_record(config, list(faults), seed=first + k)[0] for k in range(n)]

    healthy, worn = records(20, 0), records(5, 80, Fault("wear", "driving", 0, 0.4))
    builder = MapBuilder.learn(config.gears, healthy, options={"samples_per_tooth": 16})
    model = Model.fit(healthy, builder=builder)
    folder = model.save(tmp_path / "model")
    told = Monitor(Model.open(folder)).add(worn)
    assert (told.colour, told.tooth, told.pattern) == ("AMBER", None, "sensor or condition changed")
    assert told.level_change == Monitor(model).add(worn).level_change > 1.2
    for one in Monitor(model).alone(model.maps_of(worn)[0]):  # from twenty healthy records, each by itself
        assert (one.colour, one.tooth) == ("AMBER", None)
    cracked = Monitor(model).add(records(3, 50, Fault("crack", "driven", 5, 0.6)))
    assert (cracked.colour, cracked.gear, cracked.also) == ("RED", "driven", ())
    # eccentricity lifts what errors half of the sound teeth have: that is the gear, however it is looked at
    for gear, swing in (("driving", "row_swing"), ("driven", "column_swing")):
        maps = model.maps_of(records(4, 120, Fault("eccentricity", gear, 0, 0.5)))[0]
        assert 0.1 < maps.table[swing].median() < 0.4
        bent = Monitor(Model.open(folder)).add(maps)
        assert (bent.pattern, bent.teeth) == ("whole gear", ())
        assert bent.colour in ("AMBER", "RED")
        assert f"The {gear} gear" in bent.sentence
        assert "its revolution" in bent.sentence
        assert {one.pattern for one in Monitor(model).alone(maps)} <= {"whole gear", "nothing"}
        said = maps.table.drop(columns=["row_swing", "column_swing"])
        assert Monitor(model).add(replace(maps, table=said)).pattern != "whole gear"
        for strange in (1e300, np.inf, -1.0, "much", None):
            said = maps.table.assign(row_swing=strange, column_swing=strange)
            assert Monitor(model).add(replace(maps, table=said)).pattern != "whole gear"
    # the service, to which a file comes alone, says the same
    service = Service.open(folder)
    write_record(worn[0], tmp_path / "worn.mat")
    decoder = Decoder(service.expected, Limits(), service.model.builder)
    job = Job.unpack(decoder.files([Upload(tmp_path / "worn.mat", "worn", True)], FormFields()).pack())
    assert job.told["gear_level"] == [pytest.approx(builder.build(worn[0]).condition["gear_level"])]
    ((answer,),) = service.answer([job])
    alone = Monitor(model).alone(model.maps_of([worn[0]])[0])[0]
    assert (answer["diagnosis"]["colour"], alone.pattern) == ("AMBER", "sensor or condition changed")
    assert answer["diagnosis"]["sentence"].replace("worn", "recording 0") == alone.sentence
    # maps that do not say how loud their records were heard have the usual level
    maps = model.maps_of(worn)[0]
    silent = replace(maps, table=maps.table.drop(columns="gear_level"))
    assert Monitor(model).add(silent).level_change == pytest.approx(1.0, abs=0.03)
    for strange in ("loud", -1.0, 0.0, None):
        silent = replace(maps, table=maps.table.assign(gear_level=strange))
        assert Monitor(model).add(silent).level_change == pytest.approx(1.0, abs=0.03)


def test_predict_on_the_command_line_scores_recordings(recorded, toothwise, tmp_path):
    _, folder, _, faulty = recorded
    write_record(faulty[0], tmp_path / "today.mat")
    done = toothwise("predict", folder, tmp_path / "today.mat", "--json")
    assert json.loads(done.out)["alarms"] == 1, done.err


def test_every_verb_takes_recordings_and_names_one_tooth(recorded, toothwise, tmp_path):
    model, folder, builder, faulty = recorded
    for k, record in enumerate(faulty):
        write_record(record, tmp_path / "new" / "mill" / f"{k}.mat")
    done = toothwise("diagnose", folder, tmp_path / "new" / "mill", "--json", "--output", tmp_path / "diagnosis")
    said = json.loads(done.out)
    assert (said["colour"], said["gear"], said["pattern"]) == ("RED", "driven", "one tooth"), done.err
    assert {line["tooth"] for one in said["each"] for line in one["lines"]} == {said["tooth"]}
    done = toothwise(
        "watch", folder, tmp_path / "new", "--to", tmp_path / "w.db", "--idle", 0.5, "--poll", 0.1, "--json"
    )
    assert json.loads(done.out)["new"] == 3, done.err
    write_map(builder.build(faulty[0]), tmp_path / "new" / "mill" / "map.npz")
    np.savez(tmp_path / "new" / "mill" / "bare.npz", values=np.ones((1, *model.about.shape)))
    done = toothwise("score", folder, tmp_path / "new", "--output", tmp_path / "scores", "--workers", 0, "--json")
    counted = json.loads(done.out)
    assert (counted["maps"], counted["alarms"], counted["errors"]) == (5, 4, 1), done.err
    assert "waveforms of 16 samples" in counted["first_error"]


def test_a_service_takes_recordings_and_refuses_what_has_no_waveforms(recorded, tmp_path):
    model, folder, _, faulty = recorded
    service = Service.open(folder)
    service.answer([service.warm_up()])
    write_record(faulty[0], tmp_path / "today.mat")
    decoder = Decoder(service.expected, Limits(), service.model.builder)
    found = Job.unpack(decoder.files([Upload(tmp_path / "today.mat", "today", True)], FormFields()).pack())
    ((answer,),) = service.answer([found])
    assert (answer["diagnosis"]["pattern"], answer["diagnosis"]["gear"]) == ("one tooth", "driven")
    assert service.monitor(replace(found, include=frozenset(["sequence"])))[1].records == 1
    with pytest.raises(InputError, match="looks at waveforms of 16 samples"):
        service.expected.check(np.ones(model.about.shape, dtype=np.float32))


def test_a_condition_that_was_not_learned_is_told_alike_alone_together_and_by_a_service(recorded, tmp_path):
    model, folder, builder, faulty = recorded
    config = GearboxConfig(
        gears=GearPair(9, 14), periods=3, sampling_rate=12800.0, start=None, speed=SpeedProfile(mean=12.0)
    )
    fast = simulate_record(config, seed=70)[0]
    outside = builder.build(fast).condition["not_learned"]
    together = Monitor(model).add([fast])
    assert together.colour in ("UNKNOWN", "AMBER")
    alone = Monitor(model).alone(model.maps_of([faulty[0], fast])[0])
    assert [alone[0].tooth, alone[1].colour, alone[1].sentence] == [
        Monitor(model).add([faulty[0]]).tooth,
        together.colour,
        together.sentence.replace("recording 0", "recording 1"),
    ]
    service = Service.open(folder)
    write_record(fast, tmp_path / "fast.mat")
    decoder = Decoder(service.expected, Limits(), service.model.builder)
    found = Job.unpack(decoder.files([Upload(tmp_path / "fast.mat", "fast", True)], FormFields()).pack())
    assert found.told["not_learned"] == [outside]
    ((answer,),) = service.answer([found])
    assert (answer["alarm"], answer["diagnosis"]["colour"]) == (None, together.colour)
    for include in (["sequence"], []):
        said = service.monitor(replace(found, include=frozenset(include)))[1]
        assert said.colour == together.colour
    # the score is above the threshold where the diagnosis names a tooth, and its evidence is of that tooth
    broken = [simulate_record(config, [Fault("crack", "driven", 5, 0.75)], seed=s)[0] for s in (71, 72)]
    maps, _ = model.maps_of([fast, *broken])
    predicted, said = model.predict(maps), Monitor(model).alone(maps)
    assert (
        (predicted.score > model.threshold.value).tolist() == [bool(one.teeth) for one in said] == [False, True, True]
    )
    assert predicted.column[1:].tolist() == [one.tooth for one in said[1:]]
    assert answer["score"] == pytest.approx(predicted.score[0], abs=1e-3)


def test_what_a_tooth_adds_is_taken_off_with_what_removed_orders_left_at_others():
    healthy = without_orders(waveforms(40, 1))
    detector = Coherent().fit(healthy)
    one = without_orders(damaged(waveforms(1, 3), 2, 5, 4.0))
    before = detector.predict(one)
    assert np.sum(before.column_evidence[0] > 4.0) > 3  # one tooth, and what the removed orders made of it
    rest = detector.without_line(one[0], 2, 5, slice(None))
    assert detector.predict(rest[None]).score[0] < detector.predict(healthy).score.max()
    like = detector.along_line(damaged(waveforms(1, 3), 2, 5, 0.3, slice(2, 6))[0], 2, 5)
    assert like[2:6].min() > np.delete(like, range(2, 6)).max()


@pytest.mark.parametrize("sizes", [{5: 4.0}, {5: 4.0, 2: 1.4}, {5: 2.0, 12: 2.0}])
def test_teeth_that_are_damaged_are_named_and_not_what_removed_orders_left_at_others(sizes):
    model, x = Model.fit(batch(without_orders(waveforms(16, 1)))), waveforms(1, 3)
    for tooth, size in sizes.items():
        x = damaged(x, 2, tooth, size)
    found = Monitor(model).add(batch(without_orders(x)))
    assert {(one.gear, one.tooth) for one in found.teeth} == {("driven", tooth) for tooth in sizes}


def without_orders(x: np.ndarray) -> np.ndarray:
    """Without mesh lines and first sidebands of the columns' gear, as a difference signal is."""
    rows, columns = x.shape[1:3]
    events = np.arange(rows * columns)
    flat = np.fft.rfft(x[:, events % rows, events % columns].reshape(len(x), -1))
    order = np.arange(flat.shape[1]) / rows
    flat[:, np.abs((order + columns / 2) % columns - columns / 2) <= 1] = 0
    x[:, events % rows, events % columns] = np.fft.irfft(flat).reshape(len(x), events.size, -1)
    return x


def test_waveforms_of_other_samples_are_refused(fitted):
    with pytest.raises(InputError, match="fitted on waveforms of 8 samples"):
        fitted.predict(waveforms(2, 1)[..., :6])


def test_orders_that_a_filter_took_away_weigh_no_more_than_those_that_it_let_through():
    def filtered(x, level):  # the edge moves with the speed: the same order is let through more or less
        flat = np.fft.rfft(Coherent()._periods(x))
        return flat * np.where(np.arange(flat.shape[1]) < 0.8 * flat.shape[1], 1.0, level)

    power = np.abs(filtered(waveforms(8, 1), 1e-3)) ** 2
    learned = scatter(power.mean(axis=0), 8, (9, 14))
    faster = np.abs(filtered(waveforms(8, 2), 1e-2)) ** 2 / learned
    at = int(0.8 * faster.shape[1])
    assert 0 < faster[:, at:].mean() < faster[:, :at].mean()


def test_the_threshold_of_sixteen_records_rests_on_more_than_the_three_loudest():
    thresholds = [Model.fit(batch(waveforms(16, seed))).threshold for seed in range(10, 15)]
    assert all("drawn" in one.method and one.n == 16 for one in thresholds)
    assert np.ptp([one.value for one in thresholds]) < 1.0


@pytest.mark.parametrize("shape", [(9, 18), (9, 9)])
def test_gears_of_which_a_tooth_meets_one_mate_are_fitted_too(shape):
    model = Coherent().fit(waveforms(40, 1, *shape))
    found = model.predict(damaged(waveforms(10, 3, *shape), 1, 4, 2.0))
    assert (found.row_evidence.argmax(axis=1) == 4).all()
