"""What is found by name, what is guessed and said, and what is asked back."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toothwise.errors import GuessWarning, InputError
from toothwise.vibration.readers import RecordMapping, read_record
from toothwise.vibration.readers.names import read_name, unit_factor
from toothwise.vibration.readers.time_column import uniform_rate

N = 2000
ACC = np.random.default_rng(0).standard_normal(N)
WAVE = (np.arange(N) % 100 < 5) * 1.0
TIME = np.arange(N) / 1000


def read(folder, options=None, **arrays):
    """Through a file, silent where nothing had to be guessed."""
    np.savez(folder / "a.npz", **arrays)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore" if options is not None and options.pop("quiet", False) else "error", GuessWarning
        )
        return read_record(folder / "a.npz", **(options or {}))


def refused(folder, words, options=None, **arrays):
    with pytest.raises(InputError, match=words) as caught:
        read(folder, options, **arrays)
    assert str(caught.value).startswith(str(folder / "a.npz") + ": ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Vibration", "vibration"),
        ("VIB_1 [m/s2]", "vibration"),
        ("accel-x", "vibration"),
        ("x", "vibration"),
        ("bearing.gs", "vibration"),
        ("X097_DE_time", "vibration"),
        ("Group 1/Signal", "vibration"),
        ("tacho", "tacho"),
        ("Keyphasor (V)", "tacho"),
        ("run.ENCODER", "tacho"),
        ("pulse_times", "tacho"),
        ("Fs", "rate"),
        ("sample_rate", "rate"),
        ("Sampling Frequency [Hz]", "rate"),
        ("SR", "rate"),
        ("dt", "interval"),
        ("Time (ms)", "time"),
        ("t", "time"),
        ("pulses_per_revolution", "pulses"),
        ("ppr", "pulses"),
        ("rpm", "other"),
        ("Temperature [C]", "other"),
        ("foo", "unknown"),
    ],
)
def test_a_name_says_its_role(name, role):
    assert read_name(name).role == role


def test_a_time_name_says_its_unit():
    names = {"t": 1, "time_ms": 1e-3, "Time [us]": 1e-6, "time (s)": 1, "t_s": 1}
    assert {name: unit_factor(read_name(name)) for name in names} == names


def test_the_best_names_win_and_the_rest_stays_out(tmp_path):
    record = read(tmp_path, vib=ACC, acc_y=2 * ACC, x=3 * ACC, data=4 * ACC, rpm=5 * ACC, tacho=WAVE, fs=1000, t=TIME)
    assert list(record.channels) == ["vib", "acc_y"]
    np.testing.assert_array_equal(record.tacho.values, WAVE)
    assert record.provenance["guessed"] == []


def test_a_single_signal_without_a_telling_name_is_taken_and_said(tmp_path):
    np.savez(tmp_path / "a.npz", foo=ACC, fs=1000)
    with pytest.warns(GuessWarning, match=r"a\.npz: foo is taken as vibration") as said:
        record = read_record(tmp_path / "a.npz")
    assert len(said) == 1
    assert record.provenance["guessed"] == ["foo is taken as vibration"]


def test_candidates_that_cannot_be_told_apart_are_asked_back(tmp_path):
    refused(tmp_path, "foo, bar may all be vibration: name the channels with channels=", foo=ACC, bar=ACC, fs=1)
    refused(tmp_path, r"vib_1 \(2000 samples\), vib_2 \(999 samples\).*channels=", vib_1=ACC, vib_2=ACC[:999], fs=1)
    refused(tmp_path, "tach_a, tach_b may all be the tachometer.*tacho=", vib=ACC, tach_a=WAVE, tach_b=WAVE, fs=1)
    refused(tmp_path, "several sampling rates, fs 10, sr 20: give sampling_rate=", vib=ACC, fs=10, sr=20)
    refused(
        tmp_path, "several pulses per rev.*pulses_per_revolution=", vib=ACC, tacho=WAVE, fs=9, ppr=1, pulses_per_rev=2
    )


def test_the_mapping_says_what_names_do_not(tmp_path):
    mapping = RecordMapping(
        channels={"case": "foo"}, tacho="bar", sampling_rate="f", tacho_shaft="output", tacho_ratio=2.5, unit="g"
    )
    record = read(tmp_path, {"mapping": mapping}, foo=ACC, bar=WAVE, other=ACC, f=500.0)
    np.testing.assert_array_equal(record.channel("case"), ACC)
    assert (record.sampling_rate, record.unit) == (500, "g")
    assert (record.tacho.shaft, record.tacho.ratio, record.tacho.kind) == ("output", 2.5, "waveform")
    record = read(tmp_path, {"mapping": mapping, "sampling_rate": 7, "tacho": "none"}, foo=ACC, bar=WAVE, f=500.0)
    assert (record.sampling_rate, record.tacho) == (7, None)


def test_names_that_are_given_need_not_be_exact(tmp_path):
    arrays = {"Rig.Foo": ACC, "Rig.Bar": WAVE, "fs": 10}
    record = read(tmp_path, {"channels": "foo", "tacho": "RIG.BAR"}, **arrays)
    assert list(record.channels) == ["foo"]
    refused(tmp_path, "channels='z' is no signal of the file: it has Rig.Foo, Rig.Bar", {"channels": "z"}, **arrays)
    refused(tmp_path, "tacho='z' is no signal", {"channels": "foo", "tacho": "z"}, **arrays)
    refused(tmp_path, "sampling_rate='z' is no number of the file: it has fs", {"sampling_rate": "z"}, **arrays, x=ACC)


def test_the_columns_of_one_array_are_its_channels(tmp_path):
    record = read(tmp_path, vibration=np.stack([ACC, 2 * ACC, 3 * ACC], 1), fs=10)
    assert list(record.channels) == ["vibration_1", "vibration_2", "vibration_3"]
    np.testing.assert_array_equal(record.channel("vibration_3"), 3 * ACC)
    record = read(tmp_path, {"channels": ["foo_2"], "tacho": "foo_1"}, foo=np.stack([WAVE, ACC]), fs=10)
    np.testing.assert_array_equal(record.channel(), ACC)


def test_kinds_of_tachometers(tmp_path):
    quiet = {"quiet": True}
    times = np.arange(0.05, 1.9, 0.1)
    assert read(tmp_path, dict(quiet), vib=ACC, tacho=times, fs=1000).tacho.kind == "times"
    assert read(tmp_path, dict(quiet), vib=ACC, tacho=TIME * 7, fs=1000).tacho.kind == "angle"
    assert read(tmp_path, dict(quiet), vib=ACC, tacho=-TIME * 7, fs=1000).tacho.kind == "angle"
    assert read(tmp_path, vib=ACC, tacho=WAVE, fs=1000).tacho.kind == "waveform"
    angle = read(tmp_path, dict(quiet), vib=ACC, encoder_deg=TIME * 360, fs=1000).tacho
    np.testing.assert_allclose(angle.values, TIME, rtol=1e-15)
    fast = {"mapping": RecordMapping(tacho_sampling_rate=4000)}
    tacho = read(tmp_path, fast, vib=ACC, tacho=np.tile(WAVE, 4), fs=1000).tacho
    assert (tacho.kind, tacho.sampling_rate) == ("waveform", 4000)


def test_a_tachometer_that_fits_nothing_is_asked_back(tmp_path):
    refused(tmp_path, "tacho has 700 values beside 2000.*tacho_kind= and", vib=ACC, tacho=WAVE[:700], fs=1000)
    far = np.arange(10) * 100.0
    refused(tmp_path, "goes from 0 to 900, but the record lasts 2 s", vib=ACC, tacho=far, fs=1000)


def test_whole_numbers_of_a_tachometer_become_floats(tmp_path):
    tacho = read(tmp_path, vib=ACC, tacho=(WAVE * 30000).astype("i2"), fs=1000).tacho
    assert tacho.values.dtype == np.float32


def test_pulse_times_count_from_the_start_as_the_time_column_does(tmp_path):
    record = read(tmp_path, {"quiet": True}, vib=ACC, time=TIME + 50, tacho=50 + np.arange(0.1, 1.9, 0.1))
    np.testing.assert_allclose(record.tacho.values, np.arange(0.1, 1.9, 0.1), atol=1e-12)
    assert any("50 s were subtracted" in sentence for sentence in record.provenance["guessed"])


def test_the_sampling_rate_is_asked_for(tmp_path):
    refused(tmp_path, "no sampling rate: give it in Hz with sampling_rate=", vib=ACC)
    refused(tmp_path, "sampling_rate must be a number, above 0, but got -5", vib=ACC, fs=-5)
    assert read(tmp_path, vib=ACC, dt=0.002).sampling_rate == 500
    assert read(tmp_path, vib=ACC, time_ms=TIME).sampling_rate == pytest.approx(1e6)


def test_an_uneven_time_column_says_how_uneven(tmp_path):
    uneven = np.delete(np.arange(N + 1), 1000) / 1000
    refused(tmp_path, r"time is not uniform: its steps are 0\.001 to 0\.002 s.* 0\.5 steps off", vib=ACC, time=uneven)
    assert read(tmp_path, {"sampling_rate": 1000}, vib=ACC, time=uneven).sampling_rate == 1000
    refused(tmp_path, "time does not increase", vib=ACC, time=-TIME)
    gap = TIME.copy()
    gap[5] = np.nan
    refused(tmp_path, r"time has gaps \(NaN\)", vib=ACC, time=gap)


@given(st.floats(0.01, 1e6), st.integers(2, 500), st.floats(-100, 100))
def test_a_uniform_time_column_gives_its_rate(rate, n, start):
    error = 2e-14 * max(abs(start), n / rate) * rate  # rounding of the instants, in steps
    if error < 0.2:
        assert uniform_rate(start + np.arange(n) / rate) == pytest.approx(rate, rel=max(2 * error, 2e-9))


@given(st.integers(3, 300), st.data())
def test_one_missing_sample_is_noticed_wherever_it_is(n, data):
    missing = data.draw(st.integers(1, n - 1))
    with pytest.raises(InputError, match="not uniform"):
        uniform_rate(np.delete(np.arange(n + 1.0), missing))


def test_instants_written_with_few_digits_are_uniform():
    assert uniform_rate(np.round(np.arange(100_000) / 25600, 5)) == pytest.approx(25600, rel=1e-5)
