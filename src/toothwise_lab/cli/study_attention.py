"""What the directional layers of a saved Dinomaly attend to, as pictures and numbers.

For each map: phi(q) phi(k)^T of its most anomalous token and of an ordinary one, along column and row, in every
directional layer. For the detector: alpha and the entropy of the weights in every layer, and what a layer costs in time
and memory beside global attention. Pictures of map_N.png and layers.png, numbers in attention.json.

examples:
  toothwise study attention runs/directional maps.npz --output runs/attention
  toothwise study attention runs/directional maps.npz --output runs/attention --cell 12 40 --maps 2
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress, table
from toothwise.errors import InputError
from toothwise.files import atomic_file, check_writable, write_json


@dataclass(frozen=True)
class Options:
    """Of what.

    Attributes:
        run: folder of a saved detector.
        files: maps.
        output: folder of the pictures.
        maps: how many of them.
        cell: row and column of the map whose token is looked at; None = the most anomalous one and an ordinary one.
    """

    run: str
    files: list[str]
    output: Path
    maps: int = 4
    cell: list[int] | None = None


def add_arguments(parser: ArgumentParser) -> None:
    """RUN, MAPS and the options above."""
    add = parser.add_argument
    add("run", type=str, metavar="RUN", help="folder of a saved detector with directional layers")
    add("files", nargs="+", type=str, metavar="MAPS", help="files or folders of maps")
    add("--output", type=Path, required=True, metavar="DIR", help="folder of the pictures")
    add("--maps", type=int, default=4, metavar="N", help="look at the first N maps")
    add("--cell", nargs=2, type=int, metavar=("ROW", "COLUMN"), help="of the map, whose token is looked at")


def run(options: Options, progress: Progress) -> Result:
    """Look, draw, write."""
    check_writable(options.output)
    if options.maps < 1:
        raise InputError(f"--maps must be 1 or more, but got {options.maps}")
    from toothwise import detectors
    from toothwise.cli.maps import read_maps
    from toothwise.detectors.dinomaly.attention_view import view_attention
    from toothwise_lab.attention_picture import draw_layers, draw_map
    from toothwise_lab.studies.attention_cost import attention_cost

    progress(f"loading {options.run}")
    detector = detectors.load(options.run)
    values = read_maps(options.files, progress, shape=detector.shape).values[: options.maps]
    cell = None if not options.cell else (options.cell[0], options.cell[1])
    view = view_attention(detector, values, cell=cell)
    data = {"detector": detector.name, **view.data, "cost": attention_cost(detector, view.grid)}
    pictures = {"layers.png": draw_layers(view)}
    for k in range(len(values)):
        progress(f"drawing map {k}", k / len(values))
        pictures[f"map_{k}.png"] = draw_map(view, values, k)
    for name, content in pictures.items():
        with atomic_file(options.output / name) as temporary:
            temporary.write_bytes(content)
    write_json(options.output / "attention.json", data)

    def text() -> str:
        rows = []
        for layer in view.layers:
            alpha = ", ".join(f"{a:.3f}" for a in layer.alpha)
            entropies = (f"{layer.entropy[axis]:.4f}" if axis in layer.entropy else "-" for axis in ("y", "x"))
            rows.append((str(layer.layer), alpha, *entropies))
        columns = ("layer", "alpha", "entropy along y", "entropy along x")
        out = table(columns, rows, right=columns)
        costs = [
            (name, f"{one['ms']:.2f}", f"{one['peak_bytes'] / 1024:.0f}", str(one["weights"]))
            for name, one in data["cost"].items()
        ]
        numbers = ("ms/map", "peak KiB", "weights a head holds")
        out += table(("attention", *numbers), costs, right=numbers)
        return out + f"{len(pictures)} pictures in {options.output}\n"

    return Result(data, text)
