"""Simulations from YAML, and severity over time."""

from dataclasses import replace
from pathlib import Path

import pytest

from toothwise.errors import GearWarning, InputError
from toothwise.gears import GearPair, PlanetaryStage
from toothwise.simulate.faults import Fault
from toothwise.simulate.series import SeriesConfig, read_simulation, simulate_series

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
    assert [series.share(k) for k in range(4)] == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must be a mapping with 'gears'"),
        ("gears: {driving: 9}\n", "gears must be"),
        ("gears: {driving: 9, driven: 14}\ngrad: 7\n", r"the gearbox takes gears, grade, .* but got \['grad'\]"),
        ("gears: {driving: 9, driven: 14}\nspeed: {kind: sine}\n", "speed must be"),
        ("gears: {driving: 9, driven: 14}\nfaults: [{kind: rust}]\n", "kind of a fault"),
        ("gears: {driving: 9, driven: 14}\nfaults: crack\n", "faults must be a list"),
        ("gears: {driving: 9, driven: 14}\nseries: {records: 0}\n", "1 record or more"),
        ("gears: {driving: 9, driven: 14}\nseries: {start_time: monday}\n", "start_time must be like"),
        ("gears: {driving: 9, driven: 14}\nload: heavy\n", "the gearbox: "),
        ("a: [\n", "is not YAML"),
    ],
)
def test_files_that_are_no_simulation(tmp_path, text, reason):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=reason) as caught:
        read_simulation(path)
    assert str(path) in str(caught.value)
