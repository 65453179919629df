"""RUN on the command line: a saved detector or an exported folder, opened by what it holds."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from toothwise import detectors
from toothwise.detectors.base import FILE as MODEL
from toothwise.detectors.base import OLD_FILE as OLD_MODEL
from toothwise.detectors.base import Detector, check_meta
from toothwise.detectors.registry import load_as
from toothwise.errors import InputError
from toothwise.exported.engines import onnx_engine, openvino_engine
from toothwise.exported.manifest import FILE, PRECISIONS, Manifest, is_exported, read_manifest, verified, verify_all
from toothwise.exported.runtime import ExportedDetector
from toothwise.reading import parse_json

__all__ = ["load_exported", "open_detector"]

ENCODER = "encoder.safetensors"
_COMPOSITES = {"fused": "fused.FusedDetector", "pooled": "pooling.LinePooled"}  # modules of detectors, read when needed


def open_detector(run: str | Path, *, threads: int | None = None) -> Detector:
    """The detector of a folder: one saved by ``toothwise fit``, or one written by ``toothwise export``.

    Args:
        run: the folder.
        threads: of an exported network; None = OMP_NUM_THREADS, else as its engine thinks best.

    Raises:
        InputError: neither of the two, or an exported folder whose files were changed.
        MissingDependencyError: what it needs is not installed.
    """
    folder = Path(run)
    if not is_exported(folder):
        if folder.is_dir() and not (folder / MODEL).is_file() and not (folder / OLD_MODEL).is_file():
            raise InputError(f"{folder}: neither a saved detector ({MODEL}) nor an exported folder ({FILE})")
        return detectors.load(folder)
    return load_exported(folder, threads=threads)


def load_exported(folder: str | Path, *, threads: int | None = None) -> Detector:
    """The detector of an exported folder. Every file is compared with its sha256; nothing is unpickled.

    Args, Raises: as ``open_detector``.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    verify_all(folder, manifest)
    if manifest.backend == "parts":
        return _with_parts(folder, manifest, threads)
    if manifest.backend in ("numpy", "torch"):
        return _saved(folder, manifest)
    outputs = manifest.graph["outputs"]
    if manifest.backend == "onnx":
        model = verified(folder, manifest, "model.onnx")
        engine = onnx_engine(model, outputs, threads=threads, what=f"{folder / 'model.onnx'}")
    else:
        text, weights = (verified(folder, manifest, name) for name in ("model.xml", "model.bin"))
        precision = manifest.graph.get("precision", "float32")
        if precision not in PRECISIONS:
            raise InputError(f"{folder / FILE}: precision must be one of {', '.join(PRECISIONS)}, but is {precision!r}")
        what = f"{folder / 'model.xml'}"
        engine = openvino_engine(text, weights, outputs, threads=threads, what=what, precision=precision)
    return ExportedDetector(manifest, engine)


def _saved(folder: Path, manifest: Manifest) -> Detector:
    """The saved detector inside an export; its encoder's weights lie beside it."""
    where = folder / MODEL
    meta: dict[str, Any] = check_meta(parse_json(verified(folder, manifest, MODEL), where), where)
    if ENCODER in manifest.files:
        meta["options"] = meta["options"] | {"weights": str(folder / ENCODER)}
    detector = load_as(meta, folder)
    detector.options, detector.threshold = manifest.options, manifest.threshold
    detector.source_fingerprint = manifest.fingerprint
    return detector


def _with_parts(folder: Path, manifest: Manifest, threads: int | None) -> Detector:
    """A detector that joins others: they are opened first and then put together."""
    from safetensors.numpy import load

    parts = {name: load_exported(folder / "parts" / name, threads=threads) for name in manifest.graph["parts"]}
    state = load(verified(folder, manifest, "state.safetensors"))
    if manifest.detector not in _COMPOSITES:
        raise InputError(f"{folder / FILE}: a detector of parts is one of {', '.join(_COMPOSITES)}")
    module, _, name = _COMPOSITES[manifest.detector].partition(".")
    cls = getattr(import_module(f"toothwise.detectors.{module}"), name)
    try:
        detector = cls.assemble(manifest.options, parts, state, manifest.shape)
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder}: the state of {manifest.detector} lacks or misstates {error}") from None
    detector.threshold, detector.info = manifest.threshold, manifest.info
    detector.source_fingerprint = manifest.fingerprint
    return detector


def about(run: str | Path) -> Manifest | None:
    """The manifest of an exported folder, None of a saved detector."""
    return read_manifest(run) if is_exported(run) else None
