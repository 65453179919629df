"""What the directional layers of a saved Dinomaly attend to, as pictures and numbers.

For each map: phi(q) phi(k)^T of its most anomalous token and of an ordinary one, along column and row, in every
directional layer. For the detector: alpha and the entropy of the weights in every layer, and what a layer costs in time
and memory beside global attention. Pictures of map_N.png and layers.png, numbers in attention.json.

examples:
  toothwise study attention runs/directional maps.npz --output runs/attention
  toothwise study attention runs/directional maps.npz --output runs/attention --cell 12 40 --maps 2
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from toothwise.cli.parser import Result
from toothwise.errors import InputError
from toothwise.files import atomic_file, check_writable, write_json
from toothwise.progress import Progress
from toothwise_lab.cli.tables import attention_table


@dataclass(frozen=True)
class Options:
    """What to look at.

    Attributes:
        model (MODEL): Folder of a fitted model whose network has directional layers.
        files (MAPS): Files or folders of maps.
        output (DIR): Folder of the pictures.
        maps: Number of maps to look at, the first of those given.
        cell (ROW COLUMN): Cell of the map whose token is looked at, in place of the most anomalous and an ordinary one.
    """

    model: str
    files: list[str]
    _: KW_ONLY
    output: Path
    maps: int = 4
    cell: tuple[int, int] | None = None


def run(options: Options, progress: Progress) -> Result:
    """Look, draw, write."""
    check_writable(options.output)
    if options.maps < 1:
        raise InputError(f"--maps must be 1 or more, but got {options.maps}")
    from toothwise.detectors.dinomaly.attention_view import view_attention
    from toothwise.healthmap.several import read_maps
    from toothwise.model import Model
    from toothwise_lab.pictures import draw_layers, draw_map
    from toothwise_lab.studies.attention_cost import attention_cost

    progress(f"loading {options.model}")
    detector = Model.open(options.model).detector
    values = read_maps(options.files, progress=progress, shape=detector.shape).values[: options.maps]
    view = view_attention(detector, values, cell=options.cell)
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
        return attention_table(view, data["cost"]) + f"{len(pictures)} pictures in {options.output}\n"

    return Result(data, text)
