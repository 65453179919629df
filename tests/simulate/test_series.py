"""Simulations from YAML, and severity over time."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toothwise.errors import GearWarning, InputError
from toothwise.gears import GearPair, PlanetaryStage
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.series import SeriesConfig, Simulation, grown, read_simulation, simulate_series, under

CONFIGS = Path(__file__).parents[2] / "configs"


def test_shipped_configurations():
    crack = read_simulation(CONFIGS / "gearbox_crack.yaml")
    assert crack.gearbox.gears == GearPair(18, 35)
    assert crack.faults == (Fault("crack", "driving", 7, 0.6),)
    assert (crack.gearbox.start, crack.gearbox.speed.variation, crack.series.records) == (None, 0.03, 30)
    with pytest.warns(GearWarning):
        planetary = read_simulation(CONFIGS / "gearbox_planetary.yaml")
    assert planetary.gearbox.gears == PlanetaryStage(31, 31, 95, 3)
    assert [fault.gear for fault in planetary.faults] == ["planet"]
    failure = read_simulation(CONFIGS / "gearbox_run_to_failure.yaml")
    assert failure.gearbox == crack.gearbox
    depths = [failure.series.severity(0.8, k) for k in range(failure.series.records)]
    assert (depths[14], depths[15], depths[-1]) == (0.0, pytest.approx(0.05), pytest.approx(0.8))


def test_severity_grows_from_onset_to_the_last_record(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "gears: {driving: 9, driven: 14}\nperiods: 1\nsampling_rate: 10000\n"
        "faults: [{kind: crack, gear: driven, tooth: 3, severity: 0.8}]\nseries: {records: 6, onset: 2, growth: 1}\n"
    )
    simulation = read_simulation(path)
    records = list(simulate_series(simulation))
    severities = [truth["faults"][0]["severity"] if truth["faults"] else 0.0 for _, _, truth in records]
    assert severities == pytest.approx([0, 0, 0.2, 0.4, 0.6, 0.8])
    assert [name for name, _, _ in records][-1] == "record_0005"
    assert records[1][1].start_time == "2024-01-02T00:00:00"
    assert {truth["onset"] for _, _, truth in records} == {2}
    again = list(simulate_series(simulation))
    assert all((a[1].channel() == b[1].channel()).all() for a, b in zip(records, again, strict=True))


def test_sudden_faults():
    series = replace(SeriesConfig(records=4, onset=1), growth=0.0)
    assert [series.severity(1.0, k) for k in range(4)] == [0, 1, 1, 1]


@given(st.floats(0.02, 0.5), st.floats(0.0, 0.3), st.floats(0.0, 6.0))
def test_growth_begins_and_ends_where_it_should_and_never_shrinks(start, more, exponent):
    path = [grown(s, start, start + more, exponent) for s in np.linspace(0, 1, 21)]
    assert path[0] == pytest.approx(start)
    assert path[-1] == pytest.approx(start + more)
    assert all(b >= a - 1e-9 for a, b in pairwise(path))


def test_growth_solves_the_law_of_paris():
    """da/ds = c a^(m/2) with one c along the whole path; m = 0 is linear, m = 2 exponential."""
    s = np.linspace(0, 1, 2001)
    for m in (0.0, 1.0, 2.0, 3.0, 4.0):
        a = np.array([grown(x, 0.05, 0.8, m) for x in s])
        c = np.gradient(a, s)[5:-5] / a[5:-5] ** (m / 2)
        np.testing.assert_allclose(c, c[0], rtol=2e-3)
    assert grown(0.5, 0.1, 0.5, 0.0) == pytest.approx(0.3)
    assert grown(0.5, 0.1, 0.4, 2.0) == pytest.approx(0.2)


def test_a_fault_that_ends_below_the_start_is_there_in_full_at_once():
    series = SeriesConfig(records=5, onset=1, law="paris", start=0.3)
    assert [series.severity(0.2, k) for k in range(5)] == [0.0, 0.2, 0.2, 0.2, 0.2]
    assert SeriesConfig(records=2, onset=1, law="paris").severity(0.6, 1) == 0.6


GEARBOX = GearboxConfig(GearPair(9, 14), periods=1, sampling_rate=8000.0)
RUN = Simulation(
    GEARBOX,
    (Fault("crack", "driving", 5, 0.8), Fault("pit", "driven", 2, 0.4)),
    SeriesConfig(
        records=8,
        onset=3,
        law="paris",
        hours=6.0,
        load=(0.6, 1.0),
        speed=(20.0, 24.0),
        temperature=(30.0, 50.0),
        seed=40,
    ),
)


def test_a_record_is_what_its_truth_says():
    """Conditions within their ranges; the same numbers again from simulate_record alone."""
    items = list(simulate_series(RUN))
    for name, (low, high) in RUN.series.ranges.items():
        values = [truth[name] for _, _, truth in items]
        assert low <= min(values) < max(values) <= high
        assert values == [record.condition[name] for _, record, _ in items]
    assert [len(truth["faults"]) for _, _, truth in items] == [0] * 3 + [2] * 5
    _, record, truth = items[5]
    assert record.provenance["truth"] == truth
    assert truth["start_time"] == record.start_time == "2024-01-02T06:00:00"
    conditions = {name: truth[name] for name in RUN.series.ranges}
    again, _ = simulate_record(
        under(GEARBOX, conditions), [Fault(**fault) for fault in truth["faults"]], seed=truth["record_seed"]
    )
    np.testing.assert_array_equal(again.channel(), record.channel())


def test_conditions_depend_on_the_record_alone():
    """A shorter series, one that begins later and one with fewer ranges share their records."""
    whole = list(simulate_series(replace(RUN, faults=())))
    later = replace(RUN, faults=(), series=replace(RUN.series, records=2, seed=43))
    for (_, record, _), (_, other, _) in zip(whole[3:5], simulate_series(later), strict=True):
        np.testing.assert_array_equal(record.channel(), other.channel())
    only_load = replace(RUN, faults=(), series=replace(RUN.series, speed=None, temperature=None))
    assert [t["load"] for _, _, t in simulate_series(only_load)] == [t["load"] for _, _, t in whole]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must be a mapping with 'gears'"),
        ("gears: {driving: 9}\n", "gears: 'driven' is missing"),
        (
            "gears: {driving: 9, driven: 14}\ngrad: 7\n",
            r"unknown option 'grad'; did you mean 'grade'.*, faults, series",
        ),
        ("gears: {driving: 9, driven: 14}\nspeed: {kind: sine}\n", "speed: kind must be"),
        ("gears: {driving: 9, driven: 14}\nfaults: [{kind: rust}]\n", r"faults\[0\]: kind must be"),
        ("gears: {driving: 9, driven: 14}\nfaults: crack\n", "faults must be a list"),
        ("gears: {driving: 9, driven: 14}\nseries: {records: 0}\n", "records must be a whole number, 1 or more"),
        ("gears: {driving: 9, driven: 14}\nseries: {start_time: monday}\n", "start_time must be ISO 8601"),
        ("gears: {driving: 9, driven: 14}\nload: heavy\n", "load must be a number"),
        ("gears: {driving: 9, driven: 14}\nfaults: [{tooth: 9}]\n", r"tooth of a fault must be 0 to 8 \(driving\)"),
        ("gears: {driving: 9, driven: 14}\nseries: {load: [0, 1]}\n", "load must be a number, above 0"),
        ("gears: {driving: 9, driven: 14}\nseries: {speed: [20, 2000]}\n", "needs a sampling rate"),
        ("a: [\n", "is not YAML"),
    ],
)
def test_files_that_are_no_simulation(tmp_path, text, reason):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=reason) as caught:
        read_simulation(path)
    assert str(path) in str(caught.value)
