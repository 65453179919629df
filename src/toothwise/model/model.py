"""A model: detector, threshold, what healthy maps look like, and how its maps are made. One folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toothwise.detectors.base import Detector, Prediction, fingerprint
from toothwise.detectors.registry import create, for_pictures, options_of
from toothwise.errors import InputError
from toothwise.evaluation.thresholds import Threshold
from toothwise.exported.manifest import FILE, Manifest, read_manifest, write_manifest, write_state
from toothwise.exported.opening import open_detector
from toothwise.files import atomic_folder, check_replaceable
from toothwise.gears import PlanetaryStage
from toothwise.healthmap.core import HealthMapBatch
from toothwise.healthmap.formats import PICTURE
from toothwise.healthmap.several import healthy_only
from toothwise.model.about import MapsAbout
from toothwise.model.maps import gather
from toothwise.progress import Progress, silent
from toothwise.reading import as_input_error

if TYPE_CHECKING:
    from toothwise.healthmap.map_builder import MapBuilder, Skipped
    from toothwise.reference.healthy_maps import HealthyMaps
    from toothwise.reference.healthy_reference import HealthyReference

HEALTHY, WAVEFORM = "healthy.npz", "waveform.npz"


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted detector with everything that belongs to it.

    Attributes:
        detector: Scores maps.
        reference: What held-out healthy maps look like, which every diagnosis rests on; None where the maps were not
            all positive, or nothing but a detector was given.
        healthy: Some of the healthy maps themselves, or None.
        builder: Makes maps of recordings as those were made that the detector was fitted on; None = it was fitted on
            maps.
        about: What its maps are; None = nothing is known but their shape.
        manifest: What its folder says of itself, None of a model that was not opened.
        folder: Where it was opened.

    Examples:
        >>> from toothwise import Model
        >>> from toothwise.simulate.maps import generate
        >>> healthy, _ = generate(domain="C", n=40, faulty=False, seed=1, shape=(12, 17))
        >>> model = Model.fit(healthy, false_alarm_rate=0.1)
        >>> faulty, truth = generate(domain="C", n=2, faulty=True, seed=2, shape=(12, 17), contrast=(2.0, 3.0))
        >>> bool((model.predict(faulty).score > model.threshold.value).all())
        True
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = Model.open(model.save(f"{folder}/model"))
        >>> again
        Model(DirectionalScan, 12 x 17 maps, 40 healthy)
    """

    detector: Detector
    reference: HealthyReference | None = None
    healthy: HealthyMaps | None = None
    builder: MapBuilder | None = None
    about: MapsAbout = None  # type: ignore[assignment]
    manifest: Manifest | None = None
    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.detector.shape is None:
            raise InputError(f"{self.detector.name} has not been fitted: call Model.fit")
        if self.about is None:
            object.__setattr__(self, "about", MapsAbout.of_shape(self.detector.shape))

    def __repr__(self) -> str:
        rows, columns = self.about.shape
        known = 0 if self.reference is None else len(self.reference)
        return f"Model({type(self.detector).__name__}, {rows} x {columns} maps, {known} healthy)"

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
        """What references and state files know the detector by; an export has that of the model that it came from."""
        return fingerprint(self.detector)

    @property
    def exported(self) -> bool:
        """Whether its folder is an export."""
        return self.manifest is not None and self.manifest.exported

    @property
    def files(self) -> dict[str, str]:
        """sha256 of every file of the folder that it was opened from."""
        return {} if self.manifest is None else {name: file["sha256"] for name, file in self.manifest.files.items()}

    @classmethod
    def fit(
        cls,
        maps_or_recordings: Any,
        *,
        detector: str = "auto",
        options: dict[str, Any] | None = None,
        false_alarm_rate: float = 0.01,
        blocks: str | Sequence[Any] | np.ndarray | None = None,
        sensors: str | None = None,
        builder: MapBuilder | None = None,
        jobs: int = 1,
        progress: Progress = silent,
    ) -> Model:
        """Fit a detector on healthy maps or recordings, with a threshold that is cross-validated on them.

        Args:
            maps_or_recordings: Healthy ones in time order, 16 or more (coherent: 2 or more): an array
                ``[n, rows, columns]``, a HealthMapBatch, HealthMaps, records, or paths of files and folders. Of a
                folder with train/good, test/good and test/fault only train/good is used.
            detector: Its name in the registry; "auto" = coherent where all maps carry waveforms, else
                the scan.
            options: Of the detector, by name.
            false_alarm_rate: False alarms per healthy map that the threshold is chosen for.
            blocks: Which maps were taken together (a day, a session): a label per map, or the column of the maps' table
                that tells it. None = the column ``day`` where there is one, else four equal pieces in time.
            sensors: Column that names the sensor, where several are fused.
            builder: Makes maps of recordings; the model keeps it.
            jobs: Processes that build maps at the same time.
            progress: Called with what is being done and the share of it that is done.

        Raises:
            InputError: Too few maps, maps that the detector cannot take, an unknown detector or option.
        """
        chosen = dict(options or {})
        name = chosen_detector(detector, waveforms=builder is not None and builder.waveform is not None)
        asked = create(name, **chosen)  # an unsuitable option is told before any map is read
        by_revolution = None if builder is None or asked.can.waveforms else builder.for_pictures()
        maps, _ = gather(maps_or_recordings, by_revolution or builder, jobs=jobs, progress=progress)
        maps, _ = healthy_only(maps)
        if by_revolution is not None and maps.columns.name.endswith("revolution"):
            builder = by_revolution  # maps that were given may be of pairs all the same
        name = chosen_detector(detector, waveforms=maps.waveforms is not None)
        if isinstance(maps.gear, PlanetaryStage) and "contacts" in options_of(name):
            chosen.setdefault("contacts", "rows")  # a planet's tooth meets the ring, and half a turn later the sun
        if detector == "auto" and name == "scan" and maps.columns.name.endswith("revolution"):
            chosen.setdefault("clip", None)  # a tooth is loud in all of so few cells: cut off, it could reach no limit
        from toothwise.detectors.calibration import fit_with_threshold
        from toothwise.reference.healthy_maps import keep_healthy
        from toothwise.reference.healthy_reference import MOST, learn_reference
        from toothwise.reference.records import record_ids
        from toothwise.reference.shown import healthy_waveforms, numbers_shown
        from toothwise.reference.unplaced import unplaced_gears

        if maps.quantity == PICTURE:
            name, chosen = for_pictures(detector, chosen)
        labels = _blocks_of(maps, blocks)
        fitted, _ = fit_with_threshold(
            lambda: create(name, **chosen), maps, false_alarm_rate, blocks=labels, progress=progress
        )
        about = MapsAbout.of(maps)
        reference = healthy = None
        if bool((maps.values[np.isfinite(maps.values)] > 0).all()):  # the diagnosis works on logarithms
            last = maps[-MOST:]
            shown = numbers_shown(last, by_record=about.by_record)
            if last.waveforms is not None:
                shown |= healthy_waveforms(last.waveforms)
            reference = learn_reference(
                fitted,
                maps.values,
                table=maps.table,
                blocks=labels,
                by_record=about.by_record,
                sensors=sensors,
                shown=shown,
                waveforms=maps.waveforms if fitted.can.waveforms else None,
            )
            reference = replace(reference, unplaced=unplaced_gears(fitted, maps))
            healthy = keep_healthy(reference.detector, maps.values, record_ids(maps.table, len(maps)))
        return cls(fitted, reference, healthy, builder, about)

    def save(self, folder: str | Path) -> Path:
        """Write the folder, whole or not at all; a model that was there before is replaced.

        Raises:
            InputError: The detector has not been fitted, or is an export, whose folder can be copied.
            OutputError: The folder cannot be written, or holds something other than a model.
        """
        folder = Path(folder)
        check_replaceable(folder, FILE, "a model")
        if self.exported:
            raise InputError(f"{self.folder}: is an export, which cannot be saved again: copy its folder")
        made = Manifest.of(
            self.detector,
            about=self.about.as_json(),
            builder=None if self.builder is None else self.builder.as_json(),
        )
        with atomic_folder(folder) as temporary:
            write_state(temporary, self.detector._state())
            if self.reference is not None:
                from toothwise.reference.healthy_file import save_healthy

                save_healthy(temporary, self.reference, self.healthy)
            if self.builder is not None and self.builder.waveform is not None:
                self.builder.waveform.save(temporary / WAVEFORM)
            write_manifest(temporary, made)
        return folder

    @classmethod
    def open(cls, folder: str | Path, *, threads: int | None = None) -> Model:
        """The model of a folder, fitted or exported. No code of the folder runs, and nothing is unpickled.

        Args:
            folder: What ``save`` or ``toothwise export`` wrote.
            threads: Of an exported network; None = OMP_NUM_THREADS, else as its engine thinks best.

        Raises:
            InputError: No model, a damaged or changed one, or one that has to be fitted again.
            MissingDependencyError: What its detector needs is not installed.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        detector = open_detector(folder, manifest, threads=threads)
        with as_input_error(folder / FILE, "misstates what its maps are"):
            about = MapsAbout.from_json(manifest.about) if manifest.about else None
        reference = healthy = None
        if HEALTHY in manifest.files:  # what it needs would double the time of a start
            from toothwise.reference.healthy_file import load_healthy

            reference, healthy = load_healthy(folder, manifest.fingerprint, manifest.shape)
        builder = None
        if manifest.builder is not None:
            from toothwise.healthmap.map_builder import MapBuilder
            from toothwise.healthmap.waveform import HealthyWaveform

            waveform = HealthyWaveform.load(folder / WAVEFORM) if WAVEFORM in manifest.files else None
            with as_input_error(folder / FILE, "misstates how its maps are built"):
                builder = MapBuilder.from_json(manifest.builder, waveform)
        return cls(detector, reference, healthy, builder, about, manifest, folder)  # type: ignore[arg-type]

    def check(self, maps: Any) -> None:
        """Refuse maps of another kind than the model's.

        Args:
            maps: An array ``[n, rows, columns]``, a HealthMapBatch, or HealthMaps.

        Raises:
            InputError: Another quantity, unit, gear, shape or axis, or values that are not positive where the diagnosis
                takes their logarithm; one line that names both.
        """
        self.maps_of(maps)

    def maps_of(
        self, source: Any, *, jobs: int = 1, progress: Progress = silent
    ) -> tuple[HealthMapBatch, tuple[Skipped, ...]]:
        """Maps of the model's kind of anything that they can be made of.

        Args:
            source: An array ``[n, rows, columns]``, a HealthMapBatch, HealthMaps, records, or paths of files and
                folders of maps or recordings.
            jobs: Processes that build maps at the same time.
            progress: Called with what is being done.

        Returns:
            The maps, checked, and the recordings that could not be used, with the reason of each.

        Raises:
            InputError: As ``check``; something that is not read; no recording that could be used.
        """
        maps, skipped = gather(source, self.builder, self.about, jobs=jobs, progress=progress)
        self.about.check(MapsAbout.of(maps), what=_named(source))
        return maps, skipped

    def predict(self, maps_or_recordings: Any, *, progress: Progress = silent) -> Prediction:
        """Score maps, or recordings of which they are built, in the order given.

        Raises:
            InputError: As ``maps_of``, or a recording that cannot be used.
        """
        maps, skipped = self.maps_of(maps_or_recordings, progress=progress)
        if skipped:
            raise InputError(skipped[0].reason)
        return self.detector.predict(maps)


def chosen_detector(name: str, *, waveforms: bool) -> str:
    """The detector of a name; "auto" is the one that sees most of what the maps carry."""
    if name != "auto":
        return name
    return "coherent" if waveforms else "scan"


def _blocks_of(maps: HealthMapBatch, blocks: str | Sequence[Any] | np.ndarray | None) -> np.ndarray | None:
    if blocks is None or isinstance(blocks, str):
        column = blocks or "day"
        return maps.table[column].to_numpy() if column in maps.table else None
    return np.asarray(blocks)


def _named(source: Any) -> str:
    """What was given, in a message."""
    if isinstance(source, str | Path):
        return str(source)
    if isinstance(source, Sequence) and source and isinstance(source[0], str | Path):
        return f"{source[0]}{f' and {len(source) - 1} more' if len(source) > 1 else ''}"
    return "the maps"
