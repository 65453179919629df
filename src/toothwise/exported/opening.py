"""The detector in the folder of a model, fitted or exported, opened by what the folder says of itself."""

from __future__ import annotations

from pathlib import Path

from toothwise.detectors.base import Detector
from toothwise.detectors.registry import class_of
from toothwise.errors import InputError
from toothwise.exported.choosing import open_fastest
from toothwise.exported.manifest import FILE, STATE, Manifest, read_manifest, verified
from toothwise.exported.runtime import ExportedDetector
from toothwise.reading import as_input_error

ENCODER = "encoder.safetensors"
_KNOWN = (STATE, ENCODER, "healthy.npz", "waveform.npz")


def open_detector(folder: str | Path, manifest: Manifest | None = None, *, threads: int | None = None) -> Detector:
    """The detector of a model's folder. Every file is compared with its sha256; nothing is unpickled.

    Args:
        folder: Folder of a model.
        manifest: What ``read_manifest`` gave of it, where that was read already.
        threads: Of an exported network; None = OMP_NUM_THREADS, else as its engine thinks best.

    Raises:
        InputError: No model, or one whose files were changed.
        MissingDependencyError: What it needs is not installed.
    """
    folder = Path(folder)
    manifest = manifest or read_manifest(folder)
    # a file of the model that is there is always checked, or refused where no sha256 of it is told
    there = [name for name in _KNOWN if (folder / name).exists()]
    for name in dict.fromkeys((*manifest.files, *there)):
        verified(folder, manifest, name)
    if manifest.backend in ("auto", "onnx", "openvino"):
        detector: Detector = ExportedDetector(manifest, open_fastest(folder, manifest, threads))
    elif manifest.backend == "parts":
        detector = _with_parts(folder, manifest, threads)
    else:
        detector = _restored(folder, manifest)
    detector.options, detector.shape, detector.info = manifest.options, manifest.shape, manifest.info
    detector.threshold, detector.source_fingerprint = manifest.threshold, manifest.fingerprint
    return detector


def _restored(folder: Path, manifest: Manifest) -> Detector:
    """The detector as it was fitted; an export to PyTorch has its encoder's weights beside it."""
    from safetensors.numpy import load

    cls = class_of(manifest.detector)
    options = manifest.options
    if ENCODER in manifest.files:
        options = options | {"weights": str(folder / ENCODER)}
    with as_input_error(folder / FILE, f"not the options of {manifest.detector}"):
        detector = cls(**options)
    detector.shape, detector.info = manifest.shape, manifest.info
    path = folder / STATE
    content = verified(folder, manifest, STATE)
    words = f"not the state of {manifest.detector} as this version keeps it (if another wrote it, fit the model anew)"
    with as_input_error(path, words):
        state = load(content)
        detector._restore(state)
        unknown = state.keys() - detector._state().keys()
    if unknown:
        raise InputError(f"{path}: {words} (unknown: {', '.join(sorted(unknown))})")
    return detector


def _with_parts(folder: Path, manifest: Manifest, threads: int | None) -> Detector:
    """A detector that joins others: they are opened first and then put together."""
    from safetensors.numpy import load

    parts = {name: open_detector(folder / "parts" / name, threads=threads) for name in manifest.graph["parts"]}
    state = load(verified(folder, manifest, STATE))
    cls = class_of(manifest.detector)
    try:
        return cls.assemble(manifest.options, parts, state, manifest.shape)  # type: ignore[attr-defined]
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{folder}: the state of {manifest.detector} lacks or misstates {error}") from None
