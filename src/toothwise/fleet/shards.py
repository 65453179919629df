"""What is scored at a time: a Parquet file, a large file of maps, or a group of small ones.

Small files are grouped in the order of their names, and a group ends at a name whose hash says so. So a file that is
added or removed changes the group it falls into, and the others stay as they are and need not be scored again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from toothwise.errors import InputError
from toothwise.fleet.storage import Location, StoredFile
from toothwise.healthmap.io import SPLITS

SUFFIXES = (".parquet", ".npz", ".tif", ".tiff", ".mat")
_FILES = 512  # of a group on average, 4 times as many at most
_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Shard:
    """Files that are scored together and whose scores lie in one file.

    Attributes:
        files: in order of their names.
    """

    files: tuple[StoredFile, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of its files."""
        return tuple(f.name for f in self.files)

    def output_name(self, scorer: str) -> str:
        """Name of the file of its scores: another input or another scorer, another name."""
        # where its files lie, their sizes and versions: what its scores depend on besides the detector
        identity = json.dumps([[f.path, f.name, f.size, f.version] for f in self.files])
        digest = hashlib.sha256(f"{scorer} {identity}".encode()).hexdigest()
        return f"{digest[:24]}.parquet"


def plan_shards(place: Location, more: tuple[str, ...] = ()) -> tuple[list[Shard], int]:
    """All shards of an input, and how many files were left out because their suffix is not one of maps.

    Args:
        place: The input.
        more: Suffixes that are used beside those of maps, such as those of recordings.

    Of a domain folder (``train/good``, ``test/good``, ``test/fault``) the maps are taken and its masks are not.

    Raises:
        InputError: nothing there, or no file of maps.
    """
    found = place.files()
    suffixes = (*SUFFIXES, *more)
    usable = [f for f in found if f.name.lower().endswith(suffixes)]
    maps = list(_without_masks(usable))
    if not maps:
        raise InputError(
            f"{place.uri}: holds no files of maps ({', '.join(dict.fromkeys(suffixes))}) among {len(found)} files"
        )
    return list(_groups(maps)), len(found) - len(usable)


def _without_masks(files: list[StoredFile]) -> Iterator[StoredFile]:
    domains = {
        f"/{f.name}".partition(f"/{split}/")[0] for f in files for split in SPLITS if f"/{split}/" in f"/{f.name}"
    }
    for f in files:
        name = f"/{f.name}"
        inside = [d for d in domains if name.startswith(f"{d}/")]
        if all(any(name.startswith(f"{d}/{split}/") for split in SPLITS) for d in inside):
            yield f


def _groups(files: Iterable[StoredFile]) -> Iterator[Shard]:
    group: list[StoredFile] = []
    size = 0
    for f in files:
        alone = f.size > _BYTES or f.name.lower().endswith(".parquet")
        begins = int(hashlib.sha256(f.name.encode()).hexdigest()[:8], 16) % _FILES == 0
        if group and (alone or begins or len(group) >= 4 * _FILES or size + f.size > _BYTES):
            yield Shard(tuple(group))
            group, size = [], 0
        if alone:
            yield Shard((f,))
        else:
            group.append(f)
            size += f.size
    if group:
        yield Shard(tuple(group))
