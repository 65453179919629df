"""A trial on a run to failure: since when does a detector alarm, and on which tooth?

The detector is fitted on the run's own healthy windows, or elsewhere: on a simulated run, or on simulated tooth-pair
maps of other gears (cross-machine). The threshold always comes from the run's own healthy days, because a false alarm
rate can be stated on no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toothwise.checks import check_choice
from toothwise.detectors.base import Detector, Prediction
from toothwise.healthmap.hums2023 import read_hums2023
from toothwise.healthmap.runs import RunRecords
from toothwise.healthmap.tooth_by_record import RunMapConfig, build_run_maps
from toothwise.progress import Progress
from toothwise.simulate.maps import generate
from toothwise.simulate.runs import simulate_run
from toothwise_lab.corruptions import resize_maps
from toothwise_lab.run_protocol import RunProtocol, run_detector
from toothwise_lab.studies.cell import Measured
from toothwise_lab.studies.image_trial import data_root
from toothwise_lab.studies.own_detectors import make_detector

_DATA = ("hums2023", "simulated")
_FIT_ON = ("own", "simulated_run", "simulated_maps")
_EXAMPLES = 3  # windows before the failure


@dataclass(frozen=True)
class RunTrial:
    """What is run.

    Attributes:
        data: "hums2023" (below TOOTHWISE_DATA) or "simulated" (a run of this seed).
        detector: its name.
        seed: of the detector and of what is simulated.
        options: of the detector.
        fit_on: "own" = the run's healthy windows; "simulated_run" = those of a simulated run; "simulated_maps" =
            tooth-pair maps of ``gears``, domain C, onto whose grid windows are resized and whose level they are given.
        gears: teeth of the driving and the driven gear of those maps; the driven one stands for the run's gear.
        n_train: simulated maps to fit on.
        healthy_days: days taken as healthy.
        false_alarm_rate: per record.
        sustained: records above the threshold in a row that raise the alarm.
        window: records of a window; detectors made for pictures need some.
    """

    data: str
    detector: str
    seed: int
    options: dict[str, Any] = field(default_factory=dict)
    fit_on: str = "own"
    gears: tuple[int, int] = (18, 35)
    n_train: int = 300
    healthy_days: tuple[int, ...] = (17, 18)
    false_alarm_rate: float = 0.01
    sustained: int = 5
    window: int = 32

    def __post_init__(self) -> None:
        check_choice(_DATA, data=self.data)
        check_choice(_FIT_ON, fit_on=self.fit_on)


class _FittedElsewhere(Detector):
    """A detector that was fitted on other maps; fitting it here changes nothing but the level it is shown."""

    name = "fitted_elsewhere"

    def __init__(self, inner: Detector, grid: tuple[int, int] | None, level: float | None) -> None:
        super().__init__()
        self._inner, self._grid, self._level, self._gain = inner, grid, level, 1.0
        self.info = inner.info

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        if self._level is not None:
            self._gain = self._level / float(np.nanmedian(values))

    def shown(self, values: np.ndarray) -> np.ndarray:
        """Maps as the detector sees them: on its grid, at its level."""
        return (values if self._grid is None else resize_maps(values, self._grid)) * np.float32(self._gain)

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        rows, columns = values.shape[1:]
        found = self._inner.predict(self.shown(values))
        evidence = found.row_evidence
        if evidence is not None and evidence.shape[1] != rows:
            evidence = evidence[:, np.arange(rows) * evidence.shape[1] // rows]
        heat = resize_maps(found.anomaly_map, (rows, columns), "bilinear")
        return Prediction(score=found.score, anomaly_map=heat, row_evidence=evidence)

    def _state(self) -> dict[str, np.ndarray]:
        return self._inner._state()

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        self._inner._restore(state)


def _records(trial: RunTrial) -> RunRecords:
    if trial.data == "simulated":
        return simulate_run(seed=trial.seed)
    return read_hums2023(data_root() / "hums2023")


def _own_days(records: RunRecords) -> tuple[int, ...]:
    """The days that a simulated run says are healthy."""
    return tuple(sorted({int(day) for day in records.day[records.healthy]}))


def measure_run(trial: RunTrial) -> Measured:
    """Fit, choose the threshold on healthy days, watch the rest.

    Raises:
        InputError: recordings that are not there.
    """
    records = _records(trial)
    days = _own_days(records) if trial.data == "simulated" else trial.healthy_days
    protocol = RunProtocol(
        maps=RunMapConfig(healthy_days=days, window=trial.window),
        false_alarm_rate=trial.false_alarm_rate,
        sustained=trial.sustained,
    )
    maps = build_run_maps(records, protocol.maps)
    elsewhere: _FittedElsewhere | None = None
    if trial.fit_on == "simulated_run":
        # another run than the one that is watched, should that be simulated too
        other = simulate_run(seed=10_000 + trial.seed)
        maps_of = RunMapConfig(healthy_days=_own_days(other), window=trial.window)
        source = build_run_maps(other, maps_of).recorded_windows.values
        elsewhere = _FittedElsewhere(make_detector(trial.detector, trial.options, trial.seed).fit(source), None, None)
    elif trial.fit_on == "simulated_maps":
        source = generate("C", trial.n_train, False, seed=1000 * trial.seed, shape=trial.gears)[0]
        source = np.ascontiguousarray(source.swapaxes(1, 2))  # the run's tooth stands in the rows
        inner = make_detector(trial.detector, trial.options, trial.seed).fit(source)
        elsewhere = _FittedElsewhere(inner, (source.shape[1], source.shape[2]), float(np.median(source)))

    def make() -> Detector:
        return elsewhere if elsewhere is not None else make_detector(trial.detector, trial.options, trial.seed)

    run = run_detector(maps, make, trial.detector, protocol)
    row = {"data": trial.data, "detector": trial.detector, "seed": trial.seed, "fit_on": trial.fit_on}
    row |= run.summary(maps, protocol)
    # numbers of records start in the middle of the run; places among all of them tell earlier alarms apart
    for rule in ("first_sustained", "consistent"):
        at = getattr(run, rule)
        row[f"{rule}_place"] = None if at is None else int(run.record[at])
    row["alarmed"] = float(run.first_sustained is not None)
    onset = maps.records.truth.get("onset_number")
    row["onset"] = None if onset is None else int(onset)
    scores = {"record": run.record, "score": run.score, "above": run.above}
    last = maps.windows.values[-_EXAMPLES:]
    examples = {"maps": last, "anomaly": run.prediction.anomaly_map[-_EXAMPLES:]}
    if elsewhere is None:
        return Measured(row, scores, run.detector.info, examples, run.detector)
    return Measured(row, scores, run.detector.info, examples | {"maps": elsewhere.shown(last)}, elsewhere._inner)
