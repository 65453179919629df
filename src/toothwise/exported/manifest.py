"""``export.json`` of an exported folder: what the folder holds, and how each of its files is known again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from toothwise.errors import InputError
from toothwise.evaluation.thresholds import Threshold
from toothwise.files import write_json
from toothwise.reading import as_input_error, read_json

__all__ = ["FILE", "FORMATS", "PRECISIONS", "Manifest", "is_exported", "read_manifest", "verified"]

FILE = "export.json"
FORMATS = ("onnx", "openvino", "torch")
PRECISIONS = ("float32", "bfloat16")
BACKENDS = (*FORMATS, "numpy", "parts")
VERSION = 1
_MOST_BYTES = 2**24  # of export.json itself


@dataclass(frozen=True)
class Manifest:
    """What an exported folder is.

    Attributes:
        detector: name of the detector; options, shape, threshold, info: its own.
        backend: what runs it: "onnx", "openvino", "torch", "numpy" (the saved detector, which needs nothing else) or
            "parts" (NumPy that joins detectors exported each for itself, in ``parts/``).
        gear: what the fitted maps say of their gears, axes, quantity and unit; {} = unknown.
        normalisation: what is done to a map before the network; {} = no network.
        graph: inputs, outputs, opset, most maps at a time, precision; {} = no network.
        fingerprint: of the detector that was exported: what a healthy reference and a state file know it by.
        parity: largest relative difference of the score from the detector's, and how many maps it was measured on.
        toothwise: version that wrote it.
        files: path inside the folder -> bytes and sha256.
    """

    detector: str
    backend: str
    options: dict[str, Any]
    shape: tuple[int, int]
    threshold: Threshold | None
    info: dict[str, Any]
    gear: dict[str, Any]
    normalisation: dict[str, Any]
    graph: dict[str, Any]
    fingerprint: str
    toothwise: str
    parity: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON types, with the sha256 of itself."""
        data: dict[str, Any] = {"format": VERSION, "kind": "toothwise export"} | asdict(self)
        data["shape"] = list(self.shape)
        if self.threshold is not None:
            data["threshold"]["interval"] = list(self.threshold.interval)
        return data | {"sha256": digest(data)}


def digest(data: dict[str, Any]) -> str:
    """sha256 of a manifest's content, whatever the order and the spaces in its file."""
    kept = {key: value for key, value in data.items() if key != "sha256"}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def is_exported(folder: str | Path) -> bool:
    """Whether a folder is an exported one."""
    return (Path(folder) / FILE).is_file()


def listed(folder: Path) -> dict[str, dict[str, Any]]:
    """Bytes and sha256 of every file below a folder but its own ``export.json``."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != FILE:
            content = path.read_bytes()
            found[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return found


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``export.json``; the folder's files must be there already."""
    data = manifest.as_json() | {"files": listed(folder)}
    write_json(folder / FILE, data | {"sha256": digest(data)})


def read_manifest(folder: str | Path) -> Manifest:
    """``export.json`` of a folder, checked.

    Raises:
        InputError: there is none, it is damaged or was changed, or it was written by another version's format.
    """
    path = Path(folder) / FILE
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: larger than {_MOST_BYTES} bytes, which no manifest is")
    except OSError:
        raise InputError(f"{folder}: not an exported folder (no {FILE})") from None
    data = read_json(path)
    if not isinstance(data, dict) or data.get("kind") != "toothwise export":
        raise InputError(f"{path}: not the manifest of an export")
    if data.get("format") != VERSION:
        raise InputError(f"{path}: format {data.get('format')} is not {VERSION}, the one this version reads")
    if data.get("sha256") != digest(data):
        raise InputError(f"{path}: was changed after the export (its sha256 does not fit): export it again")
    own = {name: data[name] for name in (f.name for f in fields(Manifest)) if name in data}
    with as_input_error(path, "lacks or misstates something"):
        known = own["threshold"]
        if known is not None:
            known = Threshold(**(known | {"interval": tuple(known["interval"])}))
        rows, columns = (int(size) for size in own["shape"])
        manifest = Manifest(**(own | {"threshold": known, "shape": (rows, columns)}))
    if manifest.backend not in BACKENDS:
        raise InputError(f"{path}: backend must be one of {', '.join(BACKENDS)}, but is {manifest.backend!r}")
    return manifest


def verified(folder: str | Path, manifest: Manifest, name: str) -> bytes:
    """The content of a file that the manifest lists, read once and compared with its sha256.

    Raises:
        InputError: not listed, missing, a link or a path out of the folder, or changed after the export.
    """
    path = Path(folder) / name
    if name not in manifest.files:
        raise InputError(f"{Path(folder) / FILE}: lists no file {name!r}")
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or path.is_symlink():
        raise InputError(f"{path}: a file of an export lies in its folder and is no link")
    expected = manifest.files[name]
    try:
        if path.stat().st_size != expected["bytes"]:
            raise InputError(f"{path}: was changed after the export ({path.stat().st_size} bytes, not the same)")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (KeyError, TypeError):
        raise InputError(f"{Path(folder) / FILE}: says nothing of the bytes of {name!r}") from None
    if hashlib.sha256(content).hexdigest() != expected.get("sha256"):
        raise InputError(f"{path}: was changed after the export (its sha256 does not fit): export it again")
    return content


def verify_all(folder: str | Path, manifest: Manifest) -> None:
    """Compare every listed file with its sha256.

    Raises:
        InputError: as ``verified``.
    """
    for name in manifest.files:
        verified(folder, manifest, name)
