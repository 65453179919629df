"""Detectors and their options, checked before the first trial: that needs the detectors' own modules."""

from __future__ import annotations

from toothwise import detectors
from toothwise.errors import InputError, MissingDependencyError
from toothwise_lab.studies.cell_maps import LIMITS
from toothwise_lab.studies.config import Part, Study
from toothwise_lab.studies.expand import Arm, setting_place
from toothwise_lab.studies.own_detectors import known_options, make_detector


def check_detectors(study: Study) -> None:
    """Refuse detectors and options that are none, before anything runs.

    A detector whose packages are not installed is left to its trials, which will tell.

    Raises:
        InputError: with file, line and the nearest valid name.
    """
    for part in study.parts:
        for arm in part.arms:
            _check(study, part, arm)


def _check(study: Study, part: Part, arm: Arm) -> None:
    name, options = arm.settings["detector"], arm.settings.get("options", {})
    source = study.source
    if name in LIMITS and part.kind == "maps":
        if options:
            raise source.error(setting_place(study.source, arm, "options"), f"detector {name!r} has no options")
        return
    if ":" not in name and name not in detectors.names():
        allowed = [*detectors.names(), *(LIMITS if part.kind == "maps" else ())]
        raise source.unknown(setting_place(study.source, arm, "detector"), name, "detector", allowed)
    try:
        known = known_options(name)
        for option in options:
            if option not in known:
                place = setting_place(study.source, arm, "options", option)
                raise source.unknown(place, option, f"option of detector {name!r}", known)
        make_detector(name, options)
    except MissingDependencyError:
        return
    except InputError as error:
        if str(error).startswith(f"{source.file}, line"):
            raise
        guilty = next((option for option in options if option in str(error)), None)
        names = ("options", guilty) if guilty else ("detector",)
        raise source.error(setting_place(source, arm, *names), f"{arm.name!r}: {error}") from None
