"""Valid files of every kind that toothwise reads, small, written once."""

from __future__ import annotations

import gzip
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toothwise import GearPair, Model, detectors
from toothwise.cli import main as toothwise
from toothwise.evaluation.thresholds import threshold_from_healthy
from toothwise.exported.export import export
from toothwise.healthmap import Axis, HealthMap, HealthMapBatch
from toothwise.healthmap.io import write_map
from toothwise.healthmap.waveform import HealthyWaveform
from toothwise.progress import silent
from toothwise.simulate.export import write_domain
from toothwise.simulate.map_set import MapSetConfig
from toothwise.vibration.readers import write_record
from toothwise.vibration.records import Tachometer, VibrationRecord

ROWS, COLUMNS, RATE = 9, 14, 2048.0
SAVED = {  # detectors without a network: name -> options
    "pca": {},
    "healthy_distance": {},
    "mahalanobis": {},
    "scan_learned": {},
    "row_kurtosis": {},
    "fused": {"parts": ["scan", "pca"]},
}
_TEETH = Axis.teeth("driving tooth", ROWS), Axis.teeth("driven tooth", COLUMNS)


def maps(n: int, seed: int) -> np.ndarray:
    """Positive noise, float32 ``[n, rows, columns]``."""
    values = np.exp(0.2 * np.random.default_rng(seed).standard_normal((n, ROWS, COLUMNS)))
    return values.astype(np.float32)


def batch(n: int, seed: int, **columns: Any) -> HealthMapBatch:
    """Maps with a table."""
    gear = GearPair(driving=ROWS, driven=COLUMNS)
    return HealthMapBatch(maps(n, seed), *_TEETH, pd.DataFrame(columns, index=range(n)), "rms", "g", gear)


def write_fixtures(folder: Path) -> None:
    """Everything below a folder."""
    for make in (_maps, _records, _settings, _detectors, _watched):
        make(folder)


def _run(*words: object) -> None:
    if toothwise([str(word) for word in words]) != 0:
        raise SystemExit(f"a fixture could not be made: toothwise {' '.join(map(str, words))}")


def _maps(folder: Path) -> None:
    from scipy.io import savemat

    place = folder / "maps"
    place.mkdir()
    one = HealthMap(maps(1, 1)[0], *_TEETH, count=np.ones((ROWS, COLUMNS), np.int32), condition={"load": 1.5})
    write_map(one, place / "one.npz")
    write_map(batch(3, 2, day=[1, 2, 3], name=["a", "b", "c"]), place / "many.npz")
    np.savez(place / "plain.npz", values=maps(2, 3))
    write_map(one, place / "one.tiff")
    write_map(HealthMap(one.values, *_TEETH), place / "one.png", scale=4.0)
    data = {"Xdata": np.moveaxis(maps(4, 4), 0, -1)[:, :, None], "note": "text"}
    for name, packed in (("plain.mat", False), ("packed.mat", True)):
        savemat(place / name, data, do_compression=packed)
    import tifffile

    tifffile.imwrite(place / "packed.tiff", maps(1, 5)[0], compression="zlib")
    write_domain("A", MapSetConfig(n_train=2, n_test=2, format="png16"), folder / "domain_A", silent)
    rows = [values.ravel().tolist() for values in maps(20, 7)]
    pd.DataFrame({"values": rows, "rows": ROWS, "columns": COLUMNS, "id": range(20)}).to_parquet(place / "flat.parquet")
    pd.DataFrame({"values": [values.tolist() for values in maps(5, 8)]}).to_parquet(place / "nested.parquet")
    run = np.random.default_rng(0).standard_normal((6, 35 * 8)).astype(np.float32)
    names = np.array([f"Day{17 + k}_10_00" for k in range(6)])
    np.savez(place / "run.npz", vibration=run, name=names, part=np.array(["train"] * 4 + ["test"] * 2))


def recording() -> VibrationRecord:
    """Three seconds with a mesh and one pulse per revolution."""
    rng, t = np.random.default_rng(0), np.arange(int(3 * RATE)) / RATE
    vibration = (np.sin(2 * np.pi * 12 * ROWS * t) + 0.3 * rng.standard_normal(len(t))).astype(np.float32)
    tacho = Tachometer(kind="times", values=np.arange(0.0, 3.0, 1 / 12))
    return VibrationRecord({"acc": vibration}, RATE, tacho, unit="g", condition={"load": 1.0})


def _records(folder: Path) -> None:
    import asammdf
    import h5py
    import pyuff
    import soundfile
    from nptdms import ChannelObject, RootObject, TdmsWriter
    from scipy.io import savemat

    place = folder / "records"
    place.mkdir()
    for suffix in (".mat", ".npz", ".parquet"):
        write_record(recording(), place / f"own{suffix}")
    acc = np.random.default_rng(1).standard_normal(400)
    time, tacho = np.arange(400) / RATE, (np.arange(400) % 50 < 5) * 5.0
    plain = {"acc": acc, "tacho": tacho, "fs": RATE, "bearing": {"gs": acc[:20], "note": "ü"}, "unit": "g"}
    for name, packed in (("plain.mat", False), ("packed.mat", True)):
        savemat(place / name, plain, do_compression=packed)
    for name, options in (("plain.h5", {}), ("packed.h5", {"compression": "gzip"})):
        with h5py.File(place / name, "w") as file:
            file.create_dataset("run/acc", data=acc.astype("f4"), **options).attrs.update(sampling_rate=RATE, unit="g")
            file["run/tach"], file["label"] = tacho, "text"
            file["link"] = h5py.SoftLink("/run/acc")
    with h5py.File(place / "new.mat", "w", userblock_size=512) as file:
        file["acc"], file["fs"] = acc[None], np.array([[RATE]])
        file["unit"] = np.array([[ord("g")]], "u2")
        file["unit"].attrs["MATLAB_class"] = np.bytes_("char")
    with (place / "new.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    table = pd.DataFrame({"time": time, "acc": acc, "tacho": tacho})
    table.to_csv(place / "plain.csv", index=False)
    table.to_csv(place / "other.csv", index=False, sep=";", decimal=",")
    (place / "headed.csv").write_text(f"# fs = {RATE}\n# unit: g\n" + "\n".join(f"{v:.4f}" for v in acc[:100]))
    dated = table.iloc[:60].assign(time=pd.date_range("2024-01-01", periods=60, freq="1ms").astype(str))
    dated.to_csv(place / "dated.csv", index=False)
    (place / "plain.csv.gz").write_bytes(gzip.compress((place / "plain.csv").read_bytes()))
    table.to_parquet(place / "plain.parquet")
    with TdmsWriter(place / "plain.tdms") as file:
        about = {"wf_increment": 1 / RATE, "unit_string": "g"}
        file.write_segment([RootObject({"rig": "north"}), ChannelObject("g", "acc", acc, about)])
    for name, binary in (("text.uff", 0), ("binary.uff", 1)):
        fields = inspect.signature(pyuff.prepare_58).parameters
        about = {key: "NONE" if key.endswith(("_name", "_lab")) or key[:2] == "id" else 0 for key in fields}
        about |= {"type": 58, "func_type": 1, "id1": "acc", "ordinate_spec_data_type": 12, "binary": binary}
        about |= {"abscissa_spacing": 1, "abscissa_inc": 1 / RATE, "abscissa_min": 0.0, "data": acc[:200]}
        del about["ord_data_type"], about["spec_data_type"]
        pyuff.UFF(str(place / name)).write_sets(about | {"x": time[:200]}, "add")
    with asammdf.MDF() as file:
        file.append([asammdf.Signal(acc, time, name="acc"), asammdf.Signal(tacho, time, name="tacho")])
        file.save(place / "plain.mf4")
    two = np.stack([acc, tacho], 1) / 8
    for name, subtype in (
        ("short.wav", "PCM_16"),
        ("float.wav", "FLOAT"),
        ("long.wav", "PCM_24"),
        ("a.flac", "PCM_16"),
    ):
        soundfile.write(place / name, two, int(RATE), subtype=subtype)
    np.savez_compressed(place / "packed.npz", acc=acc, tacho=tacho, fs=RATE, unit="g")
    np.save(place / "vector.npy", acc)
    named = np.zeros(100, [("t", "f8"), ("vib", "f4")])
    named["t"], named["vib"] = time[:100], acc[:100]
    np.save(place / "named.npy", named)


def _settings(folder: Path) -> None:
    place = folder / "settings"
    place.mkdir()
    (place / "pair.yaml").write_text("driving: 9\ndriven: 14\n")
    (place / "train.yaml").write_text(
        "tacho_shaft: input\nstages:\n  - name: high speed\n    gears: {driving: 18, driven: 35}\n"
        "    shafts: [input, middle]\n  - name: planetary\n    gears: {sun: 31, planet: 31, ring: 95, planets: 3}\n"
        "    shafts: [middle, output]\n"
    )
    (place / "fit.yaml").write_text("detector: scan\nset: [lines=rows]\nmaps: [a.npz]\noutput: b\n")
    HealthyWaveform.learn(
        list(np.random.default_rng(0).standard_normal((3, ROWS * COLUMNS * 8))), 8, [ROWS] * 3, (ROWS, COLUMNS)
    ).save(place / "waveform.npz")


def _detectors(folder: Path) -> None:
    write_map(batch(60, 10, day=np.repeat([1, 2, 3], 20)), folder / "healthy.npz")
    _run("fit", folder / "healthy.npz", "--output", folder / "scan")
    export(folder / "scan", folder / "exported")
    for name, options in SAVED.items():
        detector = detectors.create(name, **options).fit(maps(40, 0))
        detector.threshold = threshold_from_healthy(detector.predict(maps(40, 1)).score, 0.1)
        Model(detector).save(folder / "saved" / name)


def _watched(folder: Path) -> None:
    later = maps(12, 20)
    later[6:, 4] *= 1.8
    names = [f"r{k:02d}" for k in range(12)]
    table = pd.DataFrame({"name": names, "time": np.arange(12.0)})
    write_map(HealthMapBatch(later, *_TEETH, table, "rms", "g"), folder / "later.npz")
    scan, state, run = folder / "scan", folder / "state.json", folder / "run"
    _run("diagnose", scan, folder / "later.npz", "--sequence", "true", "--state", state, "--output", run)
    incoming = folder / "incoming"
    for k, values in enumerate(later):
        (incoming / "m1").mkdir(parents=True, exist_ok=True)
        write_map(HealthMap(values, *_TEETH), incoming / "m1" / f"{names[k]}.npz")
    _run("watch", scan, incoming, "--to", folder / "watch.db", "--poll", "0.05", "--idle", "1")
