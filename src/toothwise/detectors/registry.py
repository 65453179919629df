"""Names of the detectors. The modules behind them load only when asked for."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from inspect import signature
from typing import Any

from toothwise.detectors.base import Detector
from toothwise.errors import InputError, did_you_mean, missing

__all__ = ["class_of", "create", "describe", "names", "register"]

# name: (module:class, one line, constructor options that make the variant)
_REGISTRY: dict[str, tuple[str, str, dict[str, Any]]] = {
    "scan": ("toothwise.detectors.scan:DirectionalScan", "best row or column segment, calibrated; no network", {}),
    "scan_learned": (
        "toothwise.detectors.scan:DirectionalScan",
        "scan with the noise's covariance learned from healthy maps, lines of two teeth and with gaps",
        {"noise": "learned", "teeth": 2, "gaps": 3.0},
    ),
    "healthy_distance": (
        "toothwise.detectors.healthy_distance:HealthyDistance",
        "deviation from the same gearbox's healthy maps, by rows and columns",
        {},
    ),
    "coherent": (
        "toothwise.detectors.coherent:Coherent",
        "waveform of each tooth over its mates, on the scale of healthy scatter; for maps from recordings",
        {},
    ),
    "pca": ("toothwise.detectors.subspace:PrincipalComponents", "what principal components leave over", {}),
    "mahalanobis": ("toothwise.detectors.subspace:Mahalanobis", "distance from healthy maps, shrunk covariance", {}),
    "statistics": ("toothwise.detectors.statistics:MapStatistic", "a statistic of the map, by option statistic=", {}),
    **{
        name: ("toothwise.detectors.statistics:MapStatistic", line, {"statistic": name})
        for name, line in (
            ("mean", "mean of the map"),
            ("max", "largest pixel"),
            ("peak_to_sd", "(largest pixel - mean) / standard deviation"),
            ("row_mean", "best row mean"),
            ("column_mean", "best column mean"),
            ("fisher", "Fisher ratio of the best row or column against the rest"),
            ("row_rms", "RMS of the best row"),
            ("row_kurtosis", "kurtosis along the best row (as FM4)"),
            ("row_m6a", "sixth moment along the best row (as M6A)"),
            ("row_crest", "crest factor of the best row"),
        )
    },
    "patchcore": (
        "toothwise.detectors.patchcore.detector:PatchcoreDetector",
        "PatchCore: distance of every patch from a bank of healthy patches",
        {},
    ),
    "patchcore_context": (
        "toothwise.detectors.patchcore.detector:PatchcoreDetector",
        "PatchCore whose patches are joined with their neighbours in the row",
        {"context": "row"},
    ),
    "padim": ("toothwise.detectors.padim:PadimDetector", "PaDiM: a Gaussian for every place of the map", {}),
    "draem_sevnet": (
        "toothwise.detectors.draem_sevnet.detector:DraemSevNetDetector",
        "DRAEM with a severity head, trained on bright patches",
        {},
    ),
    "draem_sevnet_rows": (
        "toothwise.detectors.draem_sevnet.detector:DraemSevNetDetector",
        "DRAEM with a severity head, trained on rows with gaps",
        {"faults": "lines", "severity_max": 1.0, "pooling": "lines"},
    ),
    "fused": (
        "toothwise.detectors.fused:FusedDetector",
        "evidence of the scan and a deep detector added up; names tooth and contrast",
        {},
    ),
    "dinomaly": (
        "toothwise.detectors.dinomaly.detector:DinomalyDetector",
        "plain Dinomaly, no directional layer",
        {"directional_layers": []},
    ),
    "dinomaly_directional": (
        "toothwise.detectors.dinomaly.detector:DinomalyDetector",
        "Dinomaly with directional attention",
        {},
    ),
    "dinomaly_severity": (
        "toothwise.detectors.dinomaly.severity:SeverityDetector",
        "Dinomaly with directional attention that also estimates the contrast of damage",
        {},
    ),
}


def register(name: str, place: str, line: str, options: dict[str, Any] | None = None) -> None:
    """Enter a detector, so that ``create`` and models know it by name.

    Args:
        name: Its name.
        place: "module:Class", which is imported when the detector is first asked for.
        line: What it is, in one line; "" = it is not listed.
        options: Of the constructor, which make the variant.

    Raises:
        InputError: The name is taken.

    Examples:
        >>> register("brightest", "toothwise.detectors.statistics:MapStatistic", "largest pixel", {"statistic": "max"})
        >>> create("brightest")
        MapStatistic(statistic='max')
    """
    if name in _REGISTRY:
        raise InputError(f"duplicate detector {name!r}")
    _REGISTRY[name] = (place, line, dict(options or {}))


def names() -> list[str]:
    """Names that ``create`` takes."""
    return list(describe())


def describe() -> dict[str, str]:
    """One line per detector."""
    return {name: line for name, (_, line, _) in _REGISTRY.items() if line}


def class_of(name: str) -> type[Detector]:
    """The class of a detector by its name.

    Raises:
        InputError: No such detector.
        MissingDependencyError: A package that it needs is not installed.
    """
    if name not in (*_REGISTRY, "pooled"):
        for point in entry_points(group="toothwise.detectors", name=name):  # of another package
            register(name, point.value, "")
    if name not in (*_REGISTRY, "pooled"):
        raise InputError(f"detector must be one of {', '.join(names())}, but got {name!r}")
    place = "toothwise.detectors.pooling:LinePooled" if name == "pooled" else _REGISTRY[name][0]
    module, _, attribute = place.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as error:
        if error.name and error.name.partition(".")[0] == "toothwise":
            raise
        raise missing(error.name or "torch", f"detector {name!r}") from None


def takes(name: str, option: str) -> bool:
    """Whether a detector's class has this option itself."""
    return option in _options_of(class_of(name))


def _options_of(cls: type[Detector]) -> list[str]:
    """Names of all options, in the alphabet's order: of the class, its parents, and dataclasses that they share."""
    holders = [one for parent in cls.__mro__[:-1] for one in (parent, vars(parent).get("shared_options")) if one]
    own = [one for holder in holders for one in signature(holder).parameters.values()]
    return sorted({one.name for one in own if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)})


def create(name: str, **options: Any) -> Detector:
    """A new detector by name; options are those of its class.

    ``pooling`` ("rows", "columns", "lines", "segments") is an option of every detector: where its class has no such
    option the detector comes back as a ``LinePooled`` one.
    """
    cls = class_of(name)
    pooling = options.get("pooling")
    if pooling is not None and (pooling == "segments" or not takes(name, "pooling")):
        from toothwise.detectors.pooling import LinePooled

        del options["pooling"]
        return LinePooled(detector=name, pooling=pooling, options=options)
    merged = {**_REGISTRY[name][2], **options}
    for option in merged:
        if not takes(name, option):
            allowed = _options_of(cls)
            guess = did_you_mean(option, allowed)
            raise InputError(f"{option!r} is no option of detector {name!r}{guess} (allowed: {', '.join(allowed)})")
    try:
        return cls(**merged)
    except TypeError as error:
        raise InputError(f"detector {name!r}: {error}") from None
