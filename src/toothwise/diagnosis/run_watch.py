"""A run to failure watched record by record, with what a report needs of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from toothwise.detectors.base import Detector, Prediction
from toothwise.diagnosis.baseline import Baseline, learn_baseline
from toothwise.diagnosis.course import track_records
from toothwise.diagnosis.evidence import RunEvidence, sequence_evidence
from toothwise.diagnosis.findings import MapDiagnosis
from toothwise.diagnosis.history import RecordSummary, summarize_records
from toothwise.diagnosis.run_folder import about_run, explain, telling_map
from toothwise.diagnosis.verdict import SequenceDiagnosis, WatchSettings
from toothwise.diagnosis.watch import judge
from toothwise.healthmap.tooth_by_record import RunMaps
from toothwise.reference.healthy_maps import keep_healthy
from toothwise.reference.healthy_reference import HealthyReference, best_evidence, learn_reference
from toothwise.reference.records import record_ids

__all__ = ["WatchedRun", "watch_records"]


@dataclass(frozen=True, eq=False)
class WatchedRun:
    """The diagnosis of a run's windows and what it was made from.

    Attributes:
        found: the diagnosis; ``each``: that of every watched window by itself.
        maps, detector, reference, baseline, seen, settings: that it rests on.
    """

    found: SequenceDiagnosis
    each: list[MapDiagnosis]
    maps: RunMaps
    detector: Detector
    reference: HealthyReference
    baseline: Baseline
    seen: list[RecordSummary]
    settings: WatchSettings

    def for_report(self) -> tuple[dict[str, Any], RunEvidence]:
        """What ``toothwise diagnose`` writes of such a sequence: the diagnosis as JSON types, and its evidence."""
        windows, healthy = self.maps.windows, self.maps.healthy_windows
        watched = ~windows.table["healthy"].to_numpy(dtype=bool)
        at = telling_map(self.found, self.each)
        kept = keep_healthy(self.reference.detector, healthy.values, record_ids(healthy.table, len(healthy)))
        about = about_run(
            [self.maps.records.source],
            self.detector,
            self.reference,
            maps=int(watched.sum()),
            rows=windows.rows,
            columns=windows.columns,
            by_record=True,
            quantity=windows.quantity,
            unit=windows.unit,
        )
        values = windows.values[watched]
        why = explain(kept, values, self.each, self.detector, self.reference, progress=lambda text: None, which=[at])
        course = track_records(self.seen, self.baseline, learn=self.settings.learn)
        data = {
            "diagnosis": self.found.as_json(),
            "settings": asdict(self.settings),
            "last_map": self.each[-1].as_json(),
            "explained_map": self.each[at].as_json(),
        }
        sequence = sequence_evidence(self.seen, course, self.baseline, self.found.heights)
        return data, RunEvidence(about, why, sequence, best_evidence(self.reference))


def watch_records(
    maps: RunMaps,
    detector: Detector,
    settings: WatchSettings | None = None,
    *,
    prediction: Prediction | None = None,
) -> WatchedRun:
    """Watch a run, as ``toothwise diagnose`` does with its windows.

    Args:
        maps: of the run.
        detector: fitted with a threshold on ``maps.healthy_windows``, in this process.
        settings: of the watch.
        prediction: of all windows, where it is there already.
    """
    windows, healthy = maps.windows, maps.healthy_windows
    blocks = healthy.table["day"].to_numpy()
    reference = learn_reference(detector, healthy.values, table=healthy.table, blocks=blocks, by_record=True)
    baseline = learn_baseline(reference)
    watched = ~windows.table["healthy"].to_numpy(dtype=bool)
    seen, each = summarize_records(
        windows.values[watched],
        windows.table[watched].reset_index(drop=True),
        detector,
        reference,
        baseline,
        rows=windows.rows,
        columns=windows.columns,
        first=None if prediction is None else prediction.of(watched),
    )
    settings = settings or WatchSettings()
    found = judge(seen, baseline, settings, gears=("gear", "record"))
    each = [replace(one, record=record.name) for one, record in zip(each, seen, strict=True)]
    return WatchedRun(found, each, maps, detector, reference, baseline, seen, settings)
