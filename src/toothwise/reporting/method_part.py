"""How a diagnosis was made, what it cannot say, and what it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toothwise.messages import Message, say
from toothwise.reporting.document import Block, Bullets, Heading, Paragraph, Table
from toothwise.reporting.shown import Shown

# how tooth 0 of a gear is known, and so what its number means on the metal
_TOOTH_ZERO = {
    "index": say("Teeth count from 0 in the direction of rotation; tooth 0 is at the index pulse of the gear."),
    "waveform": say(
        "Teeth count from 0; tooth 0 was found by comparison with the healthy waveform, so numbers are those of the "
        "healthy recordings."
    ),
    "given": say("Teeth count from 0; tooth 0 is where it was said to be."),
    "first record": say(
        "Teeth count from 0; tooth 0 is where the first record begins, and later records are turned onto it. Where "
        "that is on the metal is unknown: mark it by the phase of a recording before taking the gear out."
    ),
    "unknown": say(
        "Teeth count from 0. Without an index pulse they are known up to a turn of the gear: mark the tooth by the "
        "phase of the recording before taking the gear out."
    ),
}


def method(report: Shown) -> list[Block]:
    """The way from maps to the verdict."""
    return [Heading(report.language.say("Method")), Bullets(tuple(_method(report)))]


def _method(report: Shown) -> Iterator[str]:
    d, about, language = report.d, report.about, report.language
    if about["by_record"]:
        yield language.say(
            "A map shows the vibration of one gear: a row per tooth, a column per record, the newest last. "
            "Damage to a tooth lights up its row from onset on."
        )
    else:
        yield language.say(
            "A map shows the vibration while each tooth of one gear meets each tooth of the other: a row per "
            "driving tooth, a column per driven tooth. A damaged tooth lights up its whole row or column, or part "
            "of it."
        )
    yield language.say(
        "Detector {detector} was fitted on healthy maps alone and gives every tooth a value of evidence, which "
        "is judged by comparison with {healthy} healthy maps, each scored by a detector fitted without it.",
        detector=about["detector"]["name"],
        healthy=about["healthy"]["maps"],
    )
    yield language.say(
        "Each map is judged by four tests that share one error rate: strongest tooth, transient, swing with the "
        "revolution, level. What is found is removed, and the rest is tested again."
    )
    yield language.say(
        "Contrast is the mean of the damaged extent over that of the background, so 1 means no difference; its "
        "interval comes from the scatter of healthy maps."
    )
    if d["sequence"]:
        yield language.say(
            "Over the records, the evidence of every tooth, the level and the swing of each gear are summed in "
            "a CUSUM, in healthy standard deviations. The limit of the alarm is set for a false alarm rate of "
            "{rate:g} per 1,000 healthy records, that of the warning for {warning:g}; the maximum over all teeth "
            "and the dependence of records in time are taken into account.",
            rate=d["settings"]["rate"],
            warning=d["settings"]["warning"],
        )
        yield language.say(
            "Onset is the change-point that fits best, with its 95 % interval. Growth and outlook are a mixture of "
            "laws of growth, each weighed by how well it explains the contrast since then; their intervals were "
            "checked on simulated runs of each law."
        )


def limits(report: Shown) -> list[Block]:
    """What the reader must know before acting on it."""
    return [Heading(report.language.say("Limits")), Bullets(tuple(_limits(report)))]


def _limits(report: Shown) -> Iterator[str]:
    d, about, language = report.d, report.about, report.language
    zero = "first record" if about["by_record"] and d["tooth_zero"] == "given" else d["tooth_zero"]
    yield language.text(_TOOTH_ZERO.get(zero, _TOOTH_ZERO["unknown"]))
    yield language.say(
        "All probabilities rest on {maps} healthy maps, worth {effective:.0f} independent ones, and hold for the "
        "same gearbox, sensor and operating condition. Probabilities below 1 in {maps} are extrapolated.",
        **about["healthy"],
    )
    if d["drawn"]:
        yield language.say(
            "{drawn} of the healthy maps were drawn from a model of how days drift, not recorded.", drawn=d["drawn"]
        )
    yield language.say(
        "Contrast is vibration, not depth of damage: it shows that a tooth is worse than the others and how that "
        "grows, not how long a crack is."
    )
    yield language.say(
        "Damage weaker than the noise of these maps is not seen: the absence of a finding does not prove health."
    )
    if about["by_record"]:
        yield language.say(
            "A planet tooth meets the sun and the ring half a revolution apart; one sensor cannot tell which "
            "contact it hears, so the damaged tooth may be the one half a revolution away."
        )
    if d["sequence"]:
        if d["limits"] is not None:
            yield language.say(
                "The stated rate of false alarms holds as far as healthy records to come are like the known ones; "
                "{blocks} independent stretches of them are known.",
                blocks=d["stretches"],
            )
        if d["growth"] is not None and d["growth"]["reached"] is not None:
            yield language.say("The outlook assumes that growth continues as it does now; it is not a remaining life.")
        if d["records"] > d["added"]:
            yield language.say("Of earlier records only the numbers are kept, not the maps.")


def data_and_versions(report: Shown) -> list[Block]:
    """Files with their hashes, detector with its options, versions; and which record is which number."""
    about, language = report.about, report.language
    detector = about["detector"]
    rows: list[tuple[Message, Any]] = [(say("Diagnosed"), about["made"])]
    for entry in about["files"][:12]:
        digest = f" (SHA-256 {entry['sha256'][:16]}...)" if entry["sha256"] else ""
        rows.append((say("Maps"), f"{entry['file']}{digest}"))
    if len(about["files"]) > 12:
        rows.append((say("Maps"), say("{more} more files", more=len(about["files"]) - 12)))
    if about["gear"]:
        rows.append((say("Gears"), str(about["gear"])))
    if len(report.sensors) > 1:
        rows.append((say("Sensors"), report.sensors))
    options = ", ".join(f"{name}={value}" for name, value in detector["options"].items())
    rows += [
        (say("Detector"), f"{detector['name']} ({options})" if options else detector["name"]),
        (say("Fingerprint of the detector"), str(detector["fingerprint"])[:32]),
        (say("Healthy maps"), say("{maps}, worth {effective:.0f} independent ones", **about["healthy"])),
        (say("Versions"), [f"{name} {version}" for name, version in about["versions"].items()]),
    ]
    note = language.say("The same numbers are in diagnosis.json and evidence.npz, from which this report was written.")
    table = Table(("", ""), tuple((language.text(name), language.text(what)) for name, what in rows))
    return [Heading(language.say("Data and versions")), table, Paragraph(note, small=True)]
