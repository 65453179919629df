"""A sequence of records: which state, which pattern, since when; and what is no tooth."""

import numpy as np
import pandas as pd
import pytest

from toothwise.diagnosis.baseline import learn_baseline
from toothwise.diagnosis.judging import judge
from toothwise.diagnosis.rules import MonitorSettings, Reset
from toothwise.diagnosis.summary import RecordSummary, summarize_records
from toothwise.errors import InputError

N, ONSET = 120, 50


@pytest.mark.parametrize(("axis", "tooth", "gear"), [(1, 4, "driving"), (2, 9, "driven")])
def test_a_growing_line_is_a_tooth_with_onset_and_growth(fitted, limits, axis, tooth, gear):
    x = fitted.log_maps(N, 21)
    line = x if axis == 1 else np.swapaxes(x, 1, 2)
    line[:, tooth] += fitted.growing(N, ONSET, 0.6)[:, None]
    d = fitted.judge(x, limits=limits)
    assert (d.state, d.pattern) == ("alarm", "one tooth")
    assert (d.teeth[0].gear, d.teeth[0].tooth) == (gear, tooth)
    assert d.since_interval[0].number <= ONSET + 5
    assert d.since_interval[1].number >= ONSET - 5
    assert ONSET < d.rules["alarm"].first.number < ONSET + 45
    assert d.rules["growth"].episodes
    assert d.rules["growth"].now == "RED"
    assert d.contrast == pytest.approx(np.exp(0.57), rel=0.15)
    assert d.growth.interval[0] > 1
    assert d.sentence.startswith(f"{gear.capitalize()} tooth {tooth} is going bad since about record")
    assert d.confidence.startswith("Cannot be verified")  # 200 records that drift are worth fewer


def test_a_healthy_sequence_is_quiet_and_says_so(fitted, limits):
    d = fitted.judge(fitted.log_maps(N, 22), limits=limits)
    assert (d.state, d.pattern, d.teeth, d.since) == ("quiet", "nothing", (), None)
    assert d.sentence.startswith("No alarm")
    assert "false alarm rate of 1 per 1,000 records" in d.confidence


def test_a_step_of_all_teeth_is_the_sensor_or_the_condition_and_no_tooth(fitted, limits):
    for step in (0.5, -0.5):
        x = fitted.log_maps(N, 23)
        x[60:] += step
        d = fitted.judge(x, limits=limits)
        assert d.pattern == "sensor or condition changed"
        assert d.teeth == ()
        assert d.sentence.startswith("Sensor or condition changed")
        assert d.since_interval[0].number <= 61 <= d.since_interval[1].number
        assert abs(d.since.number - 61) <= 8
        assert d.level_change == pytest.approx(np.exp(step), rel=0.15)


def test_growth_of_all_teeth_is_a_whole_gear(fitted, limits):
    x = fitted.log_maps(N, 24) + fitted.growing(N, 30, 0.8)[:, None, None]
    d = fitted.judge(x, limits=limits)
    assert (d.pattern, d.teeth) == ("whole gear", ())
    swing = 0.4 * np.cos(2 * np.pi * np.arange(12) / 12)
    x = fitted.log_maps(N, 25) + fitted.growing(N, 30, 1.0)[:, None, None] * swing[None, :, None]
    d = fitted.judge(x, limits=limits)
    assert (d.pattern, d.teeth) == ("whole gear", ())


def test_several_teeth_are_all_named(fitted, limits):
    x = fitted.log_maps(N, 26)
    x[:, [2, 7]] += fitted.growing(N, ONSET, 0.7)[:, None, None]
    d = fitted.judge(x, limits=limits)
    assert d.pattern == "several teeth"
    assert {t.tooth for t in d.teeth} == {2, 7}


def test_a_transient_is_told_and_raises_no_alarm(fitted, limits):
    x = fitted.log_maps(N, 27)
    event = 11 + np.arange(40)
    x[70, event % 12, event % 17] += 1.2
    d = fitted.judge(x, limits=limits)
    assert d.rules["alarm"].episodes == 0
    assert "70" in d.transients


def test_after_rebaselining_the_change_is_the_new_healthy_state(fitted, limits):
    x = fitted.log_maps(N, 28)
    x[40:] += 0.5
    x[40:, 3] += 0.4
    assert fitted.judge(x, limits=limits).state == "warning"  # a level that jumps by more than the tooth
    reset = Reset(40, "gear replaced", "39")
    d = fitted.judge(x, limits=limits, resets=[reset])
    assert d.rules["alarm"].episodes == 0
    assert d.judged == N - 40 - MonitorSettings().learn
    learning = fitted.judge(x[:60], limits=limits, resets=[reset])
    assert learning.state == "learning"
    assert "gear replaced" in learning.sentence


def test_sensors_are_fused_and_find_what_one_alone_does_not(fitted):
    from toothwise import detectors
    from toothwise.detectors.calibration import fit_with_threshold
    from toothwise.diagnosis.judging import judge
    from toothwise.reference.healthy_reference import learn_reference

    def both(n, seed, add=None):
        parts = [fitted.log_maps(n, seed + k) for k in (0, 1000)]
        if add is not None:
            for part in parts:
                part[:, 5] += add[:, None]
        x = np.stack(parts, axis=1).reshape(2 * n, *parts[0].shape[1:])
        table = pd.DataFrame({"record": np.repeat(np.arange(n), 2), "sensor": ["left", "right"] * n})
        return fitted.as_maps(x), table

    maps, table = both(200, 50)
    detector, _ = fit_with_threshold(lambda: detectors.create("scan"), maps, 0.01)
    reference = learn_reference(detector, maps, table=table, sensors="sensor")
    baseline = learn_baseline(reference)
    maps, table = both(100, 51, fitted.growing(100, 40, 0.25))
    seen, _ = summarize_records(fitted.as_batch(maps, table), detector, reference, baseline, sensors="sensor")
    assert len(seen) == 100
    d = judge(seen, baseline)
    assert (d.state, d.teeth[0].tooth) == ("alarm", 5)
    with pytest.raises(InputError, match="knows sensors left, right"):
        summarize_records(fitted.as_batch(maps[::2], table.iloc[::2]), detector, reference, baseline)
    with pytest.raises(InputError, match="lacks sensor right"):
        summarize_records(fitted.as_batch(maps[:-1], table.iloc[:-1]), detector, reference, baseline, sensors="sensor")


def test_bins_keep_conditions_apart_and_unknown_ones_are_not_judged(fitted):
    from toothwise import detectors
    from toothwise.detectors.calibration import fit_with_threshold
    from toothwise.diagnosis.judging import judge
    from toothwise.reference.healthy_reference import learn_reference

    def drawn(n, seed, load):
        x = fitted.log_maps(n, seed)
        x += np.where(load > 0.5, 0.8, 0.0)[:, None, None]
        x[:, 2] += np.where(load > 0.5, 0.5, 0.0)[:, None]
        return fitted.as_maps(x), pd.DataFrame({"record": np.arange(n), "load": load})

    load = np.where(np.arange(200) % 2 == 0, 0.3, 0.9)
    maps, table = drawn(200, 60, load)
    detector, _ = fit_with_threshold(lambda: detectors.create("scan"), maps, 0.01)
    reference = learn_reference(detector, maps, table=table)
    bins = {"load": (0.5, 2.0)}
    baseline = learn_baseline(reference, bins=bins)
    maps, table = drawn(80, 61, np.where(np.arange(80) < 40, 0.3, 0.9))
    table.loc[70:, "load"] = 3.0
    seen, _ = summarize_records(fitted.as_batch(maps, table), detector, reference, baseline)
    d = judge(seen, baseline)
    assert (d.rules["alarm"].episodes, d.unjudged) == (0, 10)
    assert "10 of 80 records could not be judged" in d.sentence
    assert {s.place for s in seen} == {"load below 0.5", "load 0.5 to 2", "load 2 or more"}
    with pytest.raises(InputError, match="speed"):
        learn_baseline(reference, bins={"speed": (1.0,)})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rate": 0.0}, "rate"),
        ({"rate": 20.0}, "warning"),
        ({"learn": 3}, "learn"),
        ({"level": 1.0}, "level"),
    ],
)
def test_settings_out_of_range(options, says):
    with pytest.raises(InputError, match=says):
        MonitorSettings(**options)


def test_a_tooth_that_spreads_to_the_whole_gear_stays_the_tooth(fitted, limits):
    x = fitted.log_maps(200, 29)
    x[:, 5] += fitted.growing(200, 30, 0.9)[:, None]
    x[100:] += fitted.growing(100, 0, 2.0)[:, None, None]
    d = fitted.judge(x, limits=limits)
    assert (d.colour, d.pattern, d.gear, d.tooth, d.rules["alarm"].about) == (
        "RED",
        "one tooth",
        "driving",
        5,
        "driving tooth 5",
    )
    assert "whole gear" in d.also
    assert "All teeth rise too" in d.sentence
    assert "wear" in d.sentence
    assert "driving tooth 5" in d.next_look


def test_noise_that_grows_slowly_is_no_wear(fitted, limits):
    x = fitted.log_maps(40, 30)
    noise = np.abs(np.random.default_rng(0).normal(0.0, 1.0, x.shape)) * np.linspace(0.2, 8.0, 40)[:, None, None]
    d = fitted.judge(np.log(np.exp(x) + noise), limits=limits)
    assert (d.colour, d.pattern, d.tooth) == ("AMBER", "sensor or condition changed", None)


def test_ten_times_the_noise_is_no_wear_and_no_tooth(fitted, limits):
    x = fitted.log_maps(10, 30)
    noise = np.exp(fitted.log_maps(10, 31)[:, :1, :1]) * np.abs(np.random.default_rng(0).normal(10.0, 1.0, x.shape))
    for n in (1, 10):
        d = fitted.judge(np.log(np.exp(x) + noise)[:n], limits=limits)
        assert (d.colour, d.pattern, d.tooth) == ("AMBER", "sensor or condition changed", None)
        assert "look alike" in d.sentence


def test_all_teeth_louder_with_their_own_differences_are_no_teeth(fitted, limits):
    rng = np.random.default_rng(3)
    own = 0.35 * rng.standard_normal((12, 1)) + 0.35 * rng.standard_normal((1, 17))
    x = fitted.log_maps(8, 33) + 0.5 + own
    found = [fitted.judge(x[:n], limits=limits) for n in (4, 8)]
    assert [(d.colour, d.pattern, d.teeth) for d in found] == [("AMBER", "sensor or condition changed", ())] * 2
    x = fitted.log_maps(8, 33) + 0.5 + 0.3 * own
    x[:, 6] += 1.5
    assert fitted.judge(x, limits=limits).tooth == 6


def test_ring_teeth_a_planet_spacing_apart_are_one_tooth(fitted, limits):
    x = fitted.log_maps(20, 34)
    x[:, :, [2, 8, 13]] += np.array([0.6, 0.7, 0.6])
    d = fitted.judge(x, limits=limits, gears=("planet", "ring"), spacing=(0.0, 17 / 3, 34 / 3))
    assert (d.colour, d.pattern, d.tooth, set(d.teeth[0].alike)) == ("RED", "one tooth", 8, {2, 13})
    assert fitted.judge(x, limits=limits).pattern == "several teeth"


@pytest.mark.parametrize("tooth", [1, 8])
def test_planet_teeth_half_a_revolution_apart_are_one_tooth_seen_at_both_contacts(fitted, limits, tooth):
    x = fitted.log_maps(20, 35)
    x[:, tooth] += 0.9
    x[:, (tooth + 6) % 12] += 0.7
    d = fitted.judge(x, limits=limits, gears=("planet", "ring"))
    assert (d.pattern, d.tooth, d.teeth[0].contact) == ("one tooth", tooth, (tooth + 6) % 12)
    assert "one tooth" in d.sentence
    assert fitted.judge(x, limits=limits).pattern == "several teeth"
    x[:, (tooth + 3) % 12] += 0.9
    assert fitted.judge(x, limits=limits, gears=("planet", "ring")).pattern == "several teeth"


def test_a_first_harmonic_of_the_teeth_is_no_cycle_of_the_gear_unless_that_alarms(fitted, limits):
    from dataclasses import replace

    from toothwise.diagnosis.judging import judge

    x = fitted.log_maps(12, 40)
    x[:, 6] += 0.13
    wave = np.concatenate([0.2 * np.cos(2 * np.pi * np.arange(12) / 12), np.zeros(17)])
    seen = [replace(s, contrast=tuple(np.add(s.contrast, wave))) for s in fitted.seen(x)]
    d = judge(seen, fitted.baseline, limits=limits)
    assert (d.pattern, d.tooth) == ("one tooth", 6)


def test_the_tooth_that_leads_is_kept_and_a_change_of_it_is_said(fitted, limits):
    x = fitted.log_maps(50, 41)
    x[:15, 3] += 0.5
    x[15:, 9] += 0.7
    found = [fitted.judge(x[:n], limits=limits) for n in (15, 17, 50)]
    assert [d.tooth for d in found] == [3, 3, 9]
    assert "driving tooth 3" in found[2].sentence
    assert "by now this tooth stands out more" in found[2].sentence
    one_by_one = fitted.judge(x, limits=limits)
    assert found[2].sentence == one_by_one.sentence


def test_teeth_that_were_told_before_are_named_when_they_lead_no_more(fitted, limits):
    x = fitted.log_maps(95, 50)
    x[10:14, 3] += 0.3
    x[70:, 9] += 0.25
    x[80:, 5] += 1.6
    x[80:, 9] -= 0.2
    found = [fitted.judge(x[:n], limits=limits) for n in (14, 69, 79, 95)]
    assert [(d.colour, d.tooth) for d in found] == [("RED", 3), ("GREEN", None), ("RED", 9), ("RED", 5)]
    assert found[2].sentence.count("driving tooth 3") == 2  # what the first alarm was about, and that it has passed
    assert "What spoke for driving tooth 3 earlier, last at record" in found[2].sentence
    assert "driving tooth 3" in found[3].sentence
    assert "driving tooth 9" in found[3].sentence
    assert fitted.judge(x[70:79], limits=limits).sentence.count("driving tooth") == 0  # nothing came before


def test_that_a_change_began_before_it_alarmed_is_said_to_be_hindsight(fitted, limits):
    x = fitted.log_maps(N, 21)
    x[:, 4] += fitted.growing(N, ONSET, 0.6)[:, None]
    d = fitted.judge(x, limits=limits)
    assert d.since.number < d.alarmed.number <= d.rules["alarm"].first.number
    assert "only in hindsight" in d.sentence
    x = fitted.log_maps(20, 42)
    x[:, 4] += 0.6
    d = fitted.judge(x, limits=limits)
    assert d.since_interval[0].number == 1
    assert " since the first record or earlier" in d.sentence


def test_an_alarm_is_held_until_records_contradict_it_and_what_is_beyond_doubt_is_never_green(fitted, limits):
    x = fitted.log_maps(90, 32)
    x[10:13, 3] += 0.45
    x[10:13, 3, 8:] -= 0.2
    held, late = fitted.judge(x[:20], limits=limits), fitted.judge(x, limits=limits)
    assert (held.colour, held.tooth, held.held) == ("RED", 3, True)
    assert "leading hypothesis" in held.sentence
    assert late.colour != "RED"
    assert late.tooth is None
    x[10:13, 3] += 0.8
    late = fitted.judge(x, limits=limits)
    assert (late.colour, late.tooth) == ("AMBER", 3)  # two records beyond doubt are not forgotten
    assert late.contrast < 1.1
    assert (
        "until a new baseline is begun" in late.sentence
    )  # the records since contradict it, and it stays all the same
    quiet = fitted.log_maps(60, 33)
    quiet[10, 2] += 0.25
    d = fitted.judge(quiet, limits=limits)
    if d.rules["warning"].episodes and d.colour == "GREEN":
        assert "stands beyond its limit" not in d.sentence


def test_a_damaged_tooth_with_leaking_neighbours_is_one_tooth(fitted, limits):
    x = fitted.log_maps(20, 34)
    for tooth, more in ((5, 0.5), (6, 1.4), (7, 0.6), (8, 0.3)):
        x[:, tooth] += more
    d = fitted.judge(x, limits=limits)
    assert (d.pattern, d.tooth) == ("one tooth", 6)
    assert {5, 7} <= set(d.teeth[0].leak)


def test_nothing_is_said_of_records_without_a_healthy_baseline(fitted, limits):
    from dataclasses import replace

    from toothwise.diagnosis.judging import judge

    seen = [replace(s, channels=(), contrast=(), alone=()) for s in fitted.seen(fitted.log_maps(5, 35))]
    d = judge(seen, fitted.baseline, limits=limits)
    assert (d.colour, d.judged, d.unjudged) == ("UNKNOWN", 0, 5)
    assert "Nothing can be said" in d.sentence


def test_the_public_names_are_where_they_are_said_to_be():
    from toothwise import diagnosis

    assert all(callable(getattr(diagnosis, name)) for name in diagnosis.__all__)
    with pytest.raises(AttributeError, match="oracle"):
        _ = diagnosis.oracle


@pytest.mark.parametrize("louder", [0.0, 0.8, 1.5])  # 0.8 is no chance, but sound teeth differ by as much there
def test_records_of_another_speed_that_show_no_tooth_alone_are_looked_at_together(fitted, limits, louder):
    rng, axes = np.random.default_rng(5), fitted.baseline.line_axis
    tooth = int(np.flatnonzero(axes == 2)[9])
    seen = []
    for k in range(6):
        contrast = 0.5 * rng.standard_normal(len(axes))
        contrast[tooth] += louder
        place = "speed 25 rev/s was not learned (40 to 40)"
        seen.append(RecordSummary(f"r{k}", None, place, "", (), tuple(contrast), 0.0, 0.0, False, "nothing", None))
    d = judge(seen, fitted.baseline, limits=limits)
    assert (d.colour, d.gear, d.tooth) == (("AMBER", "driven", 9) if louder > 1 else ("UNKNOWN", None, None))
