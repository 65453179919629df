"""``model.json``: what the folder of a model holds, fitted or exported, and how each of its files is known again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from toothwise import __version__
from toothwise.checks import check_choice
from toothwise.detectors.base import Detector, fingerprint
from toothwise.errors import InputError
from toothwise.evaluation.thresholds import Threshold
from toothwise.fields import from_mapping
from toothwise.files import write_json
from toothwise.reading import read_json

FILE = "model.json"
STATE = "state.safetensors"
FORMATS = ("auto", "onnx", "openvino", "torch")
BACKENDS = ("fitted", *FORMATS, "numpy", "parts")
VERSION = 2
_MOST_BYTES = 2**24  # of model.json itself


@dataclass(frozen=True)
class Manifest:
    """What the folder of a model is.

    Attributes:
        detector: Name of the detector; options, shape, threshold, info: Its own.
        fingerprint: Of the fitted detector: what a healthy reference and a state file know it by.
        backend: What runs it: "fitted" (the detector as it was fitted) or, of an export, "onnx", "openvino", "auto"
            (whichever of these is faster where it is opened), "torch", "numpy" (which needs no network) or "parts"
            (NumPy that joins detectors exported each for itself, in ``parts/``).
        about: What the fitted maps say of their gears, axes, quantity and unit; {} = unknown.
        builder: How its recordings become maps, as ``MapBuilder.as_json``; None = it was fitted on maps.
        normalisation: What is done to a map before the network; {} = no network.
        graph: Inputs, outputs, opset, most maps at a time, and the choices of engine and precision that hold the
            accuracy; {} = no network.
        parity: Largest relative difference of the score from the fitted detector's, and how many maps it was measured
            on.
        files: Path inside the folder -> bytes and sha256.
        toothwise: Version that wrote it.
    """

    detector: str
    options: dict[str, Any]
    shape: tuple[int, int]
    threshold: Threshold | None
    info: dict[str, Any]
    fingerprint: str
    backend: str = "fitted"
    about: dict[str, Any] = field(default_factory=dict)
    builder: dict[str, Any] | None = None
    normalisation: dict[str, Any] = field(default_factory=dict)
    graph: dict[str, Any] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    toothwise: str = __version__

    @classmethod
    def of(cls, detector: Detector, **more: Any) -> Manifest:
        """The manifest of a fitted detector; ``more`` are further fields.

        Raises:
            InputError: It has not been fitted.
        """
        if detector.shape is None:
            raise InputError(f"{detector.name} has not been fitted: there is nothing to save")
        same = {name: getattr(detector, name) for name in ("options", "shape", "threshold", "info")}
        return cls(detector=detector.name, fingerprint=fingerprint(detector), **same, **more)

    @property
    def exported(self) -> bool:
        """Whether it is an export, which cannot be exported again."""
        return self.backend != "fitted"

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON types, with the sha256 of itself."""
        data = {"format": VERSION, "kind": "toothwise model"} | asdict(self)
        return data | {"sha256": digest(data)}

    @classmethod
    def from_json(cls, data: dict[str, Any], path: Path) -> Manifest:
        """The inverse of ``as_json``, checked.

        Raises:
            InputError: Something is missing or of another type; the message names ``path``.
        """
        manifest = from_mapping(cls, {f.name: data[f.name] for f in fields(cls) if f.name in data}, str(path))
        if not all(0 < n < 2**16 for n in manifest.shape):
            raise InputError(f"{path}: shape must be two numbers of teeth or records, but is {manifest.shape}")
        check_choice(BACKENDS, **{f"{path}: backend": manifest.backend})
        return manifest


def digest(data: dict[str, Any]) -> str:
    """sha256 of a manifest's content, whatever the order and the spaces in its file."""
    kept = {key: value for key, value in data.items() if key != "sha256"}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def listed(folder: Path) -> dict[str, dict[str, Any]]:
    """Bytes and sha256 of every file below a folder but its own ``model.json``."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != FILE:
            content = path.read_bytes()
            found[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return found


def write_state(folder: Path, state: dict[str, np.ndarray]) -> None:
    """Write what a detector learned."""
    from safetensors.numpy import save_file

    save_file({k: np.ascontiguousarray(v) for k, v in state.items()}, folder / STATE)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``model.json``; the folder's files must be there already."""
    write_json(folder / FILE, replace(manifest, files=listed(folder)).as_json())


def read_manifest(folder: str | Path) -> Manifest:
    """``model.json`` of a folder, checked.

    Raises:
        InputError: No model, a damaged or changed one, or one of another version's format.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        if any((Path(folder) / name).is_file() for name in ("detector.json", "export.json")):
            raise InputError(f"{folder}: written by version 0.1; fit it again (toothwise fit), and export that model")
        raise InputError(f"{folder}: not the folder of a model (no {FILE})")
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path}: larger than {_MOST_BYTES} bytes, which no manifest is")
    data = read_json(path)
    if not isinstance(data, dict) or data.get("kind") != "toothwise model":
        raise InputError(f"{path}: does not describe a model")
    if data.get("format") != VERSION:
        raise InputError(f"{path}: unsupported format {data.get('format')!r:.20}; this version reads {VERSION}")
    if data.get("sha256") != digest(data):
        raise InputError(f"{path}: was changed after it was written (its sha256 does not fit)")
    return Manifest.from_json(data, path)


def verified(folder: str | Path, manifest: Manifest, name: str) -> bytes:
    """The content of a file that the manifest lists, read once and compared with its sha256.

    Raises:
        InputError: Not listed, missing, a link or a path out of the folder, or changed after it was written.
    """
    path = Path(folder) / name
    if name not in manifest.files:
        raise InputError(f"{Path(folder) / FILE}: lists no file {name!r}")
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or path.is_symlink():
        raise InputError(f"{path}: a model's files must be in its folder and not links")
    expected = manifest.files[name]
    try:
        if path.stat().st_size != expected["bytes"]:
            raise InputError(f"{path}: was changed after it was written ({path.stat().st_size} bytes, not the same)")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (KeyError, TypeError):
        raise InputError(f"{Path(folder) / FILE}: says nothing of the bytes of {name!r}") from None
    if hashlib.sha256(content).hexdigest() != expected.get("sha256"):
        raise InputError(f"{path}: was changed after it was written (its sha256 does not fit)")
    return content
