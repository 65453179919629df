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
    """False alarms per 1,000 healthy records, their interval, whether the stated rate is held, and the worst gearbox.

    The interval is Poisson's, widened by how much more than that the gearboxes differ. All have as many records.
    """
    out, per = {}, 1000.0 / max(sum(r["records"] for r in rows), 1)
    for key, stated in RATES.items():
        own = np.array([r[key] for r in rows] or [0])
        with np.errstate(all="ignore"):
            wider = float(np.fmax(1.0, own.var() / own.mean() * len(own) / (len(own) - 1)))
        low, high = np.nan_to_num(chi2.ppf((0.025, 0.975), 2 * own.sum() / wider + np.array((0, 2)))) * wider * per / 2
        out[key] = {"per_1000": float(own.sum() * per), "interval": [float(low), float(high)]}
        out[key] |= {"episodes": int(own.sum()), "records": round(1000.0 / per), "wider": wider}
        out[key] |= {"held": bool(low <= stated), "worst": float(own.max() * len(own) * per)}
    return out
