"""Records at a condition that was not learned, and gears whose healthy teeth are numbered by a guess.

At another condition only what holds there is judged: a tooth is named where its waveform stands out among the other
teeth of its gear, in many of the records or in their mean: one that is a little louder in every record stands out in
none of them. There is no rate of false alarms for it that the user's healthy records could show, so that it is never
more than a warning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from toothwise.diagnosis.alike import with_alike
from toothwise.diagnosis.summary import RecordSummary, tooth_among_others
from toothwise.diagnosis.teeth import gear_of
from toothwise.diagnosis.verdict import COLOURS, Diagnosis, Tooth
from toothwise.diagnosis.words import gear_word, in_english, tooth_of
from toothwise.healthmap.core import HealthMapBatch
from toothwise.messages import both, say
from toothwise.reference.healthy_reference import HealthyReference

if TYPE_CHECKING:
    from toothwise.healthmap.map_builder import MapBuilder

_LAST = 20  # records that it is read from
_OFTEN = 1.0 / 3.0  # share of them that must show it
# Chance of it in their mean. What sound teeth of a gear differ by at another speed is the same in every record, and not
# normal: of simulated gearboxes twice as many as stated passed 0.01, and none this. Of others, whose teeth have bursts
# of their own, 5 of 66 sound sequences passed it, the loudest tooth 1.05 above the median; so it must be louder too.
_IN_MEAN, _LOUDER = 0.003, 1.1


def with_elsewhere(d: Diagnosis, seen: Sequence[RecordSummary], gears: tuple[str, str], rows: int) -> Diagnosis:
    """A diagnosis of records none of which could be judged, with the tooth that they show.

    Args:
        d: Of the records; ``unknown_because`` says what was not learned.
        seen: Records in time order.
        gears: Names of the gears of rows and columns.
        rows: Teeth of the rows' gear.
    """
    last = [one for one in seen if "not learned" in one.place][-_LAST:]
    found = [(axis, tooth, size) for one in last for _, axis, tooth, size in one.alone]
    if not last or d.unknown_because is None:
        return d
    axis, often = Counter(axis for axis, _, _ in found).most_common(1)[0] if found else (0, 0)
    where = say("in {often} of {records} records", often=often, records=len(last))
    if often < _OFTEN * len(last):
        found = _in_mean(last, rows)
        if not found:
            return d
        axis = found[0][0]
        where = say("in the mean of {records} records", records=len(last))
    numbers = Counter(tooth for of, tooth, _ in found if of == axis and tooth >= 0)
    number, most = numbers.most_common(1)[0] if numbers else (-1, 0)
    tooth = number if 2 * most >= max(sum(numbers.values()), 1) else None
    gear, size = gears[axis - 1], float(np.median([size for of, _, size in found if of == axis]))
    known = {one.tooth_zero[axis - 1] for one in last}
    said = say(
        "{tooth} may be going bad (warning): {where} its waveform stands out among the teeth of its gear; "
        "{reason}, so that teeth were compared with each other only: neither level nor growth was judged, "
        "and no rate of false alarms is known.",
        tooth=tooth_of(gear, tooth),
        where=where,
        reason=d.unknown_because,
    )
    return replace(
        d,
        colour=COLOURS["warning"],
        state="warning",
        pattern="one tooth",
        gear=gear,
        tooth=tooth,
        tooth_zero="unknown" if tooth is None else next(w for w in ("waveform", "index", "given") if w in known),
        teeth=(Tooth(gear, axis, tooth, 1.0, size, ()),),
        messages=d.messages | {"elsewhere": (said,)},
    )


def _in_mean(last: Sequence[RecordSummary], rows: int) -> list[tuple[int, int, float]]:
    """Axis, tooth and log energy of what stands out in the mean of records, in gears whose tooth zero is known."""
    each = [one.contrast for one in last]
    if len(each) < 2 or not all(each):
        return []
    mean = np.mean(each, axis=0)
    parts = [mean[:rows], mean[rows:]]
    known = [all(one.tooth_zero[k] != "unknown" for one in last) for k in range(2)]
    there = [part if k else np.zeros_like(part) for part, k in zip(parts, known, strict=True)]
    found = tooth_among_others((there[0][None], there[1][None]), last[0].tooth_zero, chance=_IN_MEAN)
    return [one[1:] for one in found if one[3] >= _LOUDER]


def with_unknown(
    d: Diagnosis, reference: HealthyReference, batch: HealthMapBatch, builder: MapBuilder | None
) -> Diagnosis:
    """A diagnosis that says what its tooth cannot be told from, and which gear's teeth could not be judged.

    Args:
        d: Of the maps of the batch. Where the teeth of a gear could not be judged it is never GREEN.
        reference: What healthy maps look like; ``unplaced`` says where their teeth are numbered by a guess.
        batch: For its gears.
        builder: For the other stages of their train; None = not known.
    """
    others = {} if builder is None else builder.gears.turning_with(builder.stage)
    d = with_alike(d, batch.gear, by_waveform=batch.waveforms is not None, turning_with=others)
    gears = gear_of(batch.rows, "driving"), gear_of(batch.columns, "driven")
    loose = [gear_word(gear) for gear, maps in zip(gears, reference.unplaced, strict=True) if maps]
    if not loose or d.state in ("learning", "unjudged"):
        return d
    said = say(
        "A damaged tooth of the {gear} gear may go unseen: in {unplaced} of {healthy} healthy recordings it is a guess "
        "which tooth is which, and even one twice as loud as it should be would not stand out.",
        gear=both(loose),
        unplaced=max(reference.unplaced),
        healthy=len(reference),
    )
    remedy = say(
        "Put one pulse per revolution on the shaft of the {gear} gear, or learn the healthy waveform from longer "
        "recordings, and fit again.",
        gear=both(loose),
    )
    verdict, next_look = d.messages["verdict"], d.messages["next_look"]
    if d.state != "quiet":
        # what else alarms stays; that it is no single tooth is not known
        return in_english(d, {"verdict": (*verdict, said), "next_look": (*next_look, remedy)})
    d = replace(d, colour=COLOURS["unjudged"], state="unjudged", unknown_because=str(said))
    return in_english(d, {"verdict": (said, *verdict), "next_look": (remedy,)})
