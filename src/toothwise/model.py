"""A model: a detector, what it was fitted on, and how its maps are built, in one folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toothwise import __version__, detectors
from toothwise.detectors.base import FILE, Detector, Prediction, as_array, read_meta
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.errors import InputError
from toothwise.evaluation.thresholds import Threshold
from toothwise.exported.manifest import is_exported
from toothwise.exported.opening import load_exported
from toothwise.files import atomic_folder, check_replaceable, write_json
from toothwise.healthmap.core import (
    Axis,
    Gears,
    HealthMap,
    HealthMapBatch,
    gear_as_json,
    gear_from_json,
)
from toothwise.healthmap.map_builder import MapBuilder, Skipped
from toothwise.healthmap.several import healthy_only, read_maps
from toothwise.healthmap.waveform import HealthyWaveform
from toothwise.progress import Progress, silent
from toothwise.reading import as_input_error
from toothwise.reference.healthy_maps import HealthyMaps, keep_healthy, load_healthy_maps
from toothwise.reference.healthy_reference import HealthyReference, fingerprint, learn_reference, load_reference
from toothwise.reference.records import record_ids
from toothwise.vibration.records import VibrationRecord

__all__ = ["MapsAbout", "Model"]

WAVEFORM = "waveform.npz"

Source = np.ndarray | HealthMap | HealthMapBatch | str | Path | VibrationRecord | Sequence[Any]


@dataclass(frozen=True)
class MapsAbout:
    """What the maps of a model are; maps of anything else are refused.

    Attributes:
        rows, columns: What the axes count ("driving tooth", "driven tooth", "record before the last").
        shape: Rows and columns.
        quantity, unit: Of a value of the maps.
        gear: The gears, or None where the maps did not say them.
    """

    rows: str
    columns: str
    shape: tuple[int, int]
    quantity: str = "unknown"
    unit: str = "1"
    gear: Gears | None = None

    @property
    def by_record(self) -> bool:
        """Whether the columns are records or revolutions, the newest last, not teeth."""
        return self.columns.startswith("record") or self.columns.endswith("revolution")

    @classmethod
    def of(cls, maps: HealthMapBatch) -> MapsAbout:
        """Those of a batch."""
        rows, columns = maps.values.shape[1:]
        return cls(maps.rows.name, maps.columns.name, (rows, columns), maps.quantity, maps.unit, maps.gear)

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        gear = None if self.gear is None else gear_as_json(self.gear)
        return {
            "gear": gear,
            "rows": self.rows,
            "columns": self.columns,
            "quantity": self.quantity,
            "unit": self.unit,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], shape: tuple[int, int]) -> MapsAbout:
        """The inverse; what is missing is unknown."""
        gear = data.get("gear")
        return cls(
            str(data.get("rows", "driving tooth")),
            str(data.get("columns", "driven tooth")),
            shape,
            str(data.get("quantity", "unknown")),
            str(data.get("unit", "1")),
            None if gear is None else gear_from_json(gear),
        )


class Model:
    """A fitted or exported detector with its threshold, its healthy reference and the way its maps are built.

    Attributes:
        detector: The detector, with its threshold.
        reference: What held-out healthy maps look like to it, or None (maps that are not positive have none).
        healthy: Some of the healthy maps themselves, or None.
        builder: How recordings become maps, or None where only maps were given.
        about: What its maps are.
        folder: Where it was saved to or opened from, or None.

    Examples:
        >>> import numpy as np
        >>> from toothwise import Model
        >>> healthy = np.random.default_rng(0).lognormal(0.0, 0.2, (40, 12, 17)).astype(np.float32)
        >>> model = Model.fit(healthy, detector="scan", false_alarm_rate=0.01)
        >>> healthy[0, 4] *= 2.0
        >>> int(model.predict(healthy[:1]).row[0])
        4
    """

    def __init__(
        self,
        detector: Detector,
        about: MapsAbout,
        *,
        reference: HealthyReference | None = None,
        healthy: HealthyMaps | None = None,
        builder: MapBuilder | None = None,
        folder: Path | None = None,
    ) -> None:
        self.detector, self.about = detector, about
        self.reference, self.healthy, self.builder, self.folder = reference, healthy, builder, folder

    def __repr__(self) -> str:
        return f"Model({self.detector!r}, {self.about.shape[0]} x {self.about.shape[1]}, {self.about.quantity})"

    @property
    def threshold(self) -> Threshold:
        """The score above which a single map is flagged.

        Raises:
            InputError: The detector was fitted without one.
        """
        if self.detector.threshold is None:
            raise InputError(f"{self.detector.name} was fitted without a threshold: fit it with a false alarm rate")
        return self.detector.threshold

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything learned; an export has that of the model it came from."""
        return fingerprint(self.detector)

    @classmethod
    def fit(
        cls,
        source: Source,
        *,
        detector: str = "auto",
        options: Mapping[str, Any] | None = None,
        false_alarm_rate: float = 0.01,
        blocks: str | np.ndarray | None = "day",
        sensors: str | None = None,
        builder: MapBuilder | None = None,
        jobs: int = 1,
        progress: Progress = silent,
    ) -> Model:
        """Fit a detector on healthy maps, or on healthy recordings that a builder makes maps of.

        Args:
            source: Healthy maps in time order (an array ``[n, rows, columns]``, HealthMaps, a batch, files and folders
                of maps), or with ``builder`` recordings. Of domain folders only the healthy training maps are used.
            detector: Name of the detector; "auto" takes the one that suits the maps.
            options: Options of the detector by name.
            false_alarm_rate: False alarms per healthy map that the threshold is chosen for.
            blocks: Column of the maps' table that says which maps were taken together (a day, a session), or a label
                per map; where there is none, four equal pieces in time. Held-out maps come from other blocks.
            sensors: Column of the maps' table that names the sensor, where several are to be fused.
            builder: How recordings become maps; it is kept with the model, and so is its healthy waveform.
            jobs: Processes that build maps at the same time.
            progress: Called with what is being done and the share of it that is done.

        Raises:
            InputError: Too few maps, an unknown detector or option, or recordings that cannot be used.
        """
        chosen = {**(options or {})}
        name = "scan" if detector == "auto" else detector
        detectors.create(name, **chosen)  # an unsuitable option is refused before anything is read
        maps, _ = gather(source, builder=builder, jobs=jobs, progress=progress)
        maps, _ = healthy_only(maps)
        labels = maps.table[blocks].to_numpy() if isinstance(blocks, str) and blocks in maps.table else None
        labels = blocks if isinstance(blocks, np.ndarray) else labels
        try:
            fitted, _ = fit_with_threshold(
                lambda: detectors.create(name, **chosen),
                maps.values,
                false_alarm_rate,
                blocks=labels,
                progress=progress,
            )
        except InputError as error:
            where = f"{maps.table['file'].iloc[0]}: " if "file" in maps.table else ""
            raise InputError(f"{where}{error}") from error
        about = MapsAbout.of(maps)
        fitted.info = fitted.info | {"maps": about.as_json()}
        reference, healthy = None, None
        if bool((maps.values[np.isfinite(maps.values)] > 0).all()):  # the diagnosis works on logarithms
            reference = learn_reference(
                fitted, maps.values, table=maps.table, blocks=labels, by_record=about.by_record, sensors=sensors
            )
            healthy = keep_healthy(reference.detector, maps.values, record_ids(maps.table, len(maps)))
        return cls(fitted, about, reference=reference, healthy=healthy, builder=builder)

    def save(self, folder: str | Path) -> Path:
        """Write the model to a folder, whole or not at all; a model that was there before is replaced.

        Raises:
            InputError: An exported model, whose folder is copied instead.
            OutputError: The folder cannot be written, or holds something else.
        """
        folder = Path(folder)
        check_replaceable(folder, FILE, "a model")
        with atomic_folder(folder) as temporary:
            meta = self.detector.write(temporary)
            more = {
                "builder": None if self.builder is None else self.builder.as_json(),
                "fingerprint": self.fingerprint,
                "toothwise": __version__,
            }
            if self.builder is not None and self.builder.waveform is not None:
                self.builder.waveform.save(temporary / WAVEFORM)
                more["waveform_sha256"] = hashlib.sha256((temporary / WAVEFORM).read_bytes()).hexdigest()
            for part in (self.reference, self.healthy):
                if part is not None:
                    part.save(temporary)
            write_json(temporary / FILE, meta | more)
        self.folder = folder
        return folder

    @classmethod
    def open(cls, folder: str | Path, *, threads: int | None = None) -> Model:
        """The model of a folder that ``save`` or ``toothwise export`` wrote. Nothing in it is executed or unpickled.

        Args:
            folder: Of the model.
            threads: Of an exported network; None = OMP_NUM_THREADS, else as its engine thinks best.

        Raises:
            InputError: No model, a damaged one, or one of a version that this one cannot read.
            MissingDependencyError: A package that the detector needs is not installed.
        """
        folder = Path(folder)
        if is_exported(folder):
            detector = load_exported(folder, threads=threads)
            data: dict[str, Any] = detector.info.get("builder") or {}
            built = data or None
        else:
            meta = read_meta(folder)
            detector, built = detectors.load(folder), meta.get("builder")
        about = MapsAbout.from_json(detector.info.get("maps", {}), detector.shape or (0, 0))
        reference = load_reference(folder, detector)
        builder = None
        if built is not None:
            with as_input_error(folder / FILE, "does not say how maps are built"):
                waveform = HealthyWaveform.load(folder / WAVEFORM) if (folder / WAVEFORM).is_file() else None
                builder = MapBuilder.from_json(built, waveform)
        healthy = load_healthy_maps(folder, fingerprint(detector))
        return cls(detector, about, reference=reference, healthy=healthy, builder=builder, folder=folder)

    def predict(self, source: Source) -> Prediction:
        """Scores, anomaly maps and evidence of lines, of maps or (where the model can build them) recordings.

        Raises:
            InputError: Maps of another shape, quantity, unit or gear; see ``check``.
        """
        return self.detector.predict(self.maps_of(source)[0])

    def maps_of(
        self, source: Source, *, jobs: int = 1, progress: Progress = silent
    ) -> tuple[HealthMapBatch, tuple[Skipped, ...]]:
        """What the model judges, as one checked batch, and the recordings that were skipped.

        Args:
            source: As of ``fit``; recordings are built as the healthy ones were.
            jobs: Processes that build maps at the same time.
            progress: Called with what is being done and the share of it that is done.
        """
        maps, skipped = gather(source, builder=self.builder, like=self.about, jobs=jobs, progress=progress)
        self.check(maps)
        return maps, skipped

    def check(self, maps: HealthMap | HealthMapBatch | np.ndarray) -> None:
        """Refuse maps that are not what the model was fitted on.

        Maps that say nothing of their quantity, unit or gears are taken as they come.

        Raises:
            InputError: Another shape, quantity, unit, gear or axis; the message names both.
        """
        here, want = tuple((maps if isinstance(maps, np.ndarray) else maps.values).shape[-2:]), self.about
        where = ""
        if isinstance(maps, HealthMapBatch) and "file" in maps.table:
            where = f"{maps.table['file'].iloc[0]}: "
        if here != want.shape:
            raise InputError(
                f"{where}maps must be {want.shape[0]} x {want.shape[1]} (rows x columns) like those that the model was "
                f"fitted on, but are {here[0]} x {here[1]}"
            )
        if isinstance(maps, np.ndarray):
            return
        silent_of = {"unknown", None}
        for name in ("quantity", "unit", "gear"):
            given, known = getattr(maps, name), getattr(want, name)
            if name == "unit" and {maps.quantity, want.quantity} & {"unknown"}:
                continue
            if given not in silent_of and known not in silent_of and given != known:
                raise InputError(f"{where}the maps' {name} is {given}, but the model was fitted on {known}")
        for given, known in ((maps.rows.name, want.rows), (maps.columns.name, want.columns)):
            # files without a description are read as driving and driven teeth, whatever they are
            if given != known and not {given, known} & {"driving tooth", "driven tooth"}:
                raise InputError(f"{where}the maps' axis is {given!r}, but the model was fitted on {known!r}")


def gather(
    source: Source,
    *,
    builder: MapBuilder | None,
    like: MapsAbout | None = None,
    jobs: int = 1,
    progress: Progress = silent,
) -> tuple[HealthMapBatch, tuple[Skipped, ...]]:
    """Maps and recordings in any form as one batch.

    Args:
        source: See ``Model.fit``.
        builder: How recordings become maps; None = there are maps only.
        like: Axes of arrays, which have none of their own.
        jobs, progress: See ``Model.fit``.

    Raises:
        InputError: Nothing that maps can be made of.
    """
    if isinstance(source, HealthMapBatch):
        return source, ()
    if isinstance(source, HealthMap):
        source = [source]
    if isinstance(source, np.ndarray):
        return _named(as_array(source), like), ()
    items: list[Any] = [source] if isinstance(source, str | Path | VibrationRecord) else list(source)
    if items and all(isinstance(one, HealthMap) for one in items):
        first = items[0]
        return HealthMapBatch(
            as_array(items),
            first.rows,
            first.columns,
            pd.DataFrame([one.condition for one in items], index=range(len(items))),
            first.quantity,
            first.unit,
            first.gear,
            first.provenance,
        ), ()
    if items and builder is not None and all(_is_recording(one) for one in items):
        return builder.build_many(items, jobs=jobs, progress=progress)
    if items and all(isinstance(one, str | Path) for one in items):
        return read_maps(items, progress=progress, shape=None if like is None else like.shape), ()
    raise InputError(
        "expected maps (an array, HealthMaps, a batch, files or folders) or recordings with a MapBuilder, but got "
        + (f"{type(items[0]).__name__}" if items else "nothing")
    )


def _named(values: np.ndarray, like: MapsAbout | None) -> HealthMapBatch:
    rows, columns = values.shape[1:]
    names = ("driving tooth", "driven tooth") if like is None else (like.rows, like.columns)
    return HealthMapBatch(values, Axis.teeth(names[0], rows), Axis.teeth(names[1], columns))


def _is_recording(one: Any) -> bool:
    """Whether something is a recording: a record, or a file that is no map of ours."""
    if isinstance(one, VibrationRecord):
        return True
    if not isinstance(one, str | Path):
        return False
    path = Path(one)
    if path.is_dir():
        inside = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
        return bool(inside) and _is_recording(inside[0])
    return path.suffix.lower() not in (".tif", ".tiff", ".png") and not _is_map_file(path)


def _is_map_file(path: Path) -> bool:
    """Whether an npz or MAT file holds maps."""
    import zipfile

    if path.suffix.lower() != ".npz":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return {"values.npy", "meta.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False
