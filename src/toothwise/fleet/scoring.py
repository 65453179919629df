"""One row per map: scores of a block, and a map that the detector refuses as the reason why."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from toothwise.detectors.base import Detector, fingerprint
from toothwise.detectors.outside import noise_not_learned
from toothwise.fleet.reading import Block

SCHEMA = 2  # version of the rows; another meaning of a column is another version


def scorer_hash(detector: Detector, threshold: float | None, keep: tuple[str, ...], column: str) -> str:
    """SHA-256 of all that rows depend on besides the maps: detector, threshold, columns and version of the rows."""
    words = json.dumps([SCHEMA, fingerprint(detector), threshold, list(keep), column])
    return hashlib.sha256(words.encode()).hexdigest()


def row_schema(keep: tuple[str, ...]) -> Any:
    """The columns of the output, a pyarrow schema."""
    import pyarrow as pa

    text, number, whole = pa.string(), pa.float64(), pa.int32()
    columns = {"file": text, "index": pa.int64(), "id": text, "score": number, "threshold": number, "alarm": pa.bool_()}
    columns |= {"row": whole, "column": whole, "p_value": number, "severity": number, "error": text}
    return pa.schema([*columns.items(), *((name, text) for name in keep)])


def score_block(detector: Detector, block: Block, threshold: float | None, keep: tuple[str, ...]) -> Any:
    """Rows of a block as a pyarrow table: as many as maps, in their order."""
    import pyarrow as pa

    n = len(block)
    why = block.known.get("not_learned", [None] * n)
    out = {name: np.full(n, np.nan) for name in ("score", "row", "column", "p_value", "severity")}
    good = np.array([k for k, error in enumerate(block.error) if error is None], dtype=int)
    todo = [good] if len(good) else []
    while todo:
        part = todo.pop()
        try:
            prediction = detector.predict(block.values[part], not_learned=[why[k] for k in part])
            found = {name: getattr(prediction, name) for name in out}
            said = noise_not_learned(detector.scatter_ratio(block.values[part]), prediction.score, threshold)
        except Exception as error:  # of one map, which halving finds; the others are scored
            if len(part) == 1:
                block.error[int(part[0])] = _reason(error)
            else:
                todo += [part[len(part) // 2 :], part[: len(part) // 2]]
            continue
        for k, word in zip(part, said, strict=True):
            why[k] = why[k] or word
        for name, values in found.items():
            out[name][part] = np.nan if values is None else values
    unscored = np.isnan(out["score"])
    for k in np.flatnonzero(unscored):
        block.error[k] = block.error[k] or "the detector gave no score (NaN)"
    limit = np.full(n, np.nan if threshold is None else threshold)
    # the threshold holds at conditions that were learned, as in `predict`
    outside = np.array([bool(word) for word in why], dtype=bool)
    alarm = np.ma.array(out["score"] > limit, mask=unscored | np.isnan(limit) | outside)
    columns: dict[str, Any] = {name: np.where(unscored, np.nan, values) for name, values in out.items()}
    columns |= {"threshold": limit, "alarm": alarm, "file": [block.file] * n, "index": block.index}
    columns |= {"error": block.error} | block.known
    schema = row_schema(keep)
    # what is masked or NaN becomes null
    arrays = [pa.array(columns[field.name], field.type, from_pandas=True) for field in schema]
    return pa.table(arrays, schema=schema)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:300]
    return text if type(error).__module__.startswith("toothwise") else f"{type(error).__name__}: {text}"
