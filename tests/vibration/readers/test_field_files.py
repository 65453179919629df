"""Files as they come from the field: units, layouts, channels that begin apart, and encoders of every form."""

import warnings

import numpy as np
import pytest

from toothwise import GearPair, build_map
from toothwise.errors import GuessWarning, InputError
from toothwise.vibration.periods import record_angle
from toothwise.vibration.readers import RecordMapping, read_record, write_record
from toothwise.vibration.readers.units import angle_turns, number_of, rate_hertz, time_seconds
from toothwise.vibration.records import Tachometer, VibrationRecord

FS, PAIR, TOOTH = 8000, GearPair(11, 14), 4


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GuessWarning)
        yield


def _machine(turns=90.0, start=0.3):
    """Time, driving angle (0 = tooth 0 enters) and vibration with one ringing driving tooth."""
    t = np.arange(int(turns / 20 * FS)) / FS
    angle = 20 * (t + 0.01 * np.sin(2 * np.pi * 0.4 * t)) - start
    event = 11 * angle
    tooth, phase = np.floor(event) % 11, event % 1.0
    x = np.sin(2 * np.pi * event) + 0.05 * np.random.default_rng(0).standard_normal(len(t))
    x += (tooth == TOOTH) * np.sin(2 * np.pi * 6.3 * phase) * np.sin(np.pi * phase) ** 2
    return t, angle, x.astype("f4")


def _pulses(angle):
    return 5.0 * (np.mod(angle, 1) < 0.1)


def _loudest(record):
    row = np.nanmedian(build_map(record, PAIR).values, axis=1)
    assert row.max() > 2.5 * np.median(row)
    return int(row.argmax())


def _npz(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("name", "of", "options"),
    [
        ("angle_deg", lambda r: np.mod(r, 1) * 360, {}),
        ("theta", lambda r: np.mod(r, 1) * 360, {}),
        ("theta_deg", lambda r: np.mod(r, 1) * 360, {}),
        ("pos_deg", lambda r: np.mod(r + 0.5, 1) * 360 - 180, {}),
        ("phi", lambda r: np.mod(r, 1) * 2 * np.pi, {}),
        ("encoder", lambda r: np.mod(r + 0.5, 1) * 360 - 180, {}),
        ("angle", lambda r: np.mod(r, 1) * 2 * np.pi, {}),
        ("shaft_angle_rad", lambda r: 2 * np.pi * (r + 7), {}),
        ("encoder", lambda r: np.mod(r, 1), {}),
        ("angle_rev", lambda r: r + 12, {}),
        ("encoder", lambda r: np.floor(np.mod(r, 1) * 4096), {}),
        ("encoder_counts", lambda r: np.floor(np.mod(r, 1) * 1000), {"pulses_per_revolution": 1000}),
    ],
)
def test_encoders_by_unit_name_and_form(tmp_path, name, of, options):
    for start in (0.3, 0.85):
        _, angle, x = _machine(start=start)
        record = read_record(_npz(tmp_path / "a.npz", vibration=x, fs=FS, **{name: of(angle)}), **options)
        assert record.tacho.kind == "angle"
        assert record_angle(record, PAIR).zero_step == 1
        assert _loudest(record) == TOOTH


@pytest.mark.parametrize("counter", [lambda c: c, lambda c: np.mod(c, 65536), lambda c: np.mod(c, 8192)])
def test_a_counter_tells_speed_and_no_tooth(tmp_path, counter):
    _, angle, x = _machine()
    counts = counter(np.floor((angle + 3) * 1000))
    path = _npz(tmp_path / "a.npz", vibration=x, encoder_counts=counts, fs=FS)
    record = read_record(path, pulses_per_revolution=1000)
    found = record_angle(record, PAIR)
    assert np.median(found.speed()) == pytest.approx(20, rel=0.02)
    assert found.zero_step is None
    assert any("stays unknown" in sentence for sentence in record.provenance["guessed"])


def test_an_encoder_without_a_resolution_is_asked_back(tmp_path):
    _, angle, x = _machine()
    path = _npz(tmp_path / "a.npz", vibration=x, encoder_counts=np.floor(angle * 500 + 900), fs=FS)
    with pytest.raises(InputError, match="resolution: give pulses_per_revolution="):
        read_record(path)


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("tacho", lambda s: s),
        ("tacho_ms", lambda s: s * 1e3),
        ("pulse_times_us", lambda s: s * 1e6),
        ("tacho", lambda s: np.rint(s * FS)),
    ],
)
def test_pulse_times_in_any_unit(tmp_path, name, of):
    t, angle, x = _machine()
    at = np.interp(np.arange(0, int(angle[-1]) + 1), angle, t)
    record = read_record(_npz(tmp_path / "a.npz", vibration=x, fs=FS, **{name: of(at)}))
    assert record.tacho.kind == "times"
    assert _loudest(record) == TOOTH


@pytest.mark.parametrize("name", ["speed_rpm", "shaft_speed"])
@pytest.mark.parametrize("every", [1, 40])
def test_a_speed_is_a_tachometer_without_a_tooth(tmp_path, name, every):
    _, angle, x = _machine()
    rpm = 60 * np.gradient(angle, 1 / FS)[::every]
    record = read_record(_npz(tmp_path / "a.npz", vibration=x, fs=FS, **{name: rpm}), tacho=name)
    assert record.tacho.kind == "speed"
    assert np.mean(record_angle(record, PAIR).speed()) == pytest.approx(20, rel=0.01)
    zeros = build_map(record, PAIR).provenance["tooth_zero"]
    assert {zero["known"] for zero in zeros.values()} == {"unknown"}


@pytest.mark.parametrize("late", ["tacho", "vibration"])
@pytest.mark.parametrize("how", ["start", "offset"])
def test_tdms_channels_that_begin_apart(tmp_path, late, how):
    nptdms = pytest.importorskip("nptdms")
    _, angle, x = _machine()
    seconds = 0.02004
    skipped = int(seconds * FS) + 1  # not on a sample: the start says 20.04 ms, the first sample taken is the next
    seconds = skipped / FS
    arrays = {"vibration": x, "tacho": _pulses(angle)}
    begin = np.datetime64("2024-05-01T10:00:00.000000")
    objects = []
    for name, values in arrays.items():
        said = {"wf_increment": 1 / FS, "wf_start_time": begin}
        if name == late:
            values = values[skipped:]
            if how == "start":
                said["wf_start_time"] = begin + np.timedelta64(round(seconds * 1e6), "us")
            else:
                said["wf_start_offset"] = seconds
        else:
            values = values[:-skipped]
        objects.append(nptdms.ChannelObject("G", name, values, said))
    with nptdms.TdmsWriter(tmp_path / "a.tdms") as file:
        file.write_segment(objects)
    record = read_record(tmp_path / "a.tdms")
    assert _loudest(record) == TOOTH
    write_record(record, tmp_path / "b.npz")
    assert _loudest(read_record(tmp_path / "b.npz")) == TOOTH


def test_mf4_groups_that_begin_apart(tmp_path):
    t, angle, x = _machine()
    late = 200
    asammdf = pytest.importorskip("asammdf")
    with asammdf.MDF(version="4.10") as file:
        file.append([asammdf.Signal(x[:-late], t[:-late], name="vibration")])
        file.append([asammdf.Signal(_pulses(angle)[late:], t[late:], name="tacho")])
        file.save(tmp_path / "a.mf4")
    assert _loudest(read_record(tmp_path / "a.mf4")) == TOOTH


def test_vibration_channels_that_begin_apart_are_cut_to_their_common_span(tmp_path):
    nptdms = pytest.importorskip("nptdms")
    ramp = np.arange(1000.0)
    objects = [
        nptdms.ChannelObject("G", f"acc_{k}", ramp[10 * k :], {"wf_increment": 0.001, "wf_start_offset": 0.01 * k})
        for k in range(2)
    ]
    with nptdms.TdmsWriter(tmp_path / "a.tdms") as file:
        file.write_segment(objects)
    record = read_record(tmp_path / "a.tdms")
    np.testing.assert_array_equal(record.channel("acc_0"), record.channel("acc_1"))
    assert any("cut to the 990 samples" in sentence for sentence in record.provenance["guessed"])


MICRO = ("us", "\u00b5s", "\u03bcs", "usec", "microseconds")


@pytest.mark.parametrize(
    ("unit", "factor"),
    [(u, 1) for u in ("s", "sec", "Seconds")]
    + [(u, 1e3) for u in ("ms", "msec", "milliseconds")]
    + [(u, 1e6) for u in MICRO]
    + [("min", 1 / 60)],
)
def test_units_of_time(tmp_path, unit, factor):
    t, angle, x = _machine(40)
    rows = "".join(f"{a * factor:.12g},{b:.6g},{c:g}\n" for a, b, c in zip(t, x, _pulses(angle), strict=True))
    for k, header in enumerate((f"Time [{unit}],Acc [g],Tacho [V]\n", f"Time,Acc,Tacho\n{unit},g,V\n")):
        path = tmp_path / f"a{k}.csv"
        path.write_text(header + rows, encoding="utf-8")
        record = read_record(path)
        assert record.sampling_rate == pytest.approx(FS, rel=1e-6)
        assert record.unit == "g"
    (tmp_path / "a.csv").write_text("Time [fortnight],Acc,Tacho\n" + rows, encoding="utf-8")
    with pytest.raises(InputError, match="the unit 'fortnight', which is no unit of time"):
        read_record(tmp_path / "a.csv")


@pytest.mark.parametrize("said", ["8000", "8,000", "8 kHz", "8.0 kS/s", "8000 Hz", "8000.0 S/s", "8,000 samples/s"])
def test_a_rate_as_text(tmp_path, said):
    x = np.sin(np.arange(500.0))
    assert read_record(_npz(tmp_path / "a.npz", vibration=x, fs=said)).sampling_rate == 8000
    (tmp_path / "a.csv").write_text(f"# sample rate: {said}\nAcc\n" + "\n".join(map(str, x)), encoding="utf-8")
    assert read_record(tmp_path / "a.csv").sampling_rate == 8000
    assert read_record(_npz(tmp_path / "b.npz", vibration=x), sampling_rate=said).sampling_rate == 8000
    with pytest.raises(InputError, match=r"the unit 'furlongs'.*allowed are Hz, kHz"):
        read_record(_npz(tmp_path / "c.npz", vibration=x, fs="8 furlongs"))


def test_words_of_units():
    assert {time_seconds(u, "") for u in MICRO} == {1e-6}
    assert rate_hertz("kHz", "") == 1000
    assert angle_turns("\u00b0") == pytest.approx(1 / 360)
    assert number_of("1,234,567.5")[0] == 1234567.5
    assert number_of("12.800,5")[0] == 12800.5
    assert number_of("2024-05-01") is None


LABVIEW = (
    "LabVIEW Measurement\t\nWriter_Version\t2\nReader_Version\t2\nSeparator\tTab\nDecimal_Separator\t.\n"
    "Multi_Headings\tNo\nX_Columns\tOne\nTime_Pref\tAbsolute\n***End_of_Header***\t\t\nChannels\t2\t\nSamples\t3\t3\n"
    "Date\t2024/05/01\t2024/05/01\nX_Dimension\tTime\tTime\nX0\t0.0E+0\t0.0E+0\n"
    "Delta_X\t1.25E-4\t1.25E-4\n***End_of_Header***\t\t\nX_Value\tAcc\tTacho\tComment\n"
)


def _texts():
    t, angle, x = _machine(40)
    cells = [(f"{a:.9g}", f"{b:.6g}", f"{c:g}") for a, b, c in zip(t, x, _pulses(angle), strict=True)]
    lines = [",".join(row) for row in cells]
    tabs = ["\t".join(row) for row in cells]
    return {
        "comma.csv": ("Time,Acc,Tacho,\n" + "".join(f"{line},\n" for line in lines), "utf-8"),
        "comma_in_rows.csv": ("Time,Acc,Tacho\n" + "".join(f"{line},\n" for line in lines), "utf-8"),
        "units.csv": ("Time,Acc,Tacho\n[s],[g],[V]\n" + "\n".join(lines), "utf-8"),
        "wide.csv": ("Time,Acc,Tacho\n" + "\n".join(lines), "utf-16"),
        "wide_without_mark.txt": ("Time\tAcc\tTacho\n" + "\n".join(tabs), "utf-16-le"),
        "labview.lvm": (LABVIEW + "".join(f"{line}\t\n" for line in tabs), "utf-8"),
        "labview.txt": (LABVIEW + "\n".join(tabs), "utf-8"),
        "decimal.csv": ("Time;Acc;Tacho\ns;g;V\n" + "\n".join(";".join(r).replace(".", ",") for r in cells), "utf-8"),
    }


@pytest.mark.parametrize("name", list(_texts()))
def test_layouts_of_text(tmp_path, name):
    text, encoding = _texts()[name]
    (tmp_path / name).write_bytes(text.encode(encoding))
    record = read_record(tmp_path / name)
    assert list(record.channels) == ["Acc"]
    assert record.sampling_rate == pytest.approx(FS, rel=1e-6)
    assert _loudest(record) == TOOTH


def test_edge_threshold_and_a_given_zero(tmp_path):
    _, angle, x = _machine(start=0.0)
    path = _npz(tmp_path / "a.npz", vibration=x, tacho=-_pulses(angle - 1e-3), fs=FS)
    record = read_record(path, mapping=RecordMapping(tacho_edge="falling", tacho_threshold=-1.0, tacho_zero="given"))
    found = record_angle(record, PAIR)
    assert (found.zero_by, found.zero_step) == ("given", 1)
    assert _loudest(record) == TOOTH
    back = read_record(write_record(record, tmp_path / "b.npz"))
    assert (back.tacho.edge, back.tacho.threshold, back.tacho.zero) == ("falling", -1.0, "given")
    with pytest.raises(InputError, match="tacho_edge must be one of 'rising', 'falling'"):
        Tachometer("waveform", np.zeros(9), edge="up")
    with pytest.raises(InputError, match="tacho_zero must be one of"):
        VibrationRecord({"x": x}, FS, Tachometer("times", np.arange(3.0), zero="known"))


_ROWS = [(f"{k / 1000:.3f}", f"{np.sin(k):.4f}", str(5 * (k % 10 == 0))) for k in range(400)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(("unit", "factor"), [("s", 1.0), ("µs", 1e6)])
def test_letters_of_old_loggers_are_read(tmp_path, encoding, unit, factor):
    rows = [f"{float(t) * factor:.9g};{x};{y}" for t, x, y in _ROWS]
    text = "\n".join([f"Zeit [{unit}];Körperschall [m/s²];Drehgeber [V]", *rows])
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    record = read_record(tmp_path / "a.csv")
    assert (record.sampling_rate, record.unit) == (1000.0, "m/s²")
    assert list(record.channels) == ["Körperschall [m/s²]"]  # by its unit: the name says nothing


@pytest.mark.parametrize(
    "above",
    [
        ["# Sampling Rate = 1,000 Hz", "Acc (m/s^2),Tacho (V)"],
        ["Sampling Rate,1000", "Acc,Tacho"],
        ["Logger,X3", "fs,1000 Hz", "", "Acc,Tacho", "g,V"],
        ["fs: 1 kHz", "Acc,Tacho"],
    ],
)
@pytest.mark.parametrize("numbered", [False, True])
def test_header_lines_and_numbered_rows(tmp_path, above, numbered):
    names = max(k for k, line in enumerate(above) if line.startswith("Acc"))
    lines = [f",{line}" if numbered and k >= names else line for k, line in enumerate(above)]
    rows = [f"{k},{x},{y}" if numbered else f"{x},{y}" for k, (_, x, y) in enumerate(_ROWS)]
    (tmp_path / "a.csv").write_text("\n".join([*lines, *rows]))
    record = read_record(tmp_path / "a.csv")
    assert record.sampling_rate == 1000.0
    assert [name[:3] for name in record.channels] == ["Acc"]
    assert record.samples == len(_ROWS)
    assert record.tacho is not None
    assert record.tacho.values.max() == 5.0
