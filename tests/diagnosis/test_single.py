"""One map at a time: names, patterns, and error rates that are what they are said to be."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from toothwise.diagnosis.decompose import SHARES
from toothwise.diagnosis.single import diagnose_maps
from toothwise.diagnosis.summary import tooth_among_others
from toothwise.diagnosis.teeth import clusters, gear_of
from toothwise.diagnosis.verdict import PATTERNS
from toothwise.errors import InputError
from toothwise.healthmap.core import Axis
from toothwise.model.maps import gather
from toothwise.reference.healthy_file import load_healthy, save_healthy
from toothwise.reference.healthy_reference import learn_reference

N = 60


def diagnose(fitted, x, rate=0.01, **more):
    batch = replace(gather(fitted.as_maps(x))[0], **more)
    return diagnose_maps(batch, fitted.detector, fitted.reference, rate=rate)


def near(tooth, actual, teeth):
    return min((tooth - actual) % teeth, (actual - tooth) % teeth) <= 1


def test_shares_of_the_rate_are_the_whole_of_it():
    assert sum(SHARES.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_healthy_maps_are_called_anything_no_more_often_than_stated(fitted, rate):
    n = 400
    found = Counter(d.pattern for d in diagnose(fitted, fitted.log_maps(n, 5), rate))
    called = n - found["nothing"]
    assert called <= binom.ppf(0.999, n, rate), found  # below the stated rate is as promised


@pytest.mark.parametrize(("axis", "teeth", "gear"), [(1, 12, "driving"), (2, 17, "driven")])
def test_a_damaged_tooth_is_named_with_its_gear_extent_and_contrast(fitted, axis, teeth, gear):
    x = fitted.log_maps(N, 6)
    line = x if axis == 1 else np.swapaxes(x, 1, 2)
    line[:, 4, 2:11] += np.log(1.7)
    found = diagnose(fitted, x)
    assert np.mean([d.pattern == "one tooth" for d in found]) > 0.9
    one = [d.lines[0] for d in found if d.lines]
    assert np.mean([f.gear == gear and near(f.tooth, 4, teeth) for f in one]) > 0.97
    right = [f for f in one if f.tooth == 4]
    assert abs(np.mean([np.log(f.contrast) for f in right]) - np.log(1.7)) < 0.08
    assert np.mean([f.first <= 4 and f.last >= 8 for f in right]) > 0.9
    assert np.mean([f.interval[0] <= 1.7 <= f.interval[1] for f in right]) > 0.8
    assert all(f.p_value < 0.01 for f in right)


def test_neighbours_that_are_raised_too_are_told_and_are_no_second_tooth(fitted):
    x = fitted.log_maps(N, 7)
    x[:, 6] += 0.6
    x[:, 7] += 0.35
    found = diagnose(fitted, x)
    assert np.mean([d.pattern == "one tooth" for d in found]) > 0.9
    beside = [n for d in found if d.lines and d.lines[0].tooth == 6 for n in d.lines[0].neighbours]
    assert np.mean([n.raised for n in beside if n.tooth == 7]) > 0.9
    assert np.mean([n.raised for n in beside if n.tooth == 5]) < 0.2


def test_other_patterns_are_told_from_a_tooth(fitted):
    cases = {}
    several = fitted.log_maps(N, 8)
    several[:, [2, 7]] += 0.6
    cases["several teeth"] = several
    swinging = fitted.log_maps(N, 9)
    swinging += 0.35 * np.cos(2 * np.pi * np.arange(12) / 12)[None, :, None]
    worn = fitted.log_maps(N, 10) + 0.6
    passing = fitted.log_maps(N, 11)
    event = 40 + np.arange(30)
    passing[:, event % 12, event % 17] += 0.8
    cases |= {"whole gear": swinging, "transient": passing}
    # one map cannot tell wear from noise, load or the sensor
    cases["sensor or condition changed"] = np.concatenate([fitted.log_maps(N, 12) - 0.6, worn])
    for pattern, x in cases.items():
        found = Counter(d.pattern for d in diagnose(fitted, x))
        assert found[pattern] > 0.85 * len(x), (pattern, found)
        assert set(found) <= set(PATTERNS)


def test_teeth_that_are_all_raised_unevenly_are_the_gear_and_damaged_ones_among_others_are_teeth(fitted):
    x = fitted.log_maps(20, 13)
    own = 0.4 * np.random.default_rng(14).standard_normal((20, 17))
    worn = diagnose(fitted, x + own[:, None, :])
    assert np.mean([d.pattern == "whole gear" and d.uneven_gears == ("driven",) for d in worn]) >= 0.7
    assert "Many teeth of the driven gear" in next(d.sentence for d in worn if d.uneven_gears)
    y = x + 0.1 * own[:, None, :]
    y[:, :, [3, 9]] += 1.2
    two = diagnose(fitted, y)
    assert all({line.tooth for line in d.lines} >= {3, 9} for d in two)


def test_a_tooth_that_stands_out_of_a_louder_map_is_named(fitted):
    x = fitted.log_maps(20, 15) + 1.0
    x[:, 5] += 0.8
    found = diagnose(fitted, x)
    right = [(d.pattern, d.lines[0].gear, d.lines[0].tooth) == ("one tooth", "driving", 5) for d in found]
    assert np.mean(right) > 0.9
    assert all("sensor or condition changed" in d.also for d in found)


def test_a_strong_part_of_a_row_raises_no_column(fitted):
    x = fitted.log_maps(N, 13)
    x[:, 3, 5:9] += 2.0
    found = diagnose(fitted, x)
    assert all(line.gear == "driving" for d in found for line in d.lines)


def test_words_say_tooth_chance_what_it_rests_on_and_what_next(fitted):
    x = fitted.log_maps(2, 14)
    x[0, 3] += 0.8
    bad, good = diagnose(fitted, x, table=pd.DataFrame({"name": ["a", "b"]}))
    assert bad.sentence.startswith("Driving tooth 3 stands out: ")
    assert "200 healthy maps" in bad.confidence
    assert "extrapolated" in bad.confidence
    assert "driving tooth 3" in bad.next_look
    assert (good.record, good.pattern) == ("b", "nothing")
    assert good.sentence.startswith("Nothing stands out")
    assert bad.as_json()["lines"][0]["tooth"] == 3


def test_a_map_is_not_said_to_have_no_tooth_beside_the_evidence_of_one(fitted):
    x = fitted.log_maps(N, 16) + 0.5 * np.cos(2 * np.pi * np.arange(12) / 12)[None, :, None]
    x[:, :, 4] += np.linspace(0.1, 0.4, N)[:, None]
    gear = [d for d in diagnose(fitted, x) if d.pattern == "whole gear"]
    beside = [d for d in gear if d.lines]
    assert 3 <= len(beside) < len(gear)
    for d in gear:
        words = d.sentence + " ".join(str(one) for one in d.messages["verdict"])
        assert ("No tooth stands out." in words) == (not d.lines)
        assert ("The evidence of driven tooth 4" in words) == bool(d.lines)


def test_planets_keep_their_name():
    assert gear_of(Axis.teeth("planet tooth", 3), "driving") == "planet"
    assert gear_of(Axis.teeth("tooth", 3), "driving") == "gear"
    assert gear_of(Axis("record before the last", (0,)), "driven") == "driven"


def test_both_contacts_of_a_planet_tooth_are_one_tooth(fitted):
    x = fitted.log_maps(10, 16)
    x[:, 3] += 1.0
    x[:, 9] += 0.8
    planet = diagnose(fitted, x, rows=Axis.teeth("planet tooth", 12), columns=Axis.teeth("ring tooth", 17))
    assert np.mean([(d.pattern, {d.lines[0].tooth, d.lines[0].contact}) == ("one tooth", {3, 9}) for d in planet]) > 0.8
    assert np.mean([d.pattern == "several teeth" for d in diagnose(fitted, x)]) > 0.8


def test_teeth_side_by_side_are_one_group_around_the_gear():
    assert clusters([0, 11, 5], 12) == [[0, 11], [5]]
    assert clusters([2, 4, 3], 12) == [[2, 3], [4]]  # two peaks; what lies between them is a leak
    assert clusters([], 12) == []


def test_the_reference_is_read_back_and_belongs_to_its_detector(fitted, tmp_path):
    shape = fitted.detector.shape
    path = save_healthy(tmp_path, fitted.reference, None)
    again, kept = load_healthy(tmp_path, fitted.reference.detector, shape)
    assert kept is None
    np.testing.assert_array_equal(again.score, fitted.reference.score)
    np.testing.assert_array_equal(again.lines[1], fitted.reference.lines[1])
    assert (again.detector, again.by_record) == (fitted.reference.detector, False)
    from toothwise import detectors

    other = detectors.create("scan").fit(fitted.as_maps(fitted.log_maps(40, 1)))
    with pytest.raises(InputError, match=r"healthy\.npz: belongs to another detector"):
        load_healthy(tmp_path, "another", shape)
    with pytest.raises(InputError, match="fitted with a threshold on these 40"):
        learn_reference(other, fitted.as_maps(fitted.log_maps(40, 1)))
    path.write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"healthy\.npz: not readable as a healthy reference"):
        load_healthy(tmp_path, fitted.reference.detector, shape)
    assert load_healthy(tmp_path / "none", "x", shape) == (None, None)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("score", lambda a: a[:-1]),
        ("lines1", lambda a: a[:, 1:]),
        ("row", lambda a: a.T),
        ("scatter2", lambda a: a[:0]),
        ("level", lambda a: a.astype(str)),
        ("block", lambda a: a.astype(float)),
        ("record", lambda a: a[None]),
    ],
)
def test_a_reference_whose_arrays_do_not_fit_is_refused(fitted, tmp_path, name, change):
    path = save_healthy(tmp_path, fitted.reference, None)
    with np.load(path, allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    np.savez(path, **{**arrays, name: change(arrays[name])})
    with pytest.raises(InputError, match=r"healthy\.npz: "):
        load_healthy(tmp_path, fitted.reference.detector, fitted.detector.shape)


def test_a_rate_outside_its_range(fitted):
    with pytest.raises(InputError, match="rate"):
        diagnose(fitted, fitted.log_maps(1, 0), 1.0)


def test_a_tooth_among_the_others_of_its_gear_is_told_at_the_stated_rate():
    rng, zero = np.random.default_rng(3), ("given", "given")
    for teeth in ((11, 32), (17, 38), (23, 56)):
        sound = [tuple(0.3 * rng.standard_normal((1, n)) for n in teeth) for _ in range(600)]
        assert sum(bool(tooth_among_others(one, zero)) for one in sound) <= 14  # 6 are expected
        for rows, columns in sound[:20]:
            columns[0, 7] += 2.5
            assert [one[:3] for one in tooth_among_others((rows, columns), zero)] == [("tooth", 2, 7)]
    assert tooth_among_others(None, zero) == []
