"""Monitor: one answer however maps come and wherever the state is; nothing twice, nothing lost, nothing mixed up."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from toothwise.diagnosis import JsonStore, MemoryStore, Monitor, MonitorSettings, Reset, State
from toothwise.diagnosis.history import compact
from toothwise.diagnosis.judging import judge
from toothwise.diagnosis.summary import RecordSummary
from toothwise.errors import GuessWarning, InputError, OutputError
from toothwise.fleet.database import DatabaseStore, open_database
from toothwise.gears import GearPair
from toothwise.healthmap import Axis, HealthMap, HealthMapBatch
from toothwise.messages import language
from toothwise.model import Model
from toothwise.reference.records import order_records, record_ids
from toothwise.simulate.maps import generate

N = 40


@pytest.fixture(scope="module")
def damaged(fitted):
    """Records of which the last 20 show tooth 3 ever louder."""
    x = fitted.log_maps(N, 31)
    x[:, 3] += fitted.growing(N, 20, 0.9)[:, None]
    return fitted.as_maps(x)


def batch(values, first=0, **columns):
    rows, cols = Axis.teeth("driving tooth", values.shape[1]), Axis.teeth("driven tooth", values.shape[2])
    record = np.arange(first, first + len(values))
    table = pd.DataFrame({"record": record, "time": record * 2.0, **columns})
    return HealthMapBatch(values, rows, cols, table)


def said(found):
    """All that is said of records, whatever came with the last of them."""
    data = found.as_json()
    return {name: data[name] for name in data if name not in ("each", "explained", "added")}


def test_one_by_one_and_all_at_once_in_memory_a_file_and_a_database(fitted, shared, damaged, tmp_path):
    whole = shared().add(batch(damaged))
    assert (whole.colour, whole.tooth, whole.records) == ("RED", 3, N)
    database = open_database(str(tmp_path / "d.db"))
    for make in (
        MemoryStore,
        lambda: JsonStore(tmp_path / "s.json"),
        lambda: DatabaseStore(database, "mill"),
    ):
        store = make()
        ends = [*range(22, 30), *range(31, N + 1, 3)]  # one by one, then three at once
        parts = [slice(0, 10), slice(5, 22), slice(0, 22), *map(slice, ends, ends[1:])]
        for part in parts:  # some records come twice
            if not isinstance(store, MemoryStore):
                store = make()  # as another process would
            found = shared(store=store).add(batch(damaged[part], part.start))
        assert said(found) == said(whole)
        again = shared(store=store).add(batch(damaged[:5]))
        assert (again.added, again.records) == (0, N)
    database.close()


def test_arrays_and_maps_without_names_are_numbered_on(shared, damaged):
    monitor, other = shared(), shared()
    for values in damaged[:3]:
        found = monitor.add(values[None])
        axes = Axis.teeth("driving tooth", 12), Axis.teeth("driven tooth", 17)
        same = other.add(HealthMap(values, *axes))
    assert (found.records, same.records) == (3, 3)
    assert monitor.names == other.names == {"record 1", "record 2", "record 3"}
    assert said(found) == said(same)


def test_a_destroyed_tooth_is_red_at_once_with_few_healthy_maps(fitted):
    """However maps come, and from the first record on: none is GREEN beside a line that no healthy map shows."""
    model = fitted.model(healthy=24)
    x = fitted.log_maps(10, 33)
    x[5:, 9] += 1.2
    values = fitted.as_maps(x)
    monitor = Monitor(model)
    each = [monitor.beside(MemoryStore()).add(values[:k]) for k in range(1, 11)]
    assert [d.colour for d in each] == ["GREEN"] * 5 + ["RED"] * 5
    assert {(d.gear, d.tooth) for d in each[5:]} == {("driving", 9)}
    assert each[-1].rules["growth"].now == "off"
    assert each[-1].sentence.startswith("Driving tooth 9 is going bad")
    assert "Cannot be verified" in each[-1].confidence
    alone = Monitor(model, {"sequence": False}).add(values[5:6])
    assert (alone.colour, alone.tooth) == ("RED", 9)
    assert "Cannot be verified" in alone.confidence
    maps = [HealthMap(v, Axis.teeth("driving tooth", 12), Axis.teeth("driven tooth", 17)) for v in values]
    assert said(monitor.beside(MemoryStore()).add(maps)) == said(each[-1])


def test_the_right_tooth_of_eight_cracked_records(shared, fitted):
    x = fitted.log_maps(8, 36)
    x[:, 8] += np.log(2.54)
    x[:, 7] += np.log(1.19)
    found = shared().add(fitted.as_maps(x))
    assert (found.colour, found.pattern, found.tooth) == ("RED", "one tooth", 8)


@pytest.mark.full
@pytest.mark.parametrize("healthy", [24, 100])
def test_healthy_records_alarm_no_more_often_than_stated(fitted, healthy):
    from scipy.stats import poisson

    red, amber, n = 0, 0, 0
    for seed in range(12):
        model = Monitor(fitted.model(values=fitted.as_maps(fitted.log_maps(healthy + 250, 500 + seed))[:healthy]))
        found = model.add(fitted.as_maps(fitted.log_maps(250, 900 + seed)))
        red, amber, n = red + found.rules["alarm"].episodes, amber + found.rules["warning"].episodes, n + 250
    assert red <= poisson.ppf(0.999, n / 1000.0)
    assert amber <= poisson.ppf(0.999, 10.0 * n / 1000.0)


def test_the_tooth_with_the_most_evidence_is_named_not_the_lowest_number(fitted, shared):
    x = fitted.log_maps(60, 34)
    x[:, 7] += 1.0
    x[:, 5] += 0.5  # clipped, both count alike
    found = shared().add(fitted.as_maps(x))
    assert (found.colour, found.tooth) == ("RED", 7)
    assert found.teeth[0].evidence == max(t.evidence for t in found.teeth)


def test_maps_on_their_own_and_too_few_healthy_maps(fitted, shared, damaged):
    found = shared({"sequence": False}).add(damaged[-2:])
    assert (found.sequence, found.colour, found.tooth, len(found.each)) == (False, "RED", 3, 2)
    assert found.sentence.startswith("2 of 2 maps show something")
    few = Monitor(fitted.model(healthy=18)).add(damaged[-2:])
    assert (few.sequence, few.colour, few.tooth) == (True, "RED", 3)
    with pytest.raises(InputError, match="nothing to judge"):
        shared().add(batch(damaged, healthy=True))
    assert shared().add(batch(damaged, healthy=np.arange(N) < 10)).records == N - 10


def test_rebaselining_is_kept_at_once_and_the_same_command_again_changes_nothing(fitted, shared, damaged, tmp_path):
    monitor = shared(store=JsonStore(tmp_path / "s.json"))
    monitor.add(batch(damaged))
    monitor.rebaseline(" bearing replaced ")
    x = fitted.log_maps(30, 35)
    x[:, 3] += 0.9
    found = shared(store=JsonStore(tmp_path / "s.json")).add(batch(fitted.as_maps(x), N))
    assert (found.colour, found.state) == ("UNKNOWN", "learning")
    assert found.resets == (Reset(N, "bearing replaced", str(N - 1)),)
    with pytest.raises(InputError, match="reason"):
        monitor.rebaseline("  ")
    with pytest.raises(InputError, match="are there already"):
        shared(store=JsonStore(tmp_path / "s.json")).add(batch(damaged), rebaseline="another")
    again = shared(store=JsonStore(tmp_path / "s.json")).add(batch(damaged), rebaseline="bearing replaced")
    assert again.resets == found.resets


def test_sensors_are_averaged_and_bins_kept_apart(fitted):
    maps = [fitted.as_maps(fitted.log_maps(60, seed)) for seed in (50, 51)]
    healthy = np.stack(maps, axis=1).reshape(120, 12, 17)
    table = {"record": np.repeat(np.arange(60), 2), "sensor": ["left", "right"] * 60, "load": 1.0}
    model = fitted.model(values=healthy, table=pd.DataFrame(table), sensors="sensor")
    monitor = Monitor(model, {"sensors": "sensor", "bins": {"load": (0.5,)}})
    new = healthy[:20].copy()
    new[10:, 4] *= 3.0
    columns = {"record": np.repeat(np.arange(10), 2), "time": np.repeat(np.arange(10.0), 2)}
    found = monitor.add(batch(new, sensor=table["sensor"][:20], load=[1.0] * 18 + [0.1] * 2, **columns))
    assert (found.records, found.judged, found.unjudged) == (10, 9, 1)
    assert found.colour in ("AMBER", "RED")
    assert found.tooth == 4
    assert found.each[0].sensor == "left"
    with pytest.raises(InputError, match="the maps have left"):
        monitor.add(batch(new[:1], 20, sensor=["left"], load=[1.0]))


def test_a_state_keeps_its_model_and_its_settings(fitted, shared, damaged, tmp_path):
    path = tmp_path / "s.json"
    shared({"rate": 2.0}, store=JsonStore(path)).add(batch(damaged[:2]))
    assert shared(store=JsonStore(path)).add(batch(damaged[:2])).settings.rate == 2.0
    with pytest.raises(InputError, match=r"s\.json: was begun with rate 2\.0, but got 3\.0"):
        shared({"rate": 3.0}, store=JsonStore(path)).add(batch(damaged[:2]))
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"model": "0" * 64}))
    with pytest.raises(InputError, match=r"s\.json: belongs to detector 000000000000"):
        shared(store=JsonStore(path)).add(batch(damaged[:2]))
    with pytest.raises(InputError, match=r"suffix must be \.json"):
        JsonStore("s.txt")


def test_records_that_do_not_fit_change_nothing(shared, damaged, tmp_path):
    monitor = shared(store=JsonStore(tmp_path / "s.json"))
    monitor.add(batch(damaged[:3]))
    before = (tmp_path / "s.json").read_bytes()
    with pytest.raises(InputError, match="duplicate time: 2 and again"):
        monitor.add(batch(damaged[3:4], 2, name="again"))
    with pytest.raises(InputError, match=r"s\.json: records out of order: early"):
        monitor.add(batch(damaged[3:4], 1, name="early"))
    with pytest.warns(GuessWarning, match="record 1 is there with other values"):
        assert monitor.add(batch(damaged[3:4], 1)).added == 0
    assert (tmp_path / "s.json").read_bytes() == before
    assert monitor.add(batch(damaged[3:4], 3)).records == 4


def test_two_processes_do_not_overwrite_each_other(shared, damaged, tmp_path):
    one, two = (shared(store=JsonStore(tmp_path / "s.json")) for _ in range(2))
    one.add(batch(damaged[:1]))
    two.add(batch(damaged[:2]))
    with pytest.raises(OutputError, match="another process"):
        one.add(batch(damaged[1:3], 1))
    assert one.add(batch(damaged[1:3], 1)).records == 3  # what the other wrote was read anew


def test_the_evidence_is_of_the_last_maps(shared, damaged):
    monitor = shared()
    with pytest.raises(InputError, match="add maps first"):
        monitor.evidence()
    monitor.add(batch(damaged[:30]))
    found = monitor.add(batch(damaged[30:], 30))
    evidence = monitor.evidence()
    assert evidence.explained[0].record == found.each[found.explained[0]].record
    assert evidence.sequence.names == tuple(map(str, range(N)))
    assert evidence.about["maps"] == 10


def a_record(k):
    line = (1, 2, 0.5, 1e-9)
    return RecordSummary(f"r{k}", float(k), "all", "x", (0.5,) * 3, (0.1,) * 3, 0.0, 1.0, False, "one tooth", line)


@pytest.mark.parametrize("time", ["20240101", 7, 7.5, None])
def test_a_state_keeps_times_as_they_are(tmp_path, time):
    path = tmp_path / "s.json"
    JsonStore(path).save(State("d", MonitorSettings(), [replace(a_record(0), time=time)]), None)
    assert repr(JsonStore(path).load().records[0].time) == repr(time)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.update(format=9), "unsupported format 9.*diagnose the records again"),
        (lambda d: d.pop("past"), "not a state"),
        (lambda d: d["settings"].update(learn=12.5), "learn must be a whole number"),
        (lambda d: d["settings"].update(runs=5), "settings: unknown option"),
        (lambda d: d["settings"].update(bins="load"), "bins must be"),
        (lambda d: d["records"][1].update(channels=[0.5]), "channels of different lengths"),
        (lambda d: d["records"].append(d["records"][0]), "holds a record twice"),
        (lambda d: d["resets"].append({"at": 99, "reason": "x", "after": None}), "re-baselined at"),
        (lambda d: d["limits"].update(healthy={"channels": {"single": {}}}), "healthy.*'off' is missing"),
    ],
)
def test_a_state_that_contradicts_itself(tmp_path, change, says):
    path = tmp_path / "s.json"
    JsonStore(path).save(State("d", MonitorSettings(), [a_record(0), a_record(1)]), None)
    assert JsonStore(path).load().records == [a_record(0), a_record(1)]
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=rf"{says}"):
        JsonStore(path).load()


_WRITER = """
import sys
from toothwise.diagnosis import JsonStore, MonitorSettings, State
from toothwise.diagnosis.summary import RecordSummary
store = JsonStore(sys.argv[1])
k = 0
while True:
    state = store.load() or State("d", MonitorSettings())
    part = (0.5,) * 300
    state.append([RecordSummary(str(k), float(k), "all", "x", part, part, 0.0, 1.0, False, "nothing", None)])
    store.save(state, None)
    print(k, flush=True)
    k += 1
"""


def test_a_writer_that_is_killed_has_lost_no_record_that_it_had_written(tmp_path):
    path = tmp_path / "s.json"
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    told = [process.stdout.readline() for _ in range(12)]
    time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    told += process.stdout.read().splitlines()
    process.wait()
    last = int(told[-1])
    records = JsonStore(path).load().records
    assert [r.name for r in records[: last + 1]] == [str(k) for k in range(last + 1)]
    assert len(records) <= last + 2


def test_records_get_their_names_from_table_or_file():
    assert record_ids(pd.DataFrame({"name": ["a", "b"]}), 2).tolist() == ["a", "b"]
    sensors = pd.DataFrame({"name": ["a1", "a2", "b1", "b2"], "start_time": ["x", "x", "y", "y"]})
    assert record_ids(sensors, 4, sensors=True).tolist() == ["x", "x", "y", "y"]  # a file per sensor
    assert record_ids(sensors.assign(name=list("aabb")), 4, sensors=True).tolist() == list("aabb")
    assert record_ids(sensors, 4).tolist() == ["a1", "a2", "b1", "b2"]
    assert record_ids(pd.DataFrame(index=range(2)), 2).tolist() == ["record 1", "record 2"]
    files = pd.DataFrame({"file": ["x/a.npz", "x/a.npz", "y/b.tiff"], "index": [0, 1, 0]})
    assert record_ids(files, 3).tolist() == ["a.npz[0]", "a.npz[1]", "b.tiff"]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"time": [0, 2, 1]}, "records out of order: c (time 1) comes after b (2)"),
        ({"time": [0, 1, 1]}, "duplicate time: b and c both have time 1"),
        ({"start_time": ["2024-01-02", "2024-01-01", "2024-01-03"]}, "out of order: b (start_time 2024-01-01)"),
        ({"start_time": ["then", "now", "soon"]}, "start_time must be numbers or times"),
        ({"name": ["a", "b", "a"]}, "duplicate record a"),
    ],
)
def test_records_in_disorder(columns, says):
    table = pd.DataFrame({"name": ["a", "b", "c"], **columns})
    with pytest.raises(InputError) as error:
        order_records(table, 3)
    assert says in str(error.value)


@pytest.mark.full
@pytest.mark.parametrize("reset", [None, 40, 1400])
def test_letting_old_records_go_changes_nothing_that_is_said(fitted, limits, tmp_path, monkeypatch, reset):
    monkeypatch.setattr("toothwise.diagnosis.history.MOST", 1100)
    n, onset = 1900, 1650
    x = fitted.log_maps(n, 32)
    x[:, 3] += fitted.growing(n, onset, 0.6)[:, None]
    x[300:330, 8] += 0.5  # an early alarm that ends
    x[330:360, 8] -= 0.5
    table = pd.DataFrame({"record": np.arange(n), "time": np.arange(n) * 2.0})
    seen = fitted.summaries(x, table)
    settings, store = MonitorSettings(), JsonStore(tmp_path / "s.json")
    resets = [] if reset is None else [Reset(reset, "new bearing", seen[reset - 1].name)]
    whole = judge(seen, fitted.baseline, settings, resets=resets, limits=limits)
    assert whole.state == "alarm"
    assert whole.since.number > 1500
    if reset is None:
        assert whole.rules["alarm"].first.number < 400
        assert whole.rules["alarm"].episodes > 1
    ends = [700, 1250, 1260, 1500, 1899, 1900]
    for begin, end in zip([0, *ends], ends, strict=False):
        state = store.load() or State("d", settings)
        assert state.append([replace(s) for s in seen[max(begin - 5, 0) : end]]) == end - begin
        if reset is not None and begin <= reset <= end and not state.resets:
            state.resets.extend(resets)
        rest = {"resets": state.resets, "past": state.past}
        found = judge(state.records, fitted.baseline, settings, limits=limits, **rest)
        state.records, state.past = compact(state.records, fitted.baseline, settings.learn, found.limits, **rest)
        store.save(state, found)
    assert len(state) == n
    assert len(state.past) > (300 if reset != 1400 else -1)
    assert found.as_json() == whole.as_json()
    assert store.load().append(seen[:50]) == 0  # known, though they are not kept


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize(("gear", "said"), [(GearPair(12, 24), "driven tooth that this tooth meets"), (None, "")])
def test_a_tooth_that_cannot_be_told_from_its_mate_is_not_said_to_be_sure(alone, gear, said):
    axes = Axis.teeth("driving tooth", 12), Axis("driving revolution", tuple(range(8)))
    healthy, later = (generate("C", n, faulty=False, shape=(12, 8), seed=n)[0] for n in (60, 3))
    later[:, 7] *= 4.0
    monitor = Monitor(Model.fit(HealthMapBatch(healthy, *axes, gear=gear)))
    maps = HealthMapBatch(later, *axes, gear=gear)
    found = monitor.alone(maps)[0] if alone else monitor.add(maps)
    assert (found.gear, found.tooth) == ("driving", 7)
    assert said in found.sentence
    assert ("do not hunt" in found.sentence) == bool(said)
    assert found.sentence == language("en").sentences(found.messages["verdict"])
