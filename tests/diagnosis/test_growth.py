"""Growth now, and when a level is reached: intervals that hold in every law, and nothing where nothing can be said."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from toothwise.diagnosis.growth import fit_growth

T = np.arange(60.0)
LAWS = {
    "steady": lambda t: 0.008 * t,
    "quadratic": lambda t: 0.55 * (t / 60.0) ** 2,
    "runaway": lambda t: -0.25 * np.log(np.maximum(1.0 - t / 75.0, 1e-9)),
}


def noisy(law, seed, *, noise=0.03, before=30, n=60):
    """Log contrast of ``before`` healthy records and ``n`` since onset."""
    y = np.concatenate([np.zeros(before), law(np.arange(float(n)))])
    return y + noise * np.random.default_rng(seed).standard_normal(len(y))


@pytest.mark.parametrize("law", LAWS)
def test_intervals_hold_the_growth_and_the_time_of_the_level(law):
    curve = LAWS[law]
    future = np.linspace(0.0, 400.0, 40001)
    until = future[(curve(59.0 + future) >= np.log(2.0)).argmax()]
    grows, predicted, held = [], 0, []
    for seed in range(24):
        g = fit_growth(noisy(curve, seed), level=2.0, since=30)
        slope = (curve(59.0) - curve(59.0 - g.recent)) / g.recent
        grows.append(g.interval[0] <= np.exp(100.0 * slope) <= g.interval[1])
        if g.reached is not None:
            predicted += 1
            held.append(g.reached_interval[0] <= until <= g.reached_interval[1])
            assert g.not_before <= g.reached_interval[0] <= g.reached
    assert np.mean(grows) >= 0.85
    assert predicted >= 14
    assert np.mean(held) >= 0.75  # of one law with the same numbers each time; over many see benchmarks/prediction.py


@pytest.mark.parametrize("law", [lambda t: np.where(t > 20, 0.4, 0.0), lambda t: 0.02 * np.minimum(t, 20.0)])
def test_what_has_stopped_is_not_extrapolated(law):
    found = [fit_growth(noisy(law, seed), level=2.0, since=30) for seed in range(20)]
    assert np.mean([g.not_before is None for g in found]) > 0.9
    assert np.mean([g.clear for g in found]) < 0.1
    assert "no clear growth" in found[0].says
    assert "no prediction can be made" in found[0].outlook


def test_the_growth_is_the_present_one_and_not_the_mean_since_onset():
    quickens = noisy(lambda t: 0.001 * t + 0.02 * np.maximum(t - 80.0, 0.0), 0, n=120)
    g = fit_growth(quickens, level=5.0, since=30)
    assert g.recent == 30
    assert g.interval[0] <= np.exp(2.1) <= g.interval[1]
    assert g.interval[0] > np.exp(0.9)  # the mean since onset


def test_levels_reached_or_far_away_and_too_few_records():
    there = fit_growth(noisy(lambda t: 0.9 + 0.01 * t, 0), level=2.0, since=30)
    assert there.not_before is None
    assert "already" in there.outlook
    far = fit_growth(noisy(LAWS["steady"], 0), level=10.0, since=30)
    assert far.reached is None
    assert 30 < far.not_before <= 180
    assert "not before" in far.outlook
    assert fit_growth(np.arange(39.0), level=2.0, since=30) is None
    steep = fit_growth(3.0 * np.arange(12.0), level=2.0)
    json.loads(json.dumps(asdict(steep), allow_nan=False, default=str))


@pytest.mark.parametrize(
    ("times", "unit", "per_record"),
    [
        ([f"2026-03-{1 + k // 24:02}T{k % 24:02}:00:00" for k in range(0, 180, 2)], "h", 2.0),
        ([500.0 * k for k in range(90)], "", 500.0),
        (list(range(90)), "", None),
        ([None] * 90, "", None),
    ],
)
def test_the_outlook_is_in_the_time_of_the_records_too(times, unit, per_record):
    g = fit_growth(noisy(LAWS["steady"], 0), level=2.0, since=30, times=times)
    assert (g.per_record, g.unit) == (per_record, unit)
    assert ("pace" in g.outlook, "unit of their times" in g.outlook) == (unit == "h", per_record == 500.0)


def test_an_interval_that_says_nothing_is_not_printed():
    rng = np.random.default_rng(4)
    said = {str(says) for k in range(40) for says in _said(0.4 * rng.standard_normal(6 + k % 5))}
    assert any("do not tell whether it grows" in one for one in said)
    shown = [float(one.split(" to ")[1].split()[0]) for one in said if one.startswith("no clear growth")]
    assert max(shown, default=1.0) <= 100.0


def _said(y):
    found = fit_growth(y, level=2.0)
    return () if found is None else (found.messages["says"][0],)
