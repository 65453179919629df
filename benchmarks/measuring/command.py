"""Options of a benchmark's command line, from one call."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

__all__ = ["arguments"]


def arguments(doc: str | None, **options: Any) -> argparse.Namespace:
    """What the command line of a benchmark gives.

    Args:
        doc: The module's docstring, which is the help and says what its options mean.
        options: By name: False = a flag; a number, text or path = its default; a type = None where it is not given;
            a tuple = what is allowed, the default first; a list = several values; ``...`` = a path that must be given.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in options.items():
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
