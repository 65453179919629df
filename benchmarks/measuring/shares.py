"""Shares, rates and times of the rows of a benchmark, each with its interval."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import chi2

from toothwise.evaluation.thresholds import rate_interval

RATES = {"red": 1.0, "amber": 10.0, "single_red": 1.0, "single_amber": 10.0}  # stated per 1,000 records


def share(rows: list[dict[str, Any]], key: str, of: str | None = None) -> dict[str, Any]:
    """The share of rows in which something holds, with its interval."""
    known = [d[key] for d in rows if of is None or d[of]]
    low, high = rate_interval(float(np.mean(known)), len(known)) if known else (0.0, 1.0)
    return {"share": float(np.mean(known)) if known else None, "interval": [low, high], "of": len(known)}


def reached(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Records to either colour: how many reached it, and the median of those."""
    out = {}
    for key in ("to_amber", "to_red"):
        known = [d[key] for d in rows if d[key] is not None]
        out[key] = {"found": len(known), "of": len(rows), "median": float(np.median(known)) if known else None}
    return out


def rates(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """False alarms per 1,000 healthy records with their Poisson interval, and whether the stated rate is held."""
    out, per = {}, 1000.0 / max(sum(r["records"] for r in rows), 1)
    for key, stated in RATES.items():
        count = sum(r[key] for r in rows)
        low, high = (chi2.ppf(0.025, 2 * count) / 2 if count else 0.0), chi2.ppf(0.975, 2 * count + 2) / 2
        own = {"per_1000": count * per, "interval": [low * per, high * per], "episodes": count}
        out[key] = own | {"records": round(1000.0 / per), "held": bool(low * per <= stated)}
    return out
