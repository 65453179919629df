"""Score very many maps with a saved detector: one row per map, in Parquet.

RUN is the folder of a saved detector. INPUT is a file or folder of maps (Parquet with a column of
values, npz, TIFF, MAT), or a URI of object storage. A map that cannot be used gets a row with the reason. What was
finished when a run ended or was killed is not scored again; a file that has changed is.

examples:
  toothwise score runs/scan maps/ --output scores/
  toothwise score runs/scan maps/ --output scores/ --workers 8 --keep gearbox start_time
  toothwise score runs/scan s3://plant/maps --output s3://plant/scores --address auto
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.terminal import EXIT_PARTLY, Progress


@dataclass(frozen=True)
class Options:
    """What to score with what.

    Attributes:
        run: folder of a saved detector.
        input: file or folder of maps, or a URI.
        output: folder of the scores, or a URI of object storage.
        workers, address, cpus, gpus, batch, threshold, column, keep, anew: as of ``fleet.run.ScoreOptions``.
    """

    run: str
    input: str
    output: str
    workers: int | None = None
    address: str | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    batch: int = 1024
    threshold: float | None = None
    column: str = "values"
    keep: list[str] = field(default_factory=list)
    anew: bool = False


def add_arguments(parser: ArgumentParser) -> None:
    """RUN, INPUT and the options above."""
    add = parser.add_argument
    add("run", type=str, metavar="RUN", help="folder of a saved detector")
    add("input", type=str, metavar="INPUT", help="file or folder of maps, or a URI of one")
    add("--output", type=str, required=True, metavar="OUT", help="folder of the scores, or a URI of object storage")
    add("--workers", type=int | None, metavar="N", help="processes on Ray; 0 = this one (default: as many as cores)")
    add("--address", type=str | None, metavar="ADDRESS", help="of a Ray cluster (default: this machine alone)")
    add("--cpus", type=float, default=1.0, metavar="N", help="that a worker holds")
    add("--gpus", type=float, default=0.0, metavar="N", help="that a worker holds; may be a fraction")
    add("--batch", type=int, default=1024, metavar="N", help="maps at a time: what a worker holds in memory")
    add("--threshold", type=float | None, metavar="SCORE", help="alarm above it, not above the detector's own")
    add("--column", type=str, default="values", metavar="NAME", help="of Parquet files, that holds the values")
    add("--keep", nargs="+", type=str, default=[], metavar="COLUMN", help="columns that go into the output, as text")
    add("--anew", action="store_true", help="score finished shards again")


def run(options: Options, progress: Progress) -> Result:
    """Plan, score, count."""
    from toothwise.errors import OutputError
    from toothwise.fleet.run import ScoreOptions, score_fleet

    progress(f"listing {options.input}")
    how = ScoreOptions(
        workers=options.workers,
        address=options.address,
        cpus=options.cpus,
        gpus=options.gpus,
        batch=options.batch,
        threshold=options.threshold,
        column=options.column,
        keep=tuple(options.keep),
        anew=options.anew,
    )
    found = score_fleet(options.run, options.input, options.output, how, progress=progress)
    if found.failed and not found.done:
        more = f" (and {len(found.failed) - 1} more shards)" if len(found.failed) > 1 else ""
        raise OutputError(f"{found.failed[0][0]}: {found.failed[0][1]}{more}")
    data = {"run": options.run, "input": options.input, "threshold": how.threshold} | found.as_json()
    return Result(data, lambda: _text(data), EXIT_PARTLY if found.failed else 0)


def _text(data: dict[str, Any]) -> str:
    text = f"{data['maps']:,} maps scored, {data['alarms']:,} above the threshold, {data['errors']:,} without a score\n"
    if data["first_error"]:
        text += f"  the first one: {data['first_error']}\n"
    if data["maps_per_second"]:
        where = f"on {data['workers']} workers" if data["workers"] else "in this process"
        text += f"{data['seconds']:.1f} s {where}, {data['maps_per_second']:,.0f} maps per second\n"
    if data["kept"]:
        text += f"{data['kept']} of {data['shards']} shards were finished before\n"
    if data["removed"]:
        text += f"{data['removed']} files of scores were out of date and were removed\n"
    if data["ignored"]:
        text += f"{data['ignored']} files of the input are no maps (by their suffix) and were left out\n"
    text += "".join(f"failed: {each['shard']}: {each['reason']}\n" for each in data["failed"])
    return f"{text}written to {data['output']}\n"
