"""Where the research data's maps lie: as MAT files of the laboratory, or converted to one file per map.

Which letter stands for which class and signal moved during the research, so the mapping has a version, which results
and metadata state. Source of layout, mapping and fixed maxima: the research code's documentation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toothwise.checks import check_choice
from toothwise.errors import InputError
from toothwise.healthmap.core import HealthMapBatch
from toothwise.healthmap.formats import read_mat_values
from toothwise.healthmap.io import SPLITS, read_map
from toothwise.healthmap.manifest import Manifest, read_manifest
from toothwise.reading import of_file

DOMAIN_MAPPING = "2025-10"
_CLASSES = {"A": ("Class1", "3_TSA"), "B": ("Class1", "1_TSA"), "C": ("Class3", "3_TSA"), "D": ("Class3", "1_TSA")}
# fixed divisor of each domain; values above it exist and are kept, clipping them would remove the damage
MAXIMUM = {"A": 0.32467, "B": 1.324418, "C": 0.087341, "D": 0.418999}
_PLACES = {
    "train/good": ("Normal", "train"),
    "test/good": ("Normal", "test"),
    "test/fault": ("Planet_fault_ring", "test"),
}
_SUFFIXES = (".tiff", ".tif", ".png")


@dataclass(frozen=True)
class MapSource:
    """The maps of one place of one domain.

    Attributes:
        domain: its letter, or the folder's name.
        place: "train/good", "test/good" or "test/fault".
        files: one file per map, or one MAT file of all maps.
        png_scale: value of the brightest pixel of 16-bit PNG files, as the manifest states it; None = as the files do.
    """

    domain: str
    place: str
    files: tuple[Path, ...]
    png_scale: float | None = None

    @property
    def packed(self) -> bool:
        """All maps are in one file."""
        return self.files[0].suffix.lower() == ".mat"

    @property
    def split(self) -> str:
        """ "train" or "test"."""
        return self.place.partition("/")[0]

    @property
    def label(self) -> int:
        """1 = faulty."""
        return int(self.place.endswith("fault"))

    def read(self) -> np.ndarray:
        """All maps of a MAT file, float32 ``[n, rows, columns]``."""
        with of_file(self.files[0]):
            return read_mat_values(self.files[0])

    def read_one(self, index: int) -> np.ndarray:
        """One map of one file, float32 ``[rows, columns]``."""
        found = read_map(self.files[index], png_scale=self.png_scale)
        if isinstance(found, HealthMapBatch):
            raise InputError(f"{self.files[index]}: holds {len(found)} maps, but the layout has one per file")
        return found.values

    def named(self, packed: np.ndarray | None = None) -> Iterator[tuple[str, np.ndarray]]:
        """Every map with the name of its file, one after the other; ``packed`` = those of a MAT file, where read."""
        if self.packed:
            values = self.read() if packed is None else packed
            yield from ((f"{self.files[0]}, map {k}", values[k]) for k in range(len(values)))
        else:
            yield from ((str(path), self.read_one(k)) for k, path in enumerate(self.files))


def find_domain(root: str | Path, domain: str, *, test_session: str | None = None) -> list[MapSource]:
    """The maps of one domain, in either layout; splits are those of the recordings, nothing is drawn at random.

    Args:
        root: holds ``domain_X`` (or X) with train/good, test/good, test/fault; or the laboratory's ``Normal`` and
            ``Planet_fault_ring`` with ``{1|3}_TSA_DIF_{train|test}.mat`` under ``Class{1|3}/1/HDMap_train_test``.
        domain: letter, or name of a folder.
        test_session: only test maps of this recording session ("healthy" or "fault" in simulated folders), as the
            folder's manifest tells them; None = all.

    Raises:
        InputError: no such folder, a place without maps, several files for one place, a manifest with another
            domain mapping, a manifest that does not fit its files or knows no such session.
    """
    root = Path(root)
    if (root / "Normal").is_dir():
        if test_session is not None:
            raise InputError(
                f"{root}: MAT files do not name sessions, so test_session {test_session!r} cannot be taken"
            )
        return [_packed(root, domain, place) for place in _PLACES]
    folder = root / f"domain_{domain}"
    folder = folder if folder.is_dir() else root / domain
    if not folder.is_dir():
        raise InputError(f"{root / f'domain_{domain}'}: no such folder")
    found = {
        place: [p for p in sorted((folder / place).glob("*")) if p.suffix.lower() in _SUFFIXES] for place in SPLITS
    }
    names = [p.relative_to(folder).as_posix() for files in found.values() for p in files]
    manifest = read_manifest(folder, names=names)
    if manifest is not None and manifest.mapping != DOMAIN_MAPPING:
        raise InputError(f"{folder}: its manifest has the domain mapping {manifest.mapping!r}, not {DOMAIN_MAPPING!r}")
    if test_session is not None:
        kept = _of_session(folder, manifest, test_session)
        for place in SPLITS[1:]:
            found[place] = [p for p in found[place] if p.relative_to(folder).as_posix() in kept]
    scale = None if manifest is None else manifest.scale
    sources = [MapSource(domain, place, tuple(files), scale) for place, files in found.items() if files]
    if lacking := {"train", "test"} - {s.split for s in sources}:
        raise InputError(f"{folder}: holds no map files ({', '.join(_SUFFIXES)}) of the split {max(lacking)!r}")
    return sources


def _of_session(folder: Path, manifest: Manifest | None, session: str) -> set[str]:
    """Names of the test maps of a session."""
    if manifest is None or "session" not in manifest.maps:
        raise InputError(f"{folder}: no manifest names sessions, so test_session {session!r} cannot be taken")
    test = manifest.maps[manifest.maps["split"] == "test"]
    kept = set(test.loc[(test["session"] == session).fillna(False), "file"])
    if not kept:
        known = ", ".join(sorted(map(repr, test["session"].dropna().unique())))
        raise InputError(f"{folder}: test_session must be one of {known}, but got {session!r}")
    return kept


def _packed(root: Path, domain: str, place: str) -> MapSource:
    check_choice(_CLASSES, domain=domain)
    kind, signal = _CLASSES[domain]
    state, split = _PLACES[place]
    name = f"{signal}_DIF_{split}.mat"
    found = [p for p in sorted((root / state).rglob(name)) if kind in p.parts and p.parent.name == "HDMap_train_test"]
    if len(found) != 1:
        raise InputError(
            f"{root / state}: domain {domain} (mapping {DOMAIN_MAPPING}) needs one {kind}/1/HDMap_train_test/{name}, "
            f"but {len(found)} were found"
        )
    return MapSource(domain, place, (found[0],))


def check_leaks(train: Iterable[tuple[str, np.ndarray]], test: Iterable[tuple[str, np.ndarray]]) -> int:
    """Refuse the same map in training and test; count maps that stand twice on one side.

    Args:
        train, test: maps ``[rows, columns]`` with their names for messages; one is held at a time.

    Returns:
        Exact duplicates within training and within test.

    Raises:
        InputError: a map of the test part that is trained on; both places are named.
    """
    trained: dict[bytes, str] = {}
    twice = 0
    for name, values in train:
        key = _key(values)
        twice += key in trained
        trained.setdefault(key, name)
    tested: set[bytes] = set()
    for name, values in test:
        key = _key(values)
        if key in trained:
            raise InputError(f"{name}: the same map is trained on ({trained[key]})")
        twice += key in tested
        tested.add(key)
    return twice


def _key(values: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).digest()
