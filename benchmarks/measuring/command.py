"""The options of a benchmark's command line, from one call, and the file that its result goes to."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from toothwise_lab.results import write_result

RESULTS = Path(__file__).parents[1] / "results"


def arguments(doc: str | None, **options: Any) -> argparse.Namespace:
    """What the command line of a benchmark gives; ``--output`` is an option of each.

    Args:
        doc: The module's docstring, which is the help and says what its options mean.
        options: By name: False = a flag; a number, text or path = its default; a type = None where it is not given;
            a tuple = what is allowed, the default first; a list = several values; ``...`` = a path that must be given.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"output": Path, **options}.items():
        flag = f"--{name.replace('_', '-')}"
        if default is False:
            parser.add_argument(flag, action="store_true")
        elif default is ...:
            parser.add_argument(flag, type=Path, required=True)
        elif isinstance(default, type):
            parser.add_argument(flag, type=default)
        elif isinstance(default, tuple):
            parser.add_argument(flag, choices=default, default=default[0])
        elif isinstance(default, list):
            parser.add_argument(flag, nargs="+", type=type(default[0]), default=default)
        else:
            parser.add_argument(flag, type=type(default), default=default)
    return parser.parse_args()


def data_set(name: str) -> Path | None:
    """The folder of a data set below TOOTHWISE_DATA, where it is."""
    place = Path(os.environ.get("TOOTHWISE_DATA") or "-") / name
    return place if place.is_dir() else None


def save(args: argparse.Namespace, result: Any, *, name: str | None = None, seed: int = 0, **more: Any) -> None:
    """Write what was found, with the options and what else it took, to ``--output`` or the benchmark's own file.

    A quick run says nothing, so it is written only where ``--output`` is given.

    Args:
        args: Of ``arguments``; ``args.seed`` is the result's seed where there is one.
        result: As JSON takes it.
        name: Of the file in ``results/``; None = that of the script.
        seed: Where none is an option.
        more: Settings that are no options.
    """
    given = vars(args)
    if args.output is None and given.get("quick"):
        return
    path = args.output or RESULTS / f"{name or Path(sys.argv[0]).stem}.json"
    config = {k: v for k, v in given.items() if k not in ("output", "seed") and not isinstance(v, Path)}
    print(write_result(path, config | more, result, seed=given.get("seed", seed)), flush=True)
