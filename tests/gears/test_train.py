"""Gear trains: speeds along shared shafts, and files that are not trains."""

import pytest

from toothwise.errors import InputError
from toothwise.gears import GearPair, GearTrain, PlanetaryStage, TrainStage, read_gears, write_gears

TRAIN = """
tacho_shaft: middle
stages:
  - name: first
    gears: {driving: 18, driven: 36}
    shafts: [input, middle]
  - name: second
    gears: {sun: 30, planet: 30, ring: 90, planets: 3}
    shafts: [middle, output]
"""


def test_speeds_and_mesh_orders(tmp_path):
    path = tmp_path / "gears.yaml"
    path.write_text(TRAIN)
    train = read_gears(path)
    assert train.ratio("middle") == 1
    assert train.ratio("input") == pytest.approx(2)
    assert train.ratio("output") == pytest.approx(0.25)
    orders = train.mesh_orders()
    assert orders["first"] == pytest.approx(36)  # middle carries the 36-tooth gear
    assert orders["second"] == pytest.approx(0.25 * 90)
    assert train.stage("second").gears == PlanetaryStage(30, 30, 90, 3)
    write_gears(train, tmp_path / "again.yaml")
    assert read_gears(tmp_path / "again.yaml") == train


def test_gears_alone_are_a_train_of_one_stage(tmp_path):
    path = tmp_path / "gears.yaml"
    path.write_text("driving: 18\ndriven: 35\n")
    train = read_gears(path)
    assert train.stage().gears == GearPair(18, 35)
    assert train.tacho_shaft == "driving"
    assert train.ratio("driven") == pytest.approx(18 / 35)
    assert train == GearTrain.single(GearPair(18, 35))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("driving: 18\n", "'driven' is missing"),
        ("driving: 18\ndriven: 35\nsun: 3\n", "gears must be"),
        ("driving: 18\ndriven: 1\n", "driven must be a whole number, 3 or more"),
        ("- 3\n", "must be a mapping"),
        ("stages: []\n", "at least one stage"),
        ("stages: [{gears: {driving: 18, driven: 35}, shafts: [a]}]\n", "shafts must be .text, text., but got"),
        ("stages: [{name: x}]\n", "gears must be"),
        ("a: [\n", "is not YAML"),
        (TRAIN.replace("middle", "other", 1), "tacho_shaft must be one of"),
        (TRAIN.replace("[middle, output]", "[elsewhere, output]"), "neither of its shafts"),
        (TRAIN.replace("[middle, output]", "[input, middle]"), "are joined already"),
        (TRAIN.replace("second", "first"), "different names"),
    ],
)
def test_files_that_are_no_train(tmp_path, text, reason):
    path = tmp_path / "gears.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=reason) as caught:
        read_gears(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: no such file"):
        read_gears(tmp_path / "none.yaml")


def test_which_stage():
    train = GearTrain((TrainStage("a", GearPair(18, 35), ("x", "y")), TrainStage("b", GearPair(20, 41), ("y", "z"))))
    with pytest.raises(InputError, match="stage must be one of 'a', 'b', but got None"):
        train.stage()
    assert train.ratio("z") == pytest.approx(18 / 35 * 20 / 41)
