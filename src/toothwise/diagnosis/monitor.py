"""Monitor: maps in, one diagnosis out, however they come: all at once, one by one, by several sensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from toothwise.detectors.outside import mark_noise
from toothwise.diagnosis.baseline import FEWEST, Baseline, learn_baseline
from toothwise.diagnosis.control_limits import ControlLimits, control_limits_for
from toothwise.diagnosis.elsewhere import with_unknown
from toothwise.diagnosis.evidence import (
    DiagnosisEvidence,
    about_maps,
    explain,
    sequence_evidence,
    shown_records,
    telling_map,
)
from toothwise.diagnosis.explain import evidence_height, score_height
from toothwise.diagnosis.history import NOTHING_BEFORE, CompactedHistory, compact, run_rules, track_records
from toothwise.diagnosis.judging import judge
from toothwise.diagnosis.rules import MonitorSettings, Reset
from toothwise.diagnosis.single import diagnose_maps, diagnosis_of_maps
from toothwise.diagnosis.store import MemoryStore, State, Store
from toothwise.diagnosis.summary import RecordSummary, numbered, of_files, summarize_records
from toothwise.diagnosis.teeth import gear_of, ring_spacing
from toothwise.diagnosis.verdict import Diagnosis, MapDiagnosis
from toothwise.errors import InputError
from toothwise.fields import from_mapping
from toothwise.healthmap.core import HealthMapBatch
from toothwise.progress import Progress, silent
from toothwise.reference.healthy_reference import HealthyReference, best_evidence
from toothwise.reference.records import after_healthy, natural_edges

if TYPE_CHECKING:
    from toothwise.detectors.base import Prediction
    from toothwise.model import Model


@dataclass(frozen=True, eq=False)
class _Judged:
    """The maps of the last ``add`` and what they were judged with, which ``evidence`` rests on."""

    found: Diagnosis
    batch: HealthMapBatch
    records: Sequence[RecordSummary] = ()
    resets: Sequence[Reset] = ()
    past: CompactedHistory = NOTHING_BEFORE


class Monitor:
    """Diagnoses what comes from one machine.

    Args:
        model: What was fitted on healthy maps or recordings of the machine.
        settings: How records are monitored, or some of the settings by name. A state that is there already keeps its
            own; what is given here must agree with it.
        store: Keeps the state: ``JsonStore(path)``, or any ``Store``; None keeps it in memory, for this Monitor alone.

    Raises:
        InputError: A model without a healthy reference, or unknown settings.

    Examples:
        >>> import toothwise
        >>> from toothwise.simulate.maps import generate
        >>> healthy, _ = generate(domain="C", n=60, faulty=False, seed=1, shape=(12, 17))
        >>> monitor = toothwise.Monitor(toothwise.Model.fit(healthy))
        >>> monitor.add(generate(domain="C", n=5, faulty=False, seed=2, shape=(12, 17))[0]).colour
        'GREEN'
        >>> damaged = generate(domain="C", n=3, faulty=False, seed=3, shape=(12, 17))[0]
        >>> damaged[:, 4] *= 3
        >>> found = monitor.add(damaged)
        >>> found.colour, found.gear, found.tooth, found.records
        ('RED', 'driving', 4, 8)
    """

    def __init__(
        self, model: Model, settings: MonitorSettings | Mapping[str, Any] | None = None, *, store: Store | None = None
    ) -> None:
        if model.reference is None:
            raise InputError(
                "the model holds no healthy reference (fitted by an older version, or on values that are not "
                "positive), so nothing can be diagnosed: fit it again"
            )
        self.model = model
        self._reference: HealthyReference = model.reference
        chosen = asdict(settings) if isinstance(settings, MonitorSettings) else dict(settings or {})
        if any(not edges for edges in chosen.get("bins", {}).values()):
            known = self._reference.condition
            found = {
                name: tuple(edges) or natural_edges(name, known.get(name)) for name, edges in chosen["bins"].items()
            }
            chosen["bins"] = {name: edges for name, edges in found.items() if edges}
        self.settings = from_mapping(MonitorSettings, chosen)
        self._chosen = {name: getattr(self.settings, name) for name in chosen if name not in ("sequence", "seed")}
        self._stored = store is not None
        self.store: Store = MemoryStore() if store is None else store
        self._state: State | None = None
        self._baselines: dict[str, Baseline] = {}
        self._limits: dict[str, ControlLimits] = {}
        self._judged: _Judged | None = None

    def beside(self, store: Store) -> Monitor:
        """A monitor of another machine with the same model and settings; healthy baseline and limits are shared."""
        other = Monitor(self.model, self.settings, store=store)
        other._baselines, other._limits = self._baselines, self._limits
        return other

    def limits(self) -> ControlLimits:
        """The control limits of all channels.

        Raises:
            InputError: Too few healthy maps.
        """
        return self._limits_for(self._baseline(self.settings), self.settings, None)

    def single_limit(self, rate: float | None = None) -> float | None:
        """The score above which a single map is AMBER for a tooth; None where the score is not the best evidence.

        Examples:
            >>> import toothwise
            >>> from toothwise.simulate.maps import generate
            >>> healthy, _ = generate(domain="C", n=60, faulty=False, seed=1, shape=(12, 17))
            >>> monitor = toothwise.Monitor(toothwise.Model.fit(healthy))
            >>> monitor.single_limit() > monitor.model.threshold.value
            True
        """
        rate = self.limits().single_rate if rate is None else rate
        known = self._reference.best_of(1) or self._reference.best_of(2)
        if known is None:
            return None
        drawn = self._reference.drawn is not None
        best = known[1] == 1 and (drawn or np.allclose(known[0].max(axis=1), self._reference.score, rtol=1e-6))
        if not best:
            return score_height(self._reference, rate)
        return evidence_height(self._reference, 1 if self._reference.row is not None else 2, rate)

    def threshold(self, rate: float | None = None) -> float | None:
        """The score above which a single map alarms: ``single_limit``, or the detector's own threshold without one.

        Args:
            rate: Chance of a single healthy map to be AMBER; None = as the limits have it.
        """
        limit, own = None, self.model.detector.threshold
        if rate is not None or len(self._reference) >= FEWEST:
            limit = self.single_limit(rate)
        return limit if limit is not None or own is None else float(own.value)

    @property
    def records(self) -> int:
        """How many records are known, with those that are no longer kept."""
        return len(self._loaded())

    @property
    def names(self) -> set[str]:
        """Names of all records that are known."""
        return self._loaded().names

    def add(self, maps: Any, *, rebaseline: str | None = None, progress: Progress = silent) -> Diagnosis:
        """Judge maps together with those that came before; a record that is known already changes nothing.

        Args:
            maps: An array ``[n, rows, columns]`` in time order, a HealthMap or several, a batch, records, or paths of
                files and folders of maps or recordings. Maps that their table marks as ``healthy``, and those before
                them, are left out, because the model was fitted on them.
            rebaseline: Reason for a new baseline from the first new record on. Given again with the same records, it
                changes nothing.
            progress: Called with what is being done.

        Raises:
            InputError: Maps of another kind than the model's, records out of order or twice, a sensor that is missing,
                a state of another model or with other settings, or no new record to begin a new baseline.
            OutputError: The state cannot be kept. Nothing has changed then.
        """
        batch, skipped = self.model.maps_of(maps, progress=progress)
        batch = after_healthy(batch)
        state = self._loaded().copy()
        settings = state.settings
        progress(f"scoring {len(batch)} maps")
        first = self.model.detector.predict(batch)
        batch = mark_noise(batch, self.model.detector, first.score, self.threshold)
        # a single map says the same either way: the limits of single records are those of a sequence
        several = self._stored or len(batch) > 1 or not of_files(maps)
        ordered = "not_learned" in batch.table or (several if settings.sequence is None else settings.sequence)
        if ordered:
            batch = replace(batch, table=numbered(batch, state.records, state.names, maps))
        progress("judging")
        if ordered:
            found = self._together(state, batch, self._baseline(settings), first, rebaseline)
        else:
            each, limits = self._each(batch, first)
            found = diagnosis_of_maps(each, settings, limits, self._reference.effective)
            self._judged = _Judged(found, batch)
        found = replace(found, skipped=(*map(str, skipped), *found.skipped))
        found = with_unknown(found, self._reference, batch, self.model.builder)
        if ordered:
            self._keep(state, found)
        self._judged = replace(self._judged, found=found) if self._judged else None
        return found

    def rebaseline(self, reason: str) -> None:
        """Learn a new baseline from the next record on, as after maintenance; this is kept at once.

        Raises:
            InputError: No reason.
            OutputError: The state cannot be kept.
        """
        state = self._loaded().copy()
        state.rebaseline(reason)
        self._keep(state, None)

    def evidence(self, *, progress: Progress = silent) -> DiagnosisEvidence:
        """What a report draws of the last maps that were added: the maps that matter most, explained, and the course.

        Raises:
            InputError: Nothing has been added yet.
        """
        last = self._judged
        if last is None:
            raise InputError("there is nothing to show yet: add maps first")
        found, batch, model = last.found, last.batch, self.model
        about = about_maps(batch, model.detector, self._reference)
        why = explain(batch, found, model.detector, self._reference, model.healthy, progress=progress)
        course = records = None
        if found.sequence:
            baseline = self._baseline(found.settings)
            records = shown_records(last.records, self._reference, baseline, before=len(last.past))
        if found.sequence and found.limits is not None:
            learn = found.settings.learn
            tracked = track_records(last.records, baseline, resets=last.resets, learn=learn, past=last.past)
            course = sequence_evidence(tracked, baseline, run_rules(tracked, baseline, found.limits))
        return DiagnosisEvidence(about, why, course, best_evidence(self._reference), records)

    def _loaded(self) -> State:
        """The state, from memory or from the store; checked against the model and what was chosen."""
        if self._state is None:
            state = self.store.load() or State(self._reference.detector, self.settings)
            if state.model != self._reference.detector:
                raise InputError(
                    f"{_where(self.store)}belongs to detector {state.model[:12]}, but the one in use is "
                    f"{self._reference.detector[:12]}: a monitor keeps its model; begin a new state"
                )
            known = state.channels
            if known is not None and known != (watched := len(self._baseline(state.settings).channels)):
                raise InputError(
                    f"{_where(self.store)}was begun with {known} things to watch, but the model in use watches "
                    f"{watched}: it was fitted anew; begin a new state"
                )
            for name, here in self._chosen.items():
                there = getattr(state.settings, name)
                if here != there:
                    raise InputError(
                        f"{_where(self.store)}was begun with {name} {there}, but got {here}: begin a new state for that"
                    )
            self._state = state
        return self._state

    def _keep(self, state: State, found: Diagnosis | None) -> None:
        self._state = None  # whatever happens now, the store knows
        self.store.save(state, found)
        self._state = state

    def _baseline(self, settings: MonitorSettings) -> Baseline:
        """The healthy baseline of these settings."""
        key, waveforms = repr(sorted(settings.bins.items())), self.model.detector.can.waveforms
        if key not in self._baselines:
            self._baselines[key] = learn_baseline(self._reference, bins=settings.bins, by_waveform=waveforms)
        return self._baselines[key]

    def _limits_for(self, baseline: Baseline, settings: MonitorSettings, learned: int | None) -> ControlLimits:
        key = f"{settings.rate} {settings.warning} {settings.seed} {settings.bins} {learned}"
        if key not in self._limits:
            self._limits[key] = control_limits_for(baseline, settings, learned=learned)
        return self._limits[key]

    def alone(self, batch: HealthMapBatch, first: Prediction | None = None) -> list[Diagnosis]:
        """Diagnose maps of the model's kind, each on its own; nothing is kept of them.

        A map at a condition that was not learned is judged as the only record of a sequence, as ``add`` judges it.

        Args:
            batch: The maps, checked.
            first: The detector's prediction of them, where it is there already.
        """
        first = self.model.detector.predict(batch) if first is None else first
        batch = mark_noise(batch, self.model.detector, first.score, self.threshold)
        (each, limits), known = self._each(batch, first), self._reference
        own = [diagnosis_of_maps([one], self.settings, limits, known.effective) for one in each]
        out = [with_unknown(one, known, batch, self.model.builder) for one in own]
        if "not_learned" in batch.table:
            for k in np.flatnonzero(batch.table["not_learned"].notna()):
                out[k] = self.beside(MemoryStore()).add(batch[np.array([k])])
        return out

    def _each(self, batch: HealthMapBatch, first: Prediction | None) -> tuple[list[MapDiagnosis], ControlLimits]:
        limits = self.limits()
        each = diagnose_maps(batch, self.model.detector, self._reference, rate=limits.single_rate, first=first)
        return each, limits

    def _together(
        self, state: State, batch: HealthMapBatch, baseline: Baseline, first: Any, rebaseline: str | None
    ) -> Diagnosis:
        """Of records in time order, with those in the state, which has them then."""
        settings = state.settings

        def limits(learned: int | None) -> ControlLimits:
            name = "healthy" if learned is None else str(learned)
            if name not in state.limits:
                state.limits[name] = self._limits_for(baseline, settings, learned)
            return state.limits[name]

        rate = limits(None).single_rate
        seen, each = summarize_records(
            batch,
            self.model.detector,
            self._reference,
            baseline,
            rate=rate,
            threshold=self.threshold(rate),
            sensors=settings.sensors,
            first=first,
        )
        names = state.names
        fresh = any(record.name not in names for record in seen)
        if rebaseline is not None and not fresh and (not state.resets or state.resets[-1].reason != rebaseline.strip()):
            raise InputError("a new baseline begins with the first new record, but all records given are there already")
        if rebaseline is not None and fresh:
            state.rebaseline(rebaseline)
        contradicted = tuple(state.contradicted(seen))
        try:
            added = state.append(seen)
        except InputError as error:
            raise InputError(f"{_where(self.store)}{error}") from None
        gears = gear_of(batch.rows, "driving"), gear_of(batch.columns, "driven")
        found = judge(
            state.records,
            baseline,
            settings,
            resets=state.resets,
            past=state.past,
            gears=gears,
            spacing=ring_spacing(batch.gear),
            limits=limits,
        )
        self._judged = _Judged(found, batch, tuple(state.records), tuple(state.resets), state.past)
        if found.limits is not None:
            state.records, state.past = compact(
                state.records, baseline, settings.learn, found.limits, resets=state.resets, past=state.past
            )
        if settings.sensors is not None:
            sensor = batch.table[settings.sensors].astype(str)
            each = [replace(one, sensor=name) for one, name in zip(each, sensor, strict=True)]
        shown = (telling_map(found, each),)
        return replace(found, each=tuple(each), added=added, explained=shown, skipped=contradicted)


def _where(store: Store) -> str:
    """What keeps the state, at the beginning of a message."""
    return f"{getattr(store, 'where', 'the state')} "


def map_threshold(model: Model) -> float | None:
    """The score above which a single map of a model alarms, as ``Monitor.threshold``; None where nothing tells it."""
    if model.reference is not None:
        return Monitor(model).threshold()
    return None if model.detector.threshold is None else float(model.detector.threshold.value)
