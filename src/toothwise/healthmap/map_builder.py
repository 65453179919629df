"""From recordings to health maps through one door: how it is done is data, so that a model can keep it."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from toothwise.errors import InputError, ToothwiseError, ToothwiseWarning
from toothwise.fields import from_mapping
from toothwise.gears import GearPair, GearTrain, PlanetaryStage, read_gears
from toothwise.gears.pair import few_meet, hunting_text
from toothwise.gears.train import make_train, train_as_json
from toothwise.healthmap.aligned import Unplaced, align_unplaced
from toothwise.healthmap.build import MapConfig, cut_for, learn_waveform, made_map
from toothwise.healthmap.conditions import clipping_not_learned
from toothwise.healthmap.core import HealthMap, HealthMapBatch
from toothwise.healthmap.outcomes import Skipped, each_outcome
from toothwise.healthmap.recordings import Source, as_sources, error_line, record_names, source_name
from toothwise.healthmap.turning import Turn
from toothwise.healthmap.waveform import HealthyWaveform
from toothwise.progress import Progress, silent
from toothwise.vibration.periods import Periods, as_train
from toothwise.vibration.quality import check_record, sensor_health
from toothwise.vibration.readers import RecordMapping, read_record
from toothwise.vibration.records import VibrationRecord

if TYPE_CHECKING:
    from toothwise.healthmap.runs import RunRecords
    from toothwise.healthmap.tooth_by_record import RunMaps
    from toothwise.vibration.angle import ShaftAngle

__all__ = ["MapBuilder", "Skipped"]

Kind = TypeVar("Kind")


@dataclass(frozen=True, eq=False)
class MapBuilder:
    """Builds the health maps of one gearbox, all in the same way.

    Attributes:
        gears: A pair, a planetary stage or a train of them, or the path of a YAML file that says them.
        reading: How recordings are read, where their own names do not say it: a ``RecordMapping``, or its fields by
            name (``tacho_shaft``, ``pulses_per_revolution``, ``tacho``, ``channels``, ...).
        waveform: Healthy waveform that is taken off before the map is made, or None.
        options: How a recording becomes a map: a ``MapConfig``, or its fields by name.
        stage: Name of the stage, of a train that has several.
        channel: Channel of the recordings; None = the first one.
        tacholess: Lowest and highest speed (revolutions per second of the driving shaft or the carrier) between which
            the angle is found from the mesh itself; None = recordings have a tachometer.
        learned: Digests of the records behind the waveform. Their own maps are made with the waveform of the others,
            because a record would look healthier than a new one beside a mean that it is part of.

    Raises:
        InputError: An unknown option, a value that is not allowed, or a stage that the gears do not have.

    Examples:
        >>> from toothwise import GearPair, MapBuilder
        >>> from toothwise.simulate.gearbox import GearboxConfig, simulate_record
        >>> record, _ = simulate_record(GearboxConfig(gears=GearPair(9, 14), periods=2), seed=1)
        >>> MapBuilder(GearPair(9, 14), options={"quantity": "rms"}).build(record).shape
        (9, 14)
    """

    gears: GearTrain
    reading: RecordMapping
    waveform: HealthyWaveform | None
    options: MapConfig
    stage: str | None
    channel: str | None
    tacholess: tuple[float, float] | None
    learned: tuple[str, ...]

    def __init__(
        self,
        gears: GearPair | PlanetaryStage | GearTrain | str | Path,
        *,
        reading: RecordMapping | Mapping[str, Any] | None = None,
        waveform: HealthyWaveform | str | Path | None = None,
        options: MapConfig | Mapping[str, Any] | None = None,
        stage: str | None = None,
        channel: str | None = None,
        tacholess: tuple[float, float] | None = None,
        learned: Sequence[str] = (),
    ) -> None:
        train = read_gears(gears) if isinstance(gears, str | Path) else as_train(gears)
        train.stage(stage)
        found = HealthyWaveform.load(waveform) if isinstance(waveform, str | Path) else waveform
        vars(self).update(
            gears=train,
            reading=_options_of(RecordMapping, reading),
            waveform=found,
            options=_options_of(MapConfig, options),
            stage=stage,
            channel=channel,
            tacholess=None if tacholess is None else (float(tacholess[0]), float(tacholess[1])),
            learned=tuple(learned),
        )

    @property
    def stage_gears(self) -> GearPair | PlanetaryStage:
        """The pair or planetary stage that maps are made of."""
        return self.gears.stage(self.stage).gears

    @classmethod
    def learn(
        cls,
        gears: GearPair | PlanetaryStage | GearTrain | str | Path,
        recordings: Sequence[Source] | Source,
        *,
        progress: Progress = silent,
        **the_same: Any,
    ) -> MapBuilder:
        """A builder that has also learned the healthy waveform of the gearbox.

        Args:
            gears: As of the class.
            recordings: Healthy records, or paths of files and folders of them. Those that cannot be used are left out.
            progress: Called with what is being done and the share of it that is done.
            the_same: The other arguments of the class but ``waveform``.

        Raises:
            InputError: No recording could be used; the message gives the reason of the first one.
        """
        return cls(gears, **the_same).learn_from(recordings, progress=progress)

    def learn_from(self, recordings: Sequence[Source] | Source, *, progress: Progress = silent) -> MapBuilder:
        """This builder with the healthy waveform of the gearbox, learned from healthy records as ``learn`` does.

        All records are cut into the samples per tooth of the first one, unless the options say how many.

        Raises:
            InputError: No recording could be used; the message gives the reason of the first one.
        """
        sources = as_sources(recordings)
        options, kept, first = self.options, [], None
        for k, source in enumerate(sources):
            progress(f"learning from {source_name(source)}", k / len(sources))
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ToothwiseWarning)  # said where its map is built
                    record = self._read(source)
                    periods = replace(self, options=options)._cut(record)
            except ToothwiseError as error:
                first = first or error_line(source, error)
                continue
            options = replace(options, samples_per_tooth=periods.samples_per_tooth)  # all are cut alike
            clipped = sensor_health(record, self.channel, check_record(record))["clipped"]
            mean = replace(periods, values=periods.mean()[None].astype("float32"))  # all that is needed of it
            kept.append((mean, self._digest(record), len(periods.values), clipped))
        if not kept:
            raise InputError(f"no recording could be learned from: {first}")
        waveform = learn_waveform([mean for mean, *_ in kept], options)
        _, digests, behind, shares = zip(*(kept[k] for k in waveform.used), strict=True)
        known = dict(waveform.conditions) | {"clipped": (min(shares), max(shares))}
        waveform = replace(waveform, periods=float(median(behind)), conditions=known)
        return replace(self, options=options, waveform=waveform, learned=digests)

    def build(self, source: Source) -> HealthMap:
        """The health map of one recording.

        Args:
            source: A record, or the path of its file.

        Returns:
            The map; ``provenance["warnings"]`` lists what was noticed about the recording.

        Raises:
            InputError: A recording that cannot be read or that no map can be made of; the message names the file.
        """
        return self._build(source)

    def _build(self, source: Source, turn: Turn | None = None, unplaced: list[Unplaced] | None = None) -> HealthMap:
        """A map whose place in the waveform may be known from other records, or can be told by them (``build_map``)."""
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("ignore")
                warnings.simplefilter("always", ToothwiseWarning)
                record = self._read(source)
                findings = check_record(record)
                noticed = [one.message for one in findings if one.kind in ("gaps", "clipped")]
                angle = self._angle(record)
                if angle is not None:
                    noticed.append(f"no tachometer: tooth zero is unknown; the mesh is followed at {angle.quality:.2f}")
                made = made_map(
                    record,
                    self.gears,
                    self.options,
                    by_revolution=self.by_revolution,
                    channel=self.channel,
                    stage=self.stage,
                    waveform=self.waveform,
                    learned_from=bool(self.learned) and self._digest(record) in self.learned,
                    angle=angle,
                    turn=turn,
                    unplaced=unplaced,
                )
        except ToothwiseError as error:
            raise type(error)(error_line(source, error)) from None
        noticed += [" ".join(str(warning.message).split()) for warning in caught]
        health = sensor_health(record, self.channel, findings)
        learned = {} if self.waveform is None else self.waveform.conditions
        outside = clipping_not_learned(learned, health["clipped"])
        return replace(
            made,
            condition={**({"not_learned": outside} if outside else {}), **made.condition, **health},
            provenance=made.provenance | {"warnings": list(dict.fromkeys(noticed))},
        )

    @property
    def by_revolution(self) -> bool:
        """Whether maps are of one gear's teeth by its revolutions, because too few pairs of teeth meet to show a tooth.

        Waveforms need no picture: with a healthy one each tooth's mesh with each mate that it has is compared.
        """
        return self.options.gear is not None or (self.waveform is None and few_meet(self.stage_gears))

    def for_pictures(self) -> MapBuilder:
        """This builder for a detector that looks at no waveforms: where few pairs of teeth meet, by revolution."""
        if self.options.gear is not None or not few_meet(self.stage_gears):
            return self
        (rows, _), _ = self.stage_gears.axes
        return replace(self, options=replace(self.options, gear=rows.split()[0]))

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of gears that do not hunt."""
        said = hunting_text(self.stage_gears)
        return (said + "; maps are of teeth by revolution (gear=)" * self.by_revolution,) if said else ()

    def periods(self, source: Source) -> Periods:
        """The hunting periods of one recording at equal steps of angle, before anything is taken from them.

        Raises:
            InputError: As of ``build``.
        """
        try:
            return self._cut(self._read(source))
        except ToothwiseError as error:
            raise type(error)(error_line(source, error)) from None

    def build_each(
        self, sources: Sequence[Source] | Source, *, jobs: int = 1, progress: Progress = silent
    ) -> Iterator[tuple[Source, HealthMap | Skipped]]:
        """Each recording with its map, or with why it was skipped, as soon as it is there.

        Args:
            sources: Records, or paths of files and folders of recordings.
            jobs: Processes that build at the same time.
            progress: As of ``learn``.

        Raises:
            InputError: No recording, or fewer than one process.
        """
        for source, found, _ in self._each(as_sources(sources), jobs, progress):
            yield source, found

    def _each(
        self, items: list[Source], jobs: int, progress: Progress
    ) -> Iterator[tuple[Source, HealthMap | Skipped, Unplaced | None]]:
        if jobs < 1:
            raise InputError(f"jobs must be 1 or more, but got {jobs}")
        progress(f"building {len(items)} maps", 0.0)
        for k, found in enumerate(each_outcome(self, items, min(jobs, len(items))), 1):
            progress(f"built {k} of {len(items)} maps", k / len(items))
            yield found

    def build_many(
        self, sources: Sequence[Source] | Source, *, jobs: int = 1, progress: Progress = silent
    ) -> tuple[HealthMapBatch, tuple[Skipped, ...]]:
        """The maps of many recordings as one batch.

        Args:
            sources, jobs, progress: As of ``build_each``.

        Returns:
            The maps in the order of the recordings' start times where all have one, else in the order given (files of
            a folder in natural order, r2 before r10), with a table of ``file``, ``name`` (a different one for each
            recording), ``start_time`` and the recording condition; and the recordings that were skipped. Those of
            unknown tooth zero are aligned among each other: ``aligned_<gear>`` says by how many teeth their numbers
            are higher than those of the recording ``aligned_to``. Their maps stay as they are, since healthy ones that
            they are compared with begin anywhere too; where together they fit the healthy waveform they are turned.

        Raises:
            InputError: No recording could be used; the message gives the reason of the first one.
        """
        items = as_sources(sources)
        each = {id(source): (found, loose) for source, found, loose in self._each(items, jobs, progress)}
        done = {key: found for key, (found, _) in each.items()}
        named = zip(items, record_names(items), strict=True)
        outcomes = [({"file": source_name(source), "name": name}, done[id(source)]) for source, name in named]
        loose = {k: one for k, source in enumerate(items) if (one := each[id(source)][1]) is not None}
        places = list(loose)
        labels, placed = align_unplaced([replace(loose[k], name=outcomes[k][0]["name"]) for k in places], self.waveform)
        for k, turn in placed.items():
            outcomes[places[k]] = outcomes[places[k]][0], self._build(items[places[k]], turn)
        for k, label in labels.items():
            at, made_of = outcomes[places[k]]
            if isinstance(made_of, HealthMap) and k not in placed:
                outcomes[places[k]] = at, replace(made_of, condition=made_of.condition | label)
        skipped = tuple(found for _, found in outcomes if isinstance(found, Skipped))
        made = [(label, found) for label, found in outcomes if isinstance(found, HealthMap)]
        if not made:
            more = f" (and {len(skipped) - 1} more failed)" if len(skipped) > 1 else ""
            raise InputError(f"{skipped[0]}{more}")
        if all("start_time" in one.condition for _, one in made):
            made.sort(key=lambda item: pd.Timestamp(item[1].condition["start_time"]).timestamp())
        table = pd.DataFrame(
            [label | {k: v for k, v in one.condition.items() if k not in label} for label, one in made]
        )
        batch = HealthMapBatch.of([(label["file"], one) for label, one in made], table)
        noticed = {label["name"]: told for label, one in made if (told := one.provenance["warnings"])}
        return replace(batch, provenance=batch.provenance | {"noticed": noticed}), skipped

    @staticmethod
    def build_run(records: RunRecords, *, healthy: Sequence[int], **options: Any) -> RunMaps:
        """The tooth-by-record maps of a run: records of one gear in time, each an average over its revolution.

        Args:
            records: The run, in time order.
            healthy: The days whose records are taken as healthy; they come first.
            options: Fields of ``RunMapConfig`` by name.

        Raises:
            InputError: Fewer records than a trailing window, or no healthy ones at the beginning.

        Examples:
            >>> from toothwise import MapBuilder
            >>> from toothwise.simulate.runs import simulate_run
            >>> run = simulate_run(seed=0)
            >>> MapBuilder.build_run(run, healthy=(1, 2)).deviation.shape == (run.teeth, len(run))
            True
        """
        from toothwise.healthmap.tooth_by_record import RunMapConfig, build_run_maps

        return build_run_maps(
            records, from_mapping(RunMapConfig, {"healthy_days": tuple(int(d) for d in healthy), **options})
        )

    def as_json(self) -> dict[str, Any]:
        """Everything but the waveform, as JSON types."""
        return {
            "gears": train_as_json(self.gears),
            "reading": {k: v for k, v in asdict(self.reading).items() if v not in (None, {})},
            "options": asdict(self.options),
            "stage": self.stage,
            "channel": self.channel,
            "tacholess": None if self.tacholess is None else list(self.tacholess),
            "learned": list(self.learned),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], waveform: HealthyWaveform | None = None) -> MapBuilder:
        """The inverse of ``as_json``.

        Raises:
            InputError: Not what it writes.
        """
        given = {name: data.get(name) for name in ("reading", "options", "stage", "channel", "tacholess")}
        return cls(make_train(data.get("gears")), waveform=waveform, learned=data.get("learned", ()), **given)

    def _read(self, source: Source) -> VibrationRecord:
        return source if isinstance(source, VibrationRecord) else read_record(source, mapping=self.reading)

    def _digest(self, record: VibrationRecord) -> str:
        """What a record is known by again, whatever its file is called."""
        return hashlib.sha256(np.ascontiguousarray(record.channel(self.channel), dtype="<f4").tobytes()).hexdigest()

    def _angle(self, record: VibrationRecord) -> ShaftAngle | None:
        """The angle of the reference shaft from the mesh itself, where that was asked for."""
        if self.tacholess is None:
            return None
        from toothwise.vibration.tacholess import tacholess_angle

        gears = self.stage_gears
        mesh = gears.hunting_period / gears.hunting_revolutions
        return tacholess_angle(record.channel(self.channel), record.sampling_rate, mesh, self.tacholess)

    def _cut(self, record: VibrationRecord) -> Periods:
        angle = self._angle(record)
        return cut_for(record, self.gears, self.options, channel=self.channel, stage=self.stage, angle=angle)


def _options_of(cls: type[Kind], given: Kind | Mapping[str, Any] | None) -> Kind:
    return from_mapping(cls, dict(given or {})) if given is None or isinstance(given, Mapping) else given
