"""Predictions as rows: what verbs print and write for every map."""

from __future__ import annotations

from typing import Any

from toothwise.detectors.base import Prediction
from toothwise.healthmap.core import HealthMapBatch


def score_rows(maps: HealthMapBatch, prediction: Prediction, threshold: float | None) -> list[dict[str, Any]]:
    """One row per map: plain Python values by name.

    Args:
        maps: What was scored, with its table.
        prediction: Of these maps, in their order.
        threshold: An alarm is a score above it; None = nothing is known of alarms, nor is it where the table says that
            a condition was not learned.

    Returns:
        file, index, score, threshold, alarm, row and column, then p_value and severity where the detector gives them,
        then the other columns of the table.

    Examples:
        >>> import numpy as np, toothwise
        >>> from toothwise.model.scores import score_rows
        >>> maps = np.random.default_rng(0).lognormal(size=(32, 9, 14))
        >>> model = toothwise.Model.fit(maps)
        >>> batch, _ = model.maps_of(maps[:2])
        >>> rows = score_rows(batch, model.predict(batch), model.threshold.value)
        >>> [(row["file"], row["alarm"] == (row["score"] > row["threshold"])) for row in rows]
        [('record 1', True), ('record 2', True)]
    """
    table = maps.table.convert_dtypes()  # whole numbers stay so beside files that lack the column
    known = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    records = []
    for i, about in enumerate(known):
        score = float(prediction.score[i])
        record: dict[str, Any] = {
            "file": about.pop("file", f"record {i + 1}"),
            "index": int(about.pop("index", 0)),
            "score": score,
            "threshold": threshold,
            # the threshold holds at conditions that were learned
            "alarm": None if threshold is None or about.get("not_learned") else score > threshold,
            "row": int(prediction.row[i]),
            "column": int(prediction.column[i]),
        }
        for name in ("p_value", "severity"):
            values = getattr(prediction, name)
            if values is not None:
                record[name] = float(values[i])
        records.append(record | {str(k): v for k, v in about.items() if str(k) not in record})
    return records
