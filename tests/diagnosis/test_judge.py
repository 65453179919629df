"""A sequence of records: which state, which pattern, since when; and what is no tooth."""

import numpy as np
import pandas as pd
import pytest

from toothwise.diagnosis.baseline import learn_baseline
from toothwise.diagnosis.settings import MonitorSettings, Reset
from toothwise.diagnosis.summary import summarize_records
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
    assert d.rules["in_a_row"].episodes
    assert d.rules["bound"].episodes
    assert d.contrast == pytest.approx(np.exp(0.57), rel=0.15)
    assert d.growth.interval[0] > 1
    assert d.sentence.startswith(f"{gear.capitalize()} tooth {tooth} is going bad since about record")
    assert d.confidence.startswith("High")


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
        assert abs(d.since.number - 61) <= 2
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
    assert fitted.judge(x, limits=limits).state == "alarm"
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
    seen, _ = summarize_records(maps, table, detector, reference, baseline, sensors="sensor")
    assert len(seen) == 100
    d = judge(seen, baseline)
    assert (d.state, d.teeth[0].tooth) == ("alarm", 5)
    with pytest.raises(InputError, match="knows sensors left, right"):
        summarize_records(maps[::2], table.iloc[::2], detector, reference, baseline)
    with pytest.raises(InputError, match="lacks sensor right"):
        summarize_records(maps[:-1], table.iloc[:-1], detector, reference, baseline, sensors="sensor")


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
    seen, _ = summarize_records(maps, table, detector, reference, baseline, bins=bins)
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
        ({"in_a_row": 0}, "in_a_row"),
        ({"learn": 3}, "learn"),
        ({"level": 1.0}, "level"),
    ],
)
def test_settings_out_of_range(options, says):
    with pytest.raises(InputError, match=says):
        MonitorSettings(**options)


def test_what_began_with_a_tooth_and_spread_is_told_in_that_order(fitted, limits):
    x = fitted.log_maps(200, 29)
    x[:, 5] += fitted.growing(200, 30, 0.9)[:, None]
    x[100:] += fitted.growing(100, 0, 2.0)[:, None, None]
    d = fitted.judge(x, limits=limits)
    assert (d.pattern, d.began_with) == ("whole gear", "driving tooth 5")
    first = f"Driving tooth 5 alarmed first, at record {d.rules['alarm'].first.record}; the whole gear has been off"
    assert d.sentence.startswith(first)
    assert "driving tooth 5 first" in d.next_look


def test_the_public_names_are_where_they_are_said_to_be():
    from toothwise import diagnosis

    assert all(callable(getattr(diagnosis, name)) for name in diagnosis.__all__)
    with pytest.raises(AttributeError, match="oracle"):
        _ = diagnosis.oracle
