"""Write a fitted model as one folder that runs without the package that trained it.

The folder is a model like the fitted one, and every verb takes it. It holds the network with all that the model keeps,
and the sha256 of every file. Where it is opened, ONNX Runtime and OpenVINO are timed for a moment in every precision
that gives the detector's scores there, and the fastest runs it; the choice is remembered for the processor. --format
and --precision leave only one of them (--format torch: the fitted detector, with its encoder's weights). Detectors
without a network (the scan, statistics) are exported as they are, whatever the format. Before the folder is written,
scores of both are compared; where they differ by more than 1e-4 (in bfloat16: by 5 % of their spread) nothing is
written.

examples:
  toothwise export runs/dinomaly --output exported/
  toothwise export runs/dinomaly --format onnx --output exported/
  toothwise export runs/dinomaly --format openvino --precision bfloat16 --output exported/
  toothwise export runs/scan --gears gears.yaml --output exported/
  toothwise predict exported/ today.npz
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from toothwise.cli.parser import Result
from toothwise.progress import Progress


@dataclass(frozen=True)
class Options:
    """What to export how.

    Attributes:
        model (MODEL): Folder of a fitted model.
        output (DIR): Folder to write; an existing model is replaced.
        format (NAME): auto (the fastest of ONNX Runtime and OpenVINO), onnx, openvino or torch.
        precision (NAME): auto (the fastest that holds the accuracy), float32, or bfloat16: Dinomaly in OpenVINO.
        gears (FILE): YAML file of the gears, where the model does not know them.
        stage (NAME): Stage of a gear train that has several.
    """

    model: str
    _: KW_ONLY
    output: Path
    format: str = "auto"
    precision: str = "auto"
    gears: str | None = None
    stage: str | None = None


def run(options: Options, progress: Progress) -> Result:
    """Load, export, compare, write."""
    from toothwise.exported.export import export
    from toothwise.gears import read_gears
    from toothwise.healthmap.core import gear_as_json

    gear = None
    if options.gears is not None:
        gear = gear_as_json(read_gears(options.gears).stage(options.stage).gears)
    made = export(
        options.model, options.output, format=options.format, precision=options.precision, gear=gear, progress=progress
    )
    data: dict[str, Any] = made.as_json() | {"output": str(options.output)}

    def text() -> str:
        size = sum(file["bytes"] for file in made.files.values())
        threshold = "no threshold" if made.threshold is None else f"threshold {made.threshold.value:.4g}"
        how = {
            "numpy": "needs no network: NumPy runs it",
            "parts": f"joins the exports of {', '.join(made.graph.get('parts', []))}",
            "torch": "runs on PyTorch, with its encoder's weights beside it",
            "auto": f"ONNX, opset {made.graph.get('opset')}, any number of maps, for ONNX Runtime or OpenVINO",
        }.get(made.backend, f"{made.backend}, opset {made.graph.get('opset')}, any number of maps")
        return (
            f"{made.detector}: {how}; {threshold}, maps of {made.shape[0]} x {made.shape[1]}\n{_int8(made.graph)}"
            f"{len(made.files)} files, {size / 1e6:.1f} MB, sha256 of each in {options.output / 'model.json'}\n"
            f"scores of {made.parity['maps']} maps differ by {made.parity['largest_relative_difference']:.1e} at most "
            f"(allowed: {made.parity['allowed']:g})\n"
        )

    return Result(data, text)


def _int8(graph: dict[str, Any]) -> str:
    """What was found of int8, where it was tried."""
    facts = graph.get("int8")
    if facts is None:
        return ""
    if "why" in facts:
        return f"int8 not tried: {facts['why']}\n"
    lost = f"{facts['auroc_lost']:.4f} AUROC lost, {facts['same_decisions']:.1%} of {facts['maps']} decisions the same"
    return f"int8 in {facts['share']:.0%} of the products {'offered' if facts['offered'] else 'not offered'}: {lost}\n"
