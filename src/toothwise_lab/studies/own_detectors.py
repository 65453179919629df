"""Detectors of a trial by name: those of the registry, or a class of your own as ``module:Class``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from toothwise import detectors
from toothwise.detectors import registry
from toothwise.detectors.base import Detector
from toothwise.errors import InputError, MissingDependencyError, WeightsError
from toothwise_lab.studies.cell_maps import LIMITS

_SEEDED = ("dinomaly", "patchcore", "padim", "draem", "fused")


def make_detector(name: str, options: dict[str, Any], seed: int | None = None) -> Detector:
    """A new detector.

    Args:
        name: in the registry, or ``module:Class`` of a subclass of Detector that can be imported.
        options: of its constructor.
        seed: given to detectors of the registry that draw, unless the options hold one.

    Raises:
        InputError: an unknown name or option.
        MissingDependencyError: a package that the detector needs is missing.
    """
    if ":" in name:
        cls = _own_class(name)
        try:
            return cls(**options)
        except TypeError as error:
            raise InputError(f"detector {name!r}: {error}") from None
    if seed is not None and name.startswith(_SEEDED):
        options = {"seed": seed, **options}
    return detectors.create(name, **options)


def known_options(name: str) -> list[str]:
    """Names of the options that a detector takes."""
    known = make_detector(name, {}).options if ":" in name else registry.options_of(name)
    return sorted({*known, "pooling"})


def encoder_files(name: str, options: dict[str, Any]) -> list[tuple[str, Path | str]]:
    """Encoders that a detector would use, by name: the file of their weights, else "random", "hub" or "missing"."""
    if name in LIMITS:
        return []
    try:
        found = make_detector(name, options).options
    except MissingDependencyError:  # the trial itself will tell
        return []
    if "parts" in found:
        given = found.get("options") or {}
        return [item for part in found["parts"] for item in encoder_files(part, given.get(part, {}))]
    if "detector" in found:
        return encoder_files(found["detector"], found.get("options") or {})
    encoder = found.get("encoder_name")
    return [] if encoder is None else [(encoder, _weights_of(encoder, found.get("weights")))]


def _weights_of(encoder: str, weights: str | None) -> Path | str:
    from toothwise.detectors.encoder import HUB, RANDOM, find_weights

    if weights == RANDOM:
        return RANDOM
    try:
        return find_weights(encoder, weights) or HUB
    except WeightsError:
        return "missing"


def _own_class(name: str) -> type[Detector]:
    module, _, attribute = name.partition(":")
    try:
        cls = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"detector {name!r}: cannot be imported ({error})") from None
    if not (isinstance(cls, type) and issubclass(cls, Detector)):
        raise InputError(f"detector {name!r}: is not a subclass of toothwise.detectors.base.Detector")
    return cls
