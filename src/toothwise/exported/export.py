"""From a fitted model to a folder that runs without the package that trained it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from toothwise.checks import check_choice
from toothwise.detectors.base import Detector
from toothwise.errors import InputError, OutputError, need
from toothwise.exported.choosing import ALLOWED, SAMPLE, worst_difference
from toothwise.exported.manifest import (
    FILE,
    FORMATS,
    Manifest,
    read_manifest,
    write_manifest,
    write_state,
)
from toothwise.exported.opening import ENCODER, open_detector
from toothwise.files import atomic_folder, check_replaceable
from toothwise.progress import Progress, silent
from toothwise.reference.healthy_file import load_healthy

OPSET = 18
MAX_BATCH = 16  # maps at a time: bounds the memory of a run
TOLERANCE = ALLOWED["float32"]
PRECISIONS = ("auto", "float32", "bfloat16")
KEPT = {"healthy.npz", "waveform.npz"}  # files of a model that an export keeps as they are
_CHECKED = 24  # maps that an export is compared with its detector on
_SEED = 918_273  # of these maps: not one that detectors are likely to have been fitted on


def export(
    model: str | Path,
    output: str | Path,
    *,
    format: str = "auto",  # noqa: A002  the word of the command line
    precision: str = "auto",
    gear: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> Manifest:
    """Export a fitted model, with all that its folder keeps, and check that it gives the same scores.

    Args:
        model: Folder of a fitted model.
        output: Folder to write, whole or not at all; a model that is there is replaced.
        format: "auto" = one folder for ONNX Runtime and OpenVINO; where it is opened, each engine and precision that
            holds the accuracy there is timed for a moment, and the fastest is taken. "onnx", "openvino" or "torch" =
            that alone. Detectors without a network are exported as they are, whatever it is.
        precision: "auto" = every one that the network allows (int8 too, where it loses nothing on the model's own
            healthy maps; see ``add_int8``), or one of them alone: "float32", or "bfloat16" for the products of a
            Dinomaly network in OpenVINO, with scores that differ by some percent of their spread.
        gear: The gears as JSON, where the model does not know them.
        progress: Called with what is being done.

    Raises:
        InputError: Not a fitted model, one that cannot be exported, or an export whose scores differ.
        OutputError: The folder cannot be written, or holds something else.
        MissingDependencyError: What the format needs is not installed.
    """
    model, output = Path(model), Path(output)
    check_choice(FORMATS, format=format)
    check_choice(PRECISIONS, precision=precision)
    if precision == "bfloat16" and format not in ("auto", "openvino"):
        raise InputError(f"precision 'bfloat16' is for format 'auto' or 'openvino', but format is {format!r}")
    known = read_manifest(model)
    if known.exported:
        raise InputError(f"{model}: is exported already: export the fitted model that it came from")
    check_replaceable(output, FILE, "a model")
    if output.resolve() == model.resolve():
        raise OutputError(f"{output}: is the fitted model itself: name another folder")
    progress(f"loading {model}")
    detector = open_detector(model, known)
    about = known.about if gear is None else known.about | {"gear": gear}
    with atomic_folder(output) as folder:
        for name in KEPT & set(known.files):
            shutil.copyfile(model / name, folder / name)
        export_detector(detector, folder, format, precision, progress=progress, about=about, builder=known.builder)
        if precision == "auto" and "healthy.npz" in known.files:
            _try_int8(detector, model, folder, progress)
        progress("comparing")
        _compare(detector, folder)
    return read_manifest(output)


def _try_int8(detector: Detector, model: Path, folder: Path, progress: Progress) -> None:
    """Offer int8 too, where the network has a choice of precisions and the model's healthy maps show that it holds."""
    from toothwise.exported.int8 import add_int8

    choices = {(choice["engine"], choice["precision"]) for choice in read_manifest(folder).graph.get("choices", [])}
    # a Dinomaly whose score is read off its tokens, in both engines
    if {("onnx", "float32"), ("openvino", "bfloat16")} <= choices:
        known = read_manifest(model)
        healthy = load_healthy(model, known.fingerprint, known.shape)[1]
        if healthy is not None:
            add_int8(detector, folder, healthy.values, progress=progress)


def export_detector(
    detector: Detector,
    folder: Path,
    format: str,  # noqa: A002
    precision: str = "auto",
    *,
    progress: Progress = silent,
    **more: Any,
) -> None:
    """Write a detector's export into an empty folder, without its comparison; ``more`` are fields of the manifest.

    Raises:
        InputError: A detector that cannot be exported.
        MissingDependencyError: What the format needs is not installed.
    """
    made = Manifest.of(detector, **more)
    kind = detector.can.export
    if kind == "parts":
        parts: dict[str, Detector] = detector.parts  # type: ignore[attr-defined]
        for name, part in parts.items():
            (folder / "parts" / name).mkdir(parents=True)
            export_detector(part, folder / "parts" / name, format, precision, progress=progress)
        write_state(folder, detector.own_state())  # type: ignore[attr-defined]
        made = replace(made, backend=kind, graph={"parts": list(parts)})
    elif kind == "numpy":
        write_state(folder, detector._state())
        made = replace(made, backend=kind)
    else:
        progress(f"exporting {detector.name} as {format}")
        made = _network(detector, made, folder, format, precision)
    write_manifest(folder, made)


def _network(detector: Detector, made: Manifest, folder: Path, format: str, precision: str) -> Manifest:  # noqa: A002
    """Write the network; returns the manifest with its normalisation and the description of its graph."""
    from safetensors.numpy import save_file

    from toothwise.exported.graph import STANDARDISED, graph_of

    graph = graph_of(detector)
    choices = _choices(format, precision, by_token=graph.by_token)
    if any(choice["precision"] == "bfloat16" for choice in choices):
        graph = graph_of(detector, standardised=True)
    if precision == "bfloat16" and not graph.by_token:
        raise InputError(
            f"precision 'bfloat16' is for Dinomaly whose score is pooled along lines, but got {detector.name!r} with "
            f"pooling {graph.pooling!r}: elsewhere too much of the score would be lost"
        )
    images = detector._images  # type: ignore[attr-defined]
    normalisation = {
        "image_size": list(graph.size),
        "log": bool(getattr(images, "log", False)),
        "channels": getattr(images, "channels", "grey"),
        "centre": np.atleast_1d(getattr(images, "centre", 0.0)).tolist(),
        "scale": np.atleast_1d(images.scale).tolist(),
        "in_graph": format != "torch",
    }
    if format == "torch":
        write_state(folder, detector._state())
        made = replace(made, info=detector.info | _add_encoder(detector, folder))
        return replace(made, backend=format, normalisation=normalisation)
    if format == "openvino":
        with tempfile.TemporaryDirectory() as place:
            source = Path(place) / "model.onnx"
            _write_onnx(graph, made.shape, source)
            openvino = need("openvino", "format 'openvino'")
            # read by the core, because openvino.convert_model reports its use over the network; weights stay float32
            openvino.save_model(openvino.Core().read_model(str(source)), folder / "model.xml", compress_to_fp16=False)
    else:
        _write_onnx(graph, made.shape, folder / "model.onnx")
    if len(choices) > 1:  # by which each of them is checked where the folder is opened
        maps = check_maps(detector, MAX_BATCH)
        save_file({"maps": maps, "scores": detector.predict(maps).score}, folder / SAMPLE)
    about = {
        "inputs": ["maps"],
        "outputs": [name for name in graph.outputs if name != STANDARDISED],
        "max_batch": MAX_BATCH,
        "opset": OPSET,
        "choices": choices,
    }
    return replace(made, backend=format, normalisation=normalisation, graph=about)


def _choices(format: str, precision: str, *, by_token: bool) -> list[dict[str, str]]:  # noqa: A002
    """What a folder of this format can run in, the preferred one first."""
    engines = {"auto": ("onnx", "openvino")}.get(format, (format,))
    wanted = ("float32", "bfloat16") if precision == "auto" else (precision,)
    file = "model.xml" if format == "openvino" else "model.onnx"
    return [
        {"engine": engine, "precision": each, "file": file}
        for engine in engines
        for each in wanted
        if each == "float32" or (engine == "openvino" and by_token)
    ]


def _write_onnx(graph: Any, shape: tuple[int, int], path: Path) -> None:
    """The graph with a dynamic number of maps, weights inside, as one file."""
    import torch

    from toothwise.detectors.training import quiet
    from toothwise.exported.graph import exportable

    need("onnxscript", "exporting a network")  # torch's exporter uses it
    example = torch.exp(0.1 * torch.randn((3, *shape), generator=torch.Generator().manual_seed(0)))
    with exportable(graph), torch.no_grad(), quiet():
        program: Any = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["maps"],
            output_names=graph.outputs,
            dynamic_shapes={"maps": {0: torch.export.Dim("n", min=1, max=65536)}},
            verbose=False,
        )
        program.save(str(path), include_initializers=True, external_data=False)


def _add_encoder(detector: Detector, folder: Path) -> dict[str, Any]:
    """The encoder's weights beside the state, so that the folder runs on a machine that has none.

    Returns:
        What changes in ``info``: the hash that the encoder's file is known by.
    """
    from safetensors.torch import save_file

    parts = detector.network_parts()  # type: ignore[attr-defined]
    if parts.encoder is None:
        return {}
    state = {name: value.detach().cpu().contiguous().clone() for name, value in parts.encoder.state_dict().items()}
    save_file(state, folder / ENCODER)
    if not parts.hashed_by_file:
        return {}
    mark = hashlib.sha256((folder / ENCODER).read_bytes()).hexdigest()
    return {"encoder": detector.info["encoder"] | {"sha256": mark}}


def check_maps(detector: Detector, count: int = _CHECKED) -> np.ndarray:
    """Random maps of a detector's shape on the scale that it knows, every third with a bright row, seeded.

    Of a detector that looks at waveforms: random waveforms ``[count, rows, columns, samples]``.
    """
    rng = np.random.default_rng(_SEED)
    rows, columns = detector.shape or (1, 1)
    if detector.can.waveforms:
        return rng.standard_normal((count, rows, columns, detector.samples)).astype(np.float32)
    centre, spread = _scale_of(detector)
    values = centre + spread * rng.standard_normal((count, rows, columns))
    values[::3, rows // 2] += 3.0 * spread
    return np.exp(values).astype(np.float32)


def _scale_of(detector: Detector) -> tuple[float, float]:
    """Median and spread of the logarithm of the maps that a detector was fitted on, where it keeps them."""
    images = getattr(detector, "_images", None)
    if images is not None and getattr(images, "log", False):
        return float(images.centre[0]), float(images.scale[0])
    for part in getattr(detector, "parts", {}).values():
        return _scale_of(part)
    return 0.0, 0.2


def _allowed(exported: Detector) -> float:
    """By how much scores may differ: as much as the precision that was chosen needs, or the worst of the parts'."""
    parts = getattr(exported, "parts", {}).values()
    choice = getattr(exported, "choice", None)
    return max([TOLERANCE if choice is None else ALLOWED[choice.precision], *map(_allowed, parts)])


def _compare(detector: Detector, folder: Path) -> None:
    """Score maps with both; the largest relative difference goes into the manifest."""
    exported = open_detector(folder)
    allowed = _allowed(exported)
    maps = check_maps(detector)
    worst = worst_difference(detector.predict(maps).score, exported.predict(maps).score)
    if not worst <= allowed:
        raise InputError(
            f"the export of {detector.name} differs from the detector by {worst:.2g} of the score, "
            f"more than {allowed:g}: it was not written"
        )
    manifest = read_manifest(folder)
    parity = {"largest_relative_difference": worst, "maps": len(maps), "allowed": allowed}
    write_manifest(folder, replace(manifest, parity=parity))
