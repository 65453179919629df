"""Dataclasses out of mappings."""

from dataclasses import dataclass, field

import pytest

from toothwise import GearPair, PlanetaryStage
from toothwise.errors import InputError
from toothwise.fields import from_mapping
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig
from toothwise.simulate.series import SeriesConfig, read_simulation
from toothwise.simulate.speed import SpeedProfile


def gearbox(**data):
    return from_mapping(GearboxConfig, data, "plan.yaml")


@pytest.mark.parametrize("cls", [GearboxConfig, SeriesConfig, Fault, SpeedProfile])
def test_what_is_not_given_keeps_its_default(cls):
    assert from_mapping(cls, {}, "plan.yaml") == cls()


def test_nested_settings_arrive_with_their_types():
    config = gearbox(
        gears=GearPair(9, 14),
        speed={"mean": 12, "kind": "ramp"},
        snr=None,
        start=None,
        modes=[[900, 0.02, 1], [2000, 0.03, 0.5]],
        sampling_rate="1e4",
    )
    assert config.gears == GearPair(9, 14)
    assert config.speed == SpeedProfile(12.0, "ramp")
    assert isinstance(config.speed.mean, float)
    assert (config.snr, config.start) == (None, None)
    assert config.modes == ((900.0, 0.02, 1.0), (2000.0, 0.03, 0.5))
    assert config.sampling_rate == 10_000.0
    assert gearbox(gears=PlanetaryStage(15, 15, 45, 3)).gears == PlanetaryStage(15, 15, 45, 3)
    assert gearbox(start=3).start == 3
    assert from_mapping(SeriesConfig, {"load": [0.5, 1]}, "x").load == (0.5, 1.0)


@pytest.mark.parametrize(
    ("cls", "data", "says"),
    [
        (
            GearboxConfig,
            {"grad": 7},
            "plan.yaml: unknown option 'grad'; did you mean 'grade'? (allowed: gears, grade, load, speed",
        ),
        (
            GearboxConfig,
            {"tacho": {"jiter": 0.1}},
            "plan.yaml: tacho: unknown option 'jiter'; did you mean 'jitter'? (allowed: kind, pulses",
        ),
        (GearboxConfig, {"tacho": {"jitter": "much"}}, "plan.yaml: tacho: jitter must be a number, but got 'much'"),
        (GearboxConfig, {"tacho": {"pulses": 1.5}}, "tacho: pulses must be a whole number, but got 1.5"),
        (GearboxConfig, {"grade": 5}, "grade must be one of 6, 7, 8, 9, but got 5"),
        (GearboxConfig, {"load": 0}, "load must be a number, above 0"),
        (GearboxConfig, {"load": float("nan")}, "load must be a number, but got nan"),
        (GearboxConfig, {"load": True}, "load must be a number, but got True"),
        (GearboxConfig, {"snr": "loud"}, "snr must be a number, but got 'loud'"),
        (GearboxConfig, {"seed": -1}, "seed must be a whole number, 0 or more, but got -1"),
        (GearboxConfig, {"start": -1}, "start must be a whole number, 0 or more, but got -1"),
        (GearboxConfig, {"speed": {"kind": "sine"}}, "speed: kind must be one of constant, ramp, fluctuation"),
        (GearboxConfig, {"runout": [1, 2, 3]}, "runout must be [number, number], but got [1, 2, 3]"),
        (GearboxConfig, {"modes": 1800}, "modes must be a list of [number, number, number]s, but got 1800"),
        (GearboxConfig, {"modes": [[1800, "x", 1]]}, "modes[0][1] must be a number, but got 'x'"),
        (GearboxConfig, {"speed": 25}, "speed must be a mapping with mean, kind, variation, cycles, but got 25"),
        (SeriesConfig, {"records": 2.5}, "records must be a whole number, but got 2.5"),
        (SeriesConfig, {"records": True}, "records must be a whole number, but got True"),
        (SeriesConfig, {"start_time": 5}, "start_time must be text, but got 5"),
        (SeriesConfig, {"law": "moore"}, "law must be one of power, paris, but got 'moore'"),
        (SeriesConfig, {"load": [1, 0.5]}, "load of a series must be [lowest, highest], but got [1.0, 0.5]"),
        (SeriesConfig, {"seed": -1}, "seed must be a whole number, 0 or more, but got -1"),
        (SeriesConfig, {"start": 0}, "start must be a number in (0, 1], but got 0.0"),
        (SeriesConfig, {"exponent": -1}, "exponent must be a number in [0, 10], but got -1.0"),
        (SeriesConfig, {"hours": 0}, "hours must be a number, above 0"),
        (Fault, {"kind": "rust"}, "kind must be one of crack"),
        (Fault, {"severity": 0.9}, "depth_of_crack must be a number in [0, 0.8]"),
        (Fault, {"tooth": 3.5}, "tooth must be a whole number, but got 3.5"),
    ],
)
def test_what_cannot_be_is_told_on_one_line_with_its_place(cls, data, says):
    with pytest.raises(InputError) as caught:
        from_mapping(cls, data, "plan.yaml")
    text = str(caught.value)
    assert says in text
    assert text.startswith("plan.yaml: ")
    assert "\n" not in text


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    file = tmp_path / "plan.yaml"
    for content, says in ((b"a: [1\n", "is not YAML"), (b"\xff\xfe\x00", "cannot be read")):
        file.write_bytes(content)
        with pytest.raises(InputError, match=says) as caught:
            read_simulation(file)
        assert str(caught.value).startswith(str(file))
    with pytest.raises(InputError, match=r"none\.yaml: no such file"):
        read_simulation(tmp_path / "none.yaml")


def test_a_missing_value():
    @dataclass
    class Needs:
        a: int
        b: list = field(default_factory=list)

    with pytest.raises(InputError, match="here: 'a' is missing"):
        from_mapping(Needs, {}, "here")
