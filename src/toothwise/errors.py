"""The few errors that toothwise raises on purpose.

Every message says what was given, what is allowed and, where there is one, the file it came from. The command
line prints the message on one line and exits with code 2.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from types import ModuleType

INSTALL = "pip install '.[{extra}]' in a checkout of toothwise"  # it is not on a package index yet

# the extra of pyproject.toml that brings each optional module; pyarrow is also in "parquet"
_EXTRAS = {
    **dict.fromkeys(("torch", "torchvision", "lightning", "anomalib", "timm", "torchmetrics"), "train"),
    **dict.fromkeys(("onnx", "onnxscript"), "export"),
    **dict.fromkeys(("fastapi", "starlette", "pydantic", "uvicorn", "python_multipart", "prometheus_client"), "serve"),
    **dict.fromkeys(("ray", "pyarrow", "fsspec", "sqlalchemy", "paho", "psycopg"), "fleet"),
    **dict.fromkeys(("mlflow", "alembic"), "lab"),
    **{"onnxruntime": "runtime", "openvino": "openvino", "fpdf": "report", "h5py": "hdf5", "nptdms": "tdms"},
    **{"pyuff": "uff", "asammdf": "mf4", "soundfile": "audio"},
}


class ToothwiseError(Exception):
    """Base of all errors that a user can cause and mend."""


class InputError(ToothwiseError, ValueError):
    """A value, an option or a file that cannot be used as given."""


class LimitError(InputError):
    """An input that would take more time, memory or numbers than is allowed."""


class OutputError(ToothwiseError, OSError):
    """A result that could not be written."""


class WeightsError(ToothwiseError):
    """Encoder weights that are missing, truncated or of another architecture."""


class MissingDependencyError(ToothwiseError, ImportError):
    """An optional package that is not installed; the message names the extra that brings it."""


def missing(module: str, purpose: str, extra: str | None = None) -> MissingDependencyError:
    """The error of an optional package that is not installed.

    Args:
        module: The module that could not be imported, such as "pyarrow.parquet".
        purpose: What needs it; the message begins with it.
        extra: The extra to install, where it is not the usual one of this module.

    Examples:
        >>> print(missing("onnxruntime", "runs/pump: an exported model"))
        runs/pump: an exported model needs onnxruntime: pip install '.[runtime]' in a checkout of toothwise
    """
    package = module.partition(".")[0]
    extra = extra or _EXTRAS.get(package)
    hint = INSTALL.format(extra=extra) if extra else f"pip install {package}"
    return MissingDependencyError(f"{purpose} needs {package}: {hint}", name=package)


def is_optional(module: str | None) -> bool:
    """Whether an extra of toothwise brings a module."""
    return (module or "").partition(".")[0] in _EXTRAS


def need(module: str, purpose: str, extra: str | None = None) -> ModuleType:
    """An optional module, imported when it is needed.

    Args:
        module, purpose, extra: As of ``missing``.

    Raises:
        MissingDependencyError: The package is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        if error.name and error.name.partition(".")[0] == "toothwise":
            raise
        raise missing(error.name or module, purpose, extra) from None


class ToothwiseWarning(UserWarning):
    """Base of all warnings; the command line prints each on one line."""


class RangeWarning(ToothwiseWarning):
    """Values that look clipped, normalised image by image, or constant."""


class GearWarning(ToothwiseWarning):
    """Gears that are unusual but possible (profile shift, unequal planet spacing)."""


class GuessWarning(ToothwiseWarning):
    """Something about a file had to be guessed; the message says what was taken."""


class SignalWarning(ToothwiseWarning):
    """A recording that can be used, with something wrong in it (mesh not heard, NaN gaps, clipped samples)."""


class TrainingError(ToothwiseError):
    """Training that cannot go on; the message names step, layer and remedy."""


def did_you_mean(given: object, allowed: Iterable[str]) -> str:
    """The nearest allowed name as the end of a message, "" where none is near.

    Examples:
        >>> did_you_mean("lins", ["lines", "lengths"])
        "; did you mean 'lines'?"
    """
    from difflib import get_close_matches

    near = get_close_matches(str(given), list(allowed), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
