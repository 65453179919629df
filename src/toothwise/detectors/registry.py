"""Names of the detectors. The modules behind them load only when asked for."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from importlib.metadata import entry_points
from inspect import Parameter, signature
from typing import Any, NamedTuple

from toothwise.detectors.base import Detector
from toothwise.errors import InputError, did_you_mean, missing
from toothwise.fields import described


class Option(NamedTuple):
    """An option of a detector.

    Attributes:
        default: Its value where none is given.
        unit: What its number counts, or "" where it is no number.
        meaning: What it does.
    """

    default: Any
    unit: str
    meaning: str


# name: (module:class, one line, constructor options that make the variant)
_SCAN, _STATISTIC = ".scan:DirectionalScan", ".statistics:MapStatistic"
_DINOMALY = ".dinomaly.detector:DinomalyDetector"
_DRAEM, _PATCHCORE = ".draem_sevnet.detector:DraemSevNetDetector", ".patchcore.detector:PatchcoreDetector"
_ROWS = {"faults": "lines", "severity_max": 1.0, "pooling": "lines"}
_REGISTRY: dict[str, tuple[str, str, dict[str, Any]]] = {
    "scan": (_SCAN, "best row or column segment, calibrated; no network", {}),
    "scan_learned": (
        _SCAN,
        "scan with the noise's covariance learned from healthy maps, lines of two teeth and with gaps",
        {"noise": "learned", "teeth": 2, "gaps": 3.0},
    ),
    "line_network": (
        ".line_network.detector:LineNetworkDetector",
        "scan_learned corrected by a small network with attention along rows and columns",
        {},
    ),
    "healthy_distance": (
        ".healthy_distance:HealthyDistance",
        "deviation from the same gearbox's healthy maps, by rows and columns",
        {},
    ),
    "coherent": (
        ".coherent:Coherent",
        "waveform of each tooth over its mates, on the scale of healthy scatter; for maps from recordings",
        {},
    ),
    "line_waveforms": (
        ".line_network.waveforms:LineWaveforms",
        "coherent corrected by a line network that sees the waveforms; for maps from recordings",
        {},
    ),
    "pca": (".subspace:PrincipalComponents", "what principal components leave over", {}),
    "mahalanobis": (".subspace:Mahalanobis", "distance from healthy maps, shrunk covariance", {}),
    "statistics": (_STATISTIC, "a statistic of the map, by option statistic=", {}),
    "mean": (_STATISTIC, "mean of the map", {"statistic": "mean"}),
    "max": (_STATISTIC, "largest pixel", {"statistic": "max"}),
    "peak_to_sd": (_STATISTIC, "(largest pixel - mean) / standard deviation", {"statistic": "peak_to_sd"}),
    "row_mean": (_STATISTIC, "best row mean", {"statistic": "row_mean"}),
    "column_mean": (_STATISTIC, "best column mean", {"statistic": "column_mean"}),
    "fisher": (_STATISTIC, "Fisher ratio of the best row or column against the rest", {"statistic": "fisher"}),
    "row_rms": (_STATISTIC, "RMS of the best row", {"statistic": "row_rms"}),
    "row_kurtosis": (_STATISTIC, "kurtosis along the best row (as FM4)", {"statistic": "row_kurtosis"}),
    "row_m6a": (_STATISTIC, "sixth moment along the best row (as M6A)", {"statistic": "row_m6a"}),
    "row_crest": (_STATISTIC, "crest factor of the best row", {"statistic": "row_crest"}),
    "patchcore": (_PATCHCORE, "PatchCore: distance of every patch from a bank of healthy patches", {}),
    "patchcore_context": (
        _PATCHCORE,
        "PatchCore whose patches are joined with their neighbours in the row",
        {"context": "row"},
    ),
    "padim": (".padim:PadimDetector", "PaDiM: a Gaussian for every place of the map", {}),
    "draem_sevnet": (_DRAEM, "DRAEM with a severity head, trained on bright patches", {}),
    "draem_sevnet_rows": (_DRAEM, "DRAEM with a severity head, trained on rows with gaps", _ROWS),
    "fused": (
        ".fused:FusedDetector",
        "evidence of the scan and a deep detector added up; names tooth and contrast",
        {},
    ),
    "dinomaly": (_DINOMALY, "plain Dinomaly, no directional layer", {"directional_layers": []}),
    "dinomaly_directional": (_DINOMALY, "Dinomaly with directional attention", {}),
    "dinomaly_severity": (
        ".dinomaly.severity:SeverityDetector",
        "Dinomaly with directional attention that also estimates the contrast of damage",
        {},
    ),
    "pooled": (".pooling:LinePooled", "", {}),
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
    if name not in _REGISTRY:
        for point in entry_points(group="toothwise.detectors", name=name):  # of another package
            register(name, point.value, "")
    if name not in _REGISTRY:
        raise InputError(f"detector must be one of {', '.join(names())}, but got {name!r}")
    module, _, attribute = _REGISTRY[name][0].partition(":")
    try:
        return getattr(import_module(module, "toothwise.detectors"), attribute)
    except ImportError as error:
        if error.name and error.name.partition(".")[0] == "toothwise":
            raise
        raise missing(error.name or "torch", f"detector {name!r}") from None


def options_of(name: str) -> dict[str, Option]:
    """Options of a detector by name, from its signature and its docstring.

    Raises:
        InputError: No such detector.
        MissingDependencyError: A package that it needs is not installed.

    Examples:
        >>> options_of("scan")["clip"].default
        5.0
        >>> options_of("scan")["clip"].unit
        'standard deviations'
    """
    cls = class_of(name)
    defaults: dict[str, Any] = {}
    for parent in cls.__mro__:
        if "__init__" in vars(parent):
            own = list(signature(parent).parameters.values())
            named = {one.name: one.default for one in own if one.kind is Parameter.KEYWORD_ONLY}
            defaults = named | defaults
            if all(one.kind is not Parameter.VAR_KEYWORD for one in own):
                break
    meanings: dict[str, tuple[str | None, str]] = {}
    for group in cls.option_groups:
        meanings = described(group) | meanings
        defaults = {field.name: getattr(group(), field.name) for field in fields(group)} | defaults
    meanings |= described(cls)
    if name in _REGISTRY:
        defaults |= _REGISTRY[name][2]
    said = {option: meanings.get(option, (None, "")) for option in defaults}
    return {option: Option(value, said[option][0] or "", said[option][1]) for option, value in defaults.items()}


def takes(name: str, option: str) -> bool:
    """Whether a detector has this option itself."""
    return option in options_of(name)


def for_pictures(name: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The detector and its options for photographs: brightness as it is, spots as well as lines.

    Args:
        name: A detector; "auto" = PatchCore.
        options: Those that were chosen, which stay.

    Raises:
        InputError: A detector of maps.

    Examples:
        >>> for_pictures("auto", {})
        ('patchcore', {'channels': 'grey', 'log': False})
        >>> for_pictures("scan", {})
        Traceback (most recent call last):
        ...
        toothwise.errors.InputError: these are photographs, but 'scan' looks for teeth in health maps: choose ...
    """
    name = "patchcore" if name == "auto" else name
    if not class_of(name).can.photographs:
        fit = [one for one in names() if class_of(one).can.photographs]
        raise InputError(
            f"these are photographs, but {name!r} looks for teeth in health maps: choose one of {', '.join(fit)}"
        )
    known = options_of(name)
    suited = {"channels": "grey", "log": False, "pooling": "top"}
    return name, {option: value for option, value in suited.items() if option in known} | options


def create(name: str, **options: Any) -> Detector:
    """A new detector by name; options are those of its class.

    ``pooling`` ("rows", "columns", "lines", "segments") is an option of every detector: where its class has no such
    option the detector comes back as a ``LinePooled`` one. So does "coherent", of detectors with residual vectors.
    """
    cls = class_of(name)
    pooling = options.get("pooling")
    if pooling is not None and (pooling in ("segments", "coherent") or not takes(name, "pooling")):
        from toothwise.detectors.pooling import LinePooled

        del options["pooling"]
        return LinePooled(detector=name, pooling=pooling, options=options)
    merged = {**_REGISTRY[name][2], **options}
    known = options_of(name)
    for option in merged:
        if option not in known:
            allowed = f"{did_you_mean(option, known)} (allowed: {', '.join(sorted(known))})"
            raise InputError(f"{option!r} is no option of detector {name!r}{allowed}")
    try:
        return cls(**merged)
    except TypeError as error:
        raise InputError(f"detector {name!r}: {error}") from None
