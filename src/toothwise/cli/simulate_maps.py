"""Simulate health maps in the research data's folder layout, with a manifest of the truth.

Writes DIR/domain_X/{train/good,test/good,test/fault}/000000.tiff (or .png of 16 bits), masks of the damaged cells under
DIR/domain_X/masks/test/fault, and DIR/domain_X/manifest.json: configuration, seed, versions, and of every file its
SHA-256, session, thermal state, gear, tooth, place, length and contrast. In realistic mode test/good holds healthy maps
of both sessions, half and half: compare faulty maps with those of session "fault", or the session is what is detected.

A domain that exists already, made with the same options and versions, is checked and left as it is. One that was made
otherwise is replaced with --overwrite only, and anything else never.

examples:
  toothwise simulate maps --domain C --mode realistic --n-train 1000 --seed 0 --output runs/maps
  toothwise simulate maps --domain A B --format png16 --output runs/maps
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress
from toothwise.errors import InputError
from toothwise.files import check_writable
from toothwise.simulate.map_set import MapSetConfig


@dataclass(frozen=True, kw_only=True)
class Options(MapSetConfig):
    """What to simulate.

    Attributes:
        output (DIR): Folder of the domains.
        domain: Domains to simulate, one or more.
        overwrite: Replace simulated maps that were made with other options.
    """

    output: Path
    domain: list[Literal["A", "B", "C", "D"]] = field(default_factory=lambda: ["C"])
    overwrite: bool = False


def run(options: Options, progress: Progress) -> Result:
    """Check, draw, write each domain whole or not at all, say what was written."""
    from toothwise.simulate.export import write_domain

    if len(set(options.domain)) < len(options.domain):
        raise InputError(f"--domain names a domain twice: {' '.join(options.domain)}")
    check_writable(options.output)
    written: dict[str, Any] = {}
    with _no_empty_folder(options.output):
        for domain in options.domain:
            folder = options.output / f"domain_{domain}"
            new = write_domain(domain, options, folder, progress, overwrite=options.overwrite)
            written[domain] = {"folder": str(folder), "written": new}
            written[domain] |= {"train": options.n_train, "healthy": options.n_test, "faulty": options.n_test}
    data = {"output": str(options.output), "mode": options.mode, "domains": written}

    def text() -> str:
        lines = "".join(
            f"  domain_{domain}: {n['train']} to learn from, {n['healthy']} healthy and {n['faulty']} faulty to score"
            f"{'' if n['written'] else ' (was there already, unchanged)'}\n"
            for domain, n in written.items()
        )
        return f"{options.mode} maps in {options.output}\n{lines}"

    return Result(data, text)


@contextmanager
def _no_empty_folder(folder: Path) -> Iterator[None]:
    """Where the folder is new and nothing gets into it, it does not stay."""
    there = folder.exists()
    try:
        yield
    finally:
        if not there and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
