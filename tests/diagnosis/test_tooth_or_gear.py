"""One tooth, or what all teeth do: a tooth beyond doubt among many that are off, and worn gears in single maps."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from toothwise import Model, Monitor, PlanetaryStage
from toothwise.diagnosis import MemoryStore
from toothwise.diagnosis.alike import alike_words
from toothwise.diagnosis.decompose import decompose
from toothwise.diagnosis.judging import judge
from toothwise.diagnosis.single import summarize
from toothwise.diagnosis.summary import RecordSummary
from toothwise.diagnosis.verdict import Tooth
from toothwise.errors import InputError
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.model.maps import gather

RECORDS, MAPS, SHAPE, SAMPLES = 8, 16, (11, 16), 8
RINGING = np.sin(2.5 * np.arange(SAMPLES))


def records(baseline, axis, teeth, seed, *, alone=7.0, beyond_doubt=RECORDS):
    """Records in which the teeth of both gears are off unevenly, and some stand above them.

    The evidence of half of the other teeth is just below half of that of the named ones: none stands out among them.

    Args:
        alone: -log10 of the chance of the named teeth in the records' own maps, in the last ``beyond_doubt`` of them.
    """
    rng = np.random.default_rng(seed)
    at = [int(np.flatnonzero(baseline.line_axis == axis)[tooth]) for tooth in teeth]
    away, evidence = 5.0 * rng.standard_normal(len(baseline.line_axis)), np.zeros(len(baseline.channels))
    evidence[: len(away)] = 3.0 * (rng.permutation(len(away)) % 2)
    away[at], evidence[at] = 40.0, 6.0
    contrast = tuple(away * baseline.contrast_sd)
    line = (axis, teeth[0], contrast[at[0]], 10.0**-alone)
    one = RecordSummary("", None, "", "", tuple(evidence), contrast, 0.0, 9.0, True, "one tooth", line)
    known, faint = (tuple(("tooth", axis, tooth, p) for tooth in teeth) for p in (alone, min(alone, 5.0)))
    quiet = RECORDS - beyond_doubt
    return [replace(one, name=f"{k}", alone=faint if k < quiet else known) for k in range(RECORDS)]


@pytest.mark.parametrize(
    ("axis", "tooth", "seed"), [(1, 0, 0), (1, 7, 1), (1, 11, 2), (2, 3, 3), (2, 9, 4), (2, 16, 5)]
)
def test_one_tooth_that_single_maps_show_again_and_again_is_not_outweighed(fitted, limits, axis, tooth, seed):
    def verdict(teeth, **how):
        d = judge(records(fitted.baseline, axis, teeth, seed, **how), fitted.baseline, limits=limits)
        return d.colour, d.pattern, d.gear, d.tooth

    gear, size = ("driving", "driven")[axis - 1], (12, 17)[axis - 1]
    changed = ("AMBER", "sensor or condition changed", None, None)
    assert verdict([tooth]) == ("RED", "one tooth", gear, tooth)
    assert verdict([tooth], beyond_doubt=2) == ("RED", "one tooth", gear, tooth)
    assert verdict([tooth], beyond_doubt=1) == changed
    assert verdict([tooth], alone=5.5) == changed
    assert verdict([tooth, (tooth + 5) % size]) == changed  # more than one: they may be what all teeth do


@pytest.mark.parametrize(("axis", "tooth"), [(1, 4), (2, 9)])
def test_of_waveforms_nothing_is_clipped_so_that_the_most_evidence_leads(fitted, limits, axis, tooth):
    one = records(fitted.baseline, axis, [tooth], 0)[0]
    at = int(np.flatnonzero(fitted.baseline.line_axis == axis)[tooth])
    contrast, channels = np.zeros(len(one.contrast)), np.zeros(len(one.channels))
    contrast[[at, at + 1]], channels[[at, at + 1]] = (0.3, 0.6), (8.0, 6.4)
    one = replace(one, contrast=tuple(contrast), channels=tuple(channels), level=0.0, alone=())
    seen = [replace(one, name=f"{k}") for k in range(RECORDS)]
    for by_waveform, wanted in ((False, tooth + 1), (True, tooth)):
        d = judge(seen, replace(fitted.baseline, by_waveform=by_waveform), limits=limits)
        assert (d.colour, d.tooth) == ("RED", wanted)
        assert "Until" not in d.sentence


@pytest.mark.parametrize("named", [4, 5])
def test_of_neighbours_that_have_changed_alike_the_one_that_records_name_leads(fitted, limits, named):
    one = records(fitted.baseline, 1, [4], 0)[0]
    channels = np.zeros(len(one.channels))
    channels[4], channels[5] = (5.0, 6.5) if named == 4 else (6.5, 5.0)
    one = replace(one, channels=tuple(channels), contrast=(0.0,) * len(one.contrast), level=0.0)
    seen = [replace(one, name=f"{k}", alone=(("tooth", 1, named, 4.0),)) for k in range(RECORDS)]
    d = judge(seen, replace(fitted.baseline, by_waveform=True), limits=limits)
    assert (d.colour, d.tooth) == ("RED", named)


def test_a_tooth_that_waveforms_of_single_maps_show_is_not_outweighed_by_a_level(fitted, limits):
    up = next(k for k, c in enumerate(fitted.baseline.channels) if c.kind == "level up")
    seen = records(fitted.baseline, 1, [7], 1)
    channels = np.array(seen[0].channels)
    channels[: len(seen[0].contrast)] *= channels[: len(seen[0].contrast)] >= 6.0  # no other tooth speaks
    channels[up] = 20.0
    contrast = tuple(0.4 * (np.arange(len(seen[0].contrast)) == 7))
    seen = [replace(s, channels=tuple(channels), contrast=contrast, level=1.0) for s in seen]
    for by_waveform, wanted in ((False, ("AMBER", None)), (True, ("RED", 7))):
        d = judge(seen, replace(fitted.baseline, by_waveform=by_waveform), limits=limits)
        assert (d.colour, d.tooth) == wanted


def test_a_ring_tooth_between_two_is_one_tooth_though_another_is_louder_at_each_planet(fitted, limits):
    one, ring = records(fitted.baseline, 2, [8], 0)[0], int(np.flatnonzero(fitted.baseline.line_axis == 2)[0])
    seen = []
    for k in range(20):
        channels, contrast = np.zeros(len(one.channels)), np.zeros(len(one.contrast))
        channels[ring + np.array([1, 2, 7, 8])] = 8.0, 7.5, 13.0 * (k > 1), 14.0 * (k > 1)
        contrast[ring + np.array([1, 2, 7, 8])] = 0.4, 0.3, 0.5, 0.6
        seen.append(replace(one, name=f"{k}", channels=tuple(channels), contrast=tuple(contrast), level=0.0, alone=()))
    about = {"limits": limits, "gears": ("planet", "ring"), "spacing": (0.0, 17 / 3, 34 / 3)}
    d = judge(seen, replace(fitted.baseline, by_waveform=True), **about)
    assert (d.colour, d.pattern, d.tooth, d.teeth[0].alike) == ("RED", "one tooth", 8, (1, 2))
    assert d.alarmed.number <= 2  # where the same tooth stood out at another planet


def uneven(size, axis, seed):
    """What each tooth of a worn gear is off by, a map of its own each time, to add to log maps."""
    own = size * np.random.default_rng(seed).standard_normal((MAPS, SHAPE[axis - 1]))
    return own[:, :, None] if axis == 1 else own[:, None, :]


@pytest.fixture(scope="module")
def model():
    """Of maps of a 11/16 pair without waveforms."""
    return Model.fit(np.exp(drawn(80, 0)).astype(np.float32))


def drawn(n, seed):
    """Healthy log maps, and a level that differs from map to map."""
    rng = np.random.default_rng(seed)
    return 0.2 * rng.standard_normal((n, *SHAPE)) + 0.05 * rng.standard_normal((n, 1, 1))


def told(model, maps, *, by_record=False, by_waveform=None, waveforms=None):
    found = decompose(maps, model.detector, model.reference, rate=0.01, waveforms=waveforms)
    if by_waveform is not None:
        assert found.by_waveform != by_waveform
        found.by_waveform = by_waveform
    return summarize(found, gather(maps)[0], replace(model.reference, by_record=by_record), rate=0.01)


@pytest.mark.parametrize(("axis", "gear", "tooth", "seed"), [(1, "driving", 6, 1), (2, "driven", 11, 2)])
def test_a_worn_gear_is_no_single_tooth_and_a_tooth_that_stands_out_of_it_is(model, axis, gear, tooth, seed):
    worn = drawn(MAPS, 10 + seed) + uneven(0.5, axis, seed)
    found = told(model, np.exp(worn))
    assert np.mean([d.pattern == "whole gear" and d.uneven_gears == (gear,) and not d.lines for d in found]) >= 0.7
    line = worn[:, tooth] if axis == 1 else worn[:, :, tooth]
    line += 4.0 - line.mean(axis=1, keepdims=True)
    found = told(model, np.exp(worn))
    assert np.mean([(d.lines[0].gear, d.lines[0].tooth) == (gear, tooth) for d in found if d.lines]) >= 0.9
    assert np.mean([bool(d.lines) for d in found]) >= 0.9


def test_in_tooth_by_record_maps_uneven_teeth_are_teeth(model):
    worn = np.exp(drawn(MAPS, 11) + uneven(0.5, 1, 1))
    assert np.mean([d.pattern == "whole gear" for d in told(model, worn)]) >= 0.7
    found = told(model, worn, by_record=True)
    assert not any(d.uneven_gears for d in found)
    assert np.mean([bool(d.lines) for d in found]) >= 0.7


def meshes(n, seed):
    """Waveforms of the meshes of healthy maps."""
    events, rng, out = np.arange(11 * 16), np.random.default_rng(seed), np.zeros((n, *SHAPE, SAMPLES))
    out[:, events % 11, events % 16] = rng.standard_normal((n, events.size, SAMPLES))
    return out


def energy(x):
    return np.sqrt((x**2).mean(axis=3)).astype(np.float32)


@pytest.fixture(scope="module")
def waveform_model():
    """Of maps of such a pair with waveforms."""
    healthy, axes = meshes(24, 0), (Axis.teeth("driving tooth", 11), Axis.teeth("driven tooth", 16))
    return Model.fit(HealthMapBatch(energy(healthy), *axes, waveforms=healthy), detector="coherent")


@pytest.mark.parametrize("tooth", [2, 9])
def test_what_a_tooth_takes_with_it_makes_no_tooth_of_what_it_leaves(tooth):
    """Of a planet with few teeth the waveform of one, with both contacts, is fitted to the meshes of nearly all."""
    healthy, axes = meshes(24, 0), (Axis.teeth("planet tooth", 11), Axis.teeth("ring tooth", 16))
    batch = HealthMapBatch(energy(healthy), *axes, waveforms=healthy)
    planet = Model.fit(batch, detector="coherent", options={"contacts": "rows"})
    x = meshes(MAPS, 40 + tooth)
    ringing = np.sin(2.5 * np.arange(SAMPLES) + np.arange(7)[:, None])
    for step, share in ((0, 2.4), (1, 1.8), (5, 1.5), (6, 1.5)):
        x[:, (tooth + step) % 11] += share * ringing[step]
    found = told(planet, energy(x), waveforms=x)
    assert np.mean([[one.tooth for one in d.lines] == [tooth] for d in found]) >= 0.9
    x[:, (tooth + 3) % 11] += 2.4 * ringing[2]
    found = told(planet, energy(x), waveforms=x)
    assert np.mean([{one.tooth for one in d.lines} >= {tooth, (tooth + 3) % 11} for d in found]) >= 0.5


@pytest.mark.parametrize("axis", [1, 2])
def test_where_waveforms_decide_uneven_cells_do_not_hide_teeth(waveform_model, axis):
    worn = meshes(MAPS, axis) + 2.0 * uneven(1.0, axis, 3)[..., None] * RINGING
    found, gear = told(waveform_model, energy(worn), waveforms=worn), ("driving", "driven")[axis - 1]
    assert np.mean([bool(d.lines) for d in found]) >= 0.5
    assert all(d.lines or d.uneven_gears == (gear,) for d in found)  # where no tooth stands out, the gear does
    found = told(waveform_model, energy(worn), waveforms=worn, by_waveform=False)
    assert np.mean([bool(d.uneven_gears) for d in found]) >= 0.2


@pytest.mark.parametrize(("axis", "tooth", "near"), [(1, 3, 12), (1, 9, 5), (2, 14, 2), (2, 6, 8)])
def test_a_tooth_that_is_heard_at_a_few_mates_only_is_no_damage_of_theirs(waveform_model, axis, tooth, near):
    """As a planet tooth where it passes the sensor: in its own mesh, in the next, and at its other contact."""
    teeth, mates, rng = SHAPE[axis - 1], SHAPE[2 - axis], np.random.default_rng(tooth)
    away = np.abs((np.arange(mates) - near + mates / 2) % mates - mates / 2)
    x = meshes(MAPS, 20 + tooth)
    for step, share in ((0, 12.0), (1, 8.0), (teeth // 2, 6.0)):
        each = 1.0 + 0.3 * rng.standard_normal((MAPS, mates, SAMPLES))
        line = x[:, (tooth + step) % teeth] if axis == 1 else x[:, :, (tooth + step) % teeth]
        line += share * np.exp(-0.4 * away**2)[:, None] * each * np.sin(2.5 * np.arange(SAMPLES) + step)
    found = told(waveform_model, energy(x), waveforms=x)
    assert np.mean([(d.lines[0].axis, d.lines[0].tooth) == (axis, tooth) for d in found if d.lines]) >= 0.75
    assert np.mean([all(one.axis == axis for one in d.lines) for d in found]) >= 0.4


@pytest.mark.parametrize(("of_row", "of_column", "both"), [(1.5, 1.5, True), (20.0, 4.0, True), (20.0, 2.0, False)])
def test_teeth_of_both_gears_are_told_unless_one_is_what_the_other_may_leave(waveform_model, of_row, of_column, both):
    x = meshes(MAPS, 30)
    x[:, 4] += of_row * RINGING
    x[:, :, 13] += of_column * RINGING
    found = told(waveform_model, energy(x), waveforms=x)
    wanted = {(1, 4), (2, 13)} if both else {(1, 4)}
    assert np.mean([{(one.axis, one.tooth) for one in d.lines} == wanted for d in found]) >= 0.8


@pytest.mark.parametrize(
    ("gear", "teeth", "said"),
    [
        ("ring", (39, 45, 21, 57), "ring teeth that stand out are all met by one tooth of the sun"),
        ("planet", (9, 12, 15), "planet teeth that stand out are all met by one tooth of the sun"),
        ("ring", (39, 46), "Teeth of the sun are not watched"),
    ],
)
def test_teeth_that_one_tooth_of_the_sun_meets_are_said_to_be_more_likely_that_one(gear, teeth, said):
    found = SimpleNamespace(
        gear=gear,
        pattern="several teeth",
        colour="RED",
        teeth=[Tooth(gear, 1 if gear == "planet" else 2, tooth, 2.0, 9.0, ()) for tooth in teeth],
    )
    words = " ".join(map(str, alike_words(found, PlanetaryStage(18, 21, 60))))
    assert said in words


@pytest.mark.parametrize(
    ("stage", "few"), [((20, 20, 60, 4), True), ((16, 24, 64, 4), False), ((15, 15, 46, 3), False)]
)
@pytest.mark.filterwarnings("ignore")
def test_a_planet_tooth_that_meets_few_ring_teeth_may_be_one_of_them(stage, few):
    found = SimpleNamespace(gear="planet", pattern="one tooth", colour="RED", teeth=[])
    said = " ".join(map(str, alike_words(found, PlanetaryStage(*stage), by_waveform=True)))
    assert ("damage of a ring tooth that this tooth meets looks alike" in said) == few


def test_a_state_that_watched_other_things_is_refused(waveform_model):
    axes = Axis.teeth("driving tooth", 11), Axis.teeth("driven tooth", 16)
    before = replace(waveform_model, reference=replace(waveform_model.reference, change=None))
    first, second = (HealthMapBatch(energy(x), *axes, waveforms=x) for x in (meshes(3, 90), meshes(3, 91)))
    for begun, goes_on in ((before, waveform_model), (waveform_model, before)):
        store = MemoryStore()
        Monitor(begun, store=store).add(first)
        with pytest.raises(InputError, match=r"was begun with \d+ things to watch, but the model in use watches \d+"):
            Monitor(goes_on, store=store).add(second)


@pytest.mark.parametrize(("worn", "pattern"), [((1,), "whole gear"), ((2,), "whole gear"), ((1, 2), "sensor")])
def test_a_gear_whose_usual_tooth_has_changed_is_said_where_no_tooth_stands_out(waveform_model, worn, pattern):
    x, rng = meshes(6, 92), np.random.default_rng(5)
    level = np.nanmedian(energy(x))
    for axis in worn:
        signs = np.where(rng.permutation(SHAPE[axis - 1]) % 2, 0.4, -0.4)  # all teeth alike, but for the sign
        x += (signs[:, None] if axis == 1 else signs[None])[..., None] * RINGING * (x != 0)
    axes = Axis.teeth("driving tooth", 11), Axis.teeth("driven tooth", 16)
    as_loud = energy(x) * level / np.nanmedian(energy(x))  # noise hides it from the level
    told = Monitor(waveform_model).add(HealthMapBatch(as_loud, *axes, waveforms=x))
    assert told.colour in ("AMBER", "RED")
    assert told.pattern.startswith(pattern)
    assert [name in told.sentence for name in ("driving gear", "driven gear")] == [1 in worn, 2 in worn]
