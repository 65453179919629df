"""Score very many maps with a model: one row per map, in Parquet.

INPUT is a file or folder of maps (Parquet with a column of values, npz, TIFF, MAT), or a URI of object storage; where
the model was fitted on recordings, its files may be recordings too. What cannot be used gets a row with the reason.
What was finished when a run ended or was killed is not scored again; a file that has changed is.

examples:
  toothwise score runs/scan maps/ --output scores/
  toothwise score runs/scan maps/ --output scores/ --workers 8 --keep gearbox start_time
  toothwise score runs/scan s3://plant/maps --output s3://plant/scores --address auto
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from toothwise.cli.parser import Result
from toothwise.cli.terminal import EXIT_PARTLY
from toothwise.fleet.options import ScoreOptions
from toothwise.progress import Progress


@dataclass(frozen=True)
class Options(ScoreOptions):
    """What to score with what.

    Attributes:
        model (MODEL): Folder of a fitted or exported model.
        input (INPUT): File or folder of maps, or a URI of one.
        output (OUT): Folder of the scores, or a URI of object storage.
    """

    model: str
    input: str
    _: KW_ONLY
    output: str


def run(options: Options, progress: Progress) -> Result:
    """Plan, score, count."""
    from toothwise.errors import OutputError
    from toothwise.fleet.run import score_fleet

    progress(f"listing {options.input}")
    found = score_fleet(options.model, options.input, options.output, options, progress=progress)
    if found.failed and not found.done:
        more = f" (and {len(found.failed) - 1} more shards)" if len(found.failed) > 1 else ""
        raise OutputError(f"{found.failed[0][0]}: {found.failed[0][1]}{more}")
    data = {"model": options.model, "input": options.input, "threshold": options.threshold} | found.as_json()
    return Result(data, lambda: _text(data), EXIT_PARTLY if found.failed else 0)


def _text(data: dict[str, Any]) -> str:
    where = f"on {data['workers']} workers" if data["workers"] else "in this process"
    told = {  # each where there is any
        "first_error": "  the first one: {first_error}\n",
        "maps_per_second": "{seconds:.1f} s {where}, {maps_per_second:,.0f} maps per second\n",
        "runs_in": "computed by {runs_in}\n",
        "kept": "{kept} of {shards} shards were finished before\n",
        "removed": "{removed} files of scores were out of date and were removed\n",
        "ignored": "{ignored} files of the input are no maps (by their suffix) and were left out\n",
    }
    text = f"{data['maps']:,} maps scored, {data['alarms']:,} above the threshold, {data['errors']:,} without a score\n"
    text += "".join(line.format(where=where, **data) for name, line in told.items() if data[name])
    text += "".join(f"failed: {each['shard']}: {each['reason']}\n" for each in data["failed"])
    return f"{text}written to {data['output']}\n"
