import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toothwise.vibration import quality
from toothwise.vibration.quality import check_record
from toothwise.vibration.records import Tachometer, VibrationRecord

RATE = 1000.0


def findings(values, tacho=None):
    return {f.kind: f for f in check_record(VibrationRecord({"acc": np.asarray(values)}, RATE, tacho))}


def sine(n=100_000, periods=37.3):
    return np.sin(2 * np.pi * periods * (np.arange(n) + 0.5) / n)


def test_a_sound_record_has_no_findings():
    assert findings(sine()) == {}
    assert findings(np.random.default_rng(0).standard_normal(50_000)) == {}


@pytest.mark.parametrize("amplitude", [3, 20, 100, 1000, 30000])
def test_the_rounded_top_of_a_sine_in_whole_numbers_is_not_clipped(amplitude):
    assert findings(np.round(amplitude * sine()).astype(np.int16)) == {}


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("kind", ["float64", "float32", "int16"])
def test_a_clipped_sine_says_the_share_that_is_cut(level, kind):
    scale = 20000 if kind == "int16" else 1
    values = np.clip(np.round(scale * sine()) if kind == "int16" else sine(), -level * scale, level * scale)
    found = findings(values.astype(kind))["clipped"]
    # |sin| >= level during 2 acos(level) / pi of a period
    assert found.values["share"] == pytest.approx(2 * np.arccos(level) / np.pi, abs=2e-3)
    assert found.values["high"] == pytest.approx(level * scale, rel=1e-6)


def test_clipping_on_one_side_alone():
    found = findings(np.minimum(sine(periods=37), 0.8))["clipped"]
    assert found.values["share"] == pytest.approx(np.arccos(0.8) / np.pi, abs=2e-3)
    assert "clipped at 0.8:" in found.message


def test_gaps_are_counted_in_samples_and_runs():
    values = sine()
    values[10:15] = values[50] = values[-3:] = np.nan
    found = findings(values)
    assert found["gaps"].values == {"samples": 9, "gaps": 3, "longest": 5}
    assert set(found) == {"gaps"}


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 61))
def test_runs_do_not_care_where_the_pieces_end(mask, piece):
    array = np.array(mask)
    text = "".join("x" if one else " " for one in mask)
    lengths = [len(run) for run in text.split()]
    assert quality._runs(array[begin : begin + piece] for begin in range(0, len(array), piece)).tolist() == lengths


def test_constant_infinite_and_empty_channels():
    assert findings(np.full(50, 3))["constant"].values == {"value": 3.0}
    assert findings([1.0, np.inf, 2.0, -np.inf])["infinite"].values == {"samples": 2}
    assert findings(np.full(50, np.nan))["gaps"].values == {"samples": 50, "gaps": 1, "longest": 50}


@pytest.mark.parametrize(
    ("tacho", "kind", "values"),
    [
        (Tachometer("waveform", np.full(9, 2.0)), "flat_tacho", {"pulses": 0}),
        (Tachometer("waveform", np.array([0.0, 0, 5, 5, 0, 0, 0, 0, 0])), "flat_tacho", {"pulses": 1}),
        (Tachometer("angle", np.full(9, 2.0)), "flat_tacho", {"revolutions": 0.0}),
        (Tachometer("times", np.array([0.5])), "flat_tacho", {"pulses": 1}),
        (Tachometer("times", np.array([0.1, 0.3, 0.2, 0.25])), "tacho_order", {"index": 2}),
    ],
)
def test_a_tachometer_that_says_nothing(tacho, kind, values):
    found = findings(np.arange(9.0), tacho)
    assert found[kind].values == values
    assert found[kind].channel == "tacho"


def test_a_sound_tachometer_has_no_findings():
    for tacho in (
        Tachometer("waveform", np.array([0.0, 5, 0, 0, 5, 0, 0, 5, 0])),
        Tachometer("angle", np.linspace(0, 2, 9)),
        Tachometer("times", np.array([0.1, 0.2, 0.3])),
    ):
        assert findings(np.arange(9.0), tacho) == {}
