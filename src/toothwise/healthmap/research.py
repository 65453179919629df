"""Where the research data's maps lie: as MAT files of the laboratory, or converted to one file per map.

Which letter stands for which class and signal moved during the research, so the mapping has a version, which results
and metadata state. Source of layout, mapping and fixed maxima: the research code's documentation.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toothwise.errors import InputError
from toothwise.healthmap.core import HealthMapBatch
from toothwise.healthmap.io import SPLITS, read_map

__all__ = ["DOMAIN_MAPPING", "MAXIMUM", "MapSource", "check_leaks", "find_domain"]

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
    """

    domain: str
    place: str
    files: tuple[Path, ...]

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
        """All maps, float32 ``[n, rows, columns]``; a MAT file is read once."""
        if self.packed:
            found = read_map(self.files[0])
            return found.values if isinstance(found, HealthMapBatch) else found.values[None]
        return np.stack([self.read_one(k) for k in range(len(self.files))])

    def read_one(self, index: int) -> np.ndarray:
        """One map of one file, float32 ``[rows, columns]``."""
        found = read_map(self.files[index])
        if isinstance(found, HealthMapBatch):
            raise InputError(f"{self.files[index]}: holds {len(found)} maps, but the layout has one per file")
        return found.values


def find_domain(root: str | Path, domain: str, *, mapping: str = DOMAIN_MAPPING) -> list[MapSource]:
    """The maps of one domain, in either layout; splits are those of the recordings, nothing is drawn at random.

    Args:
        root: holds ``domain_X`` (or X) with train/good, test/good, test/fault; or the laboratory's ``Normal`` and
            ``Planet_fault_ring`` with ``{1|3}_TSA_DIF_{train|test}.mat`` under ``Class{1|3}/1/HDMap_train_test``.
        domain: letter, or name of a folder.
        mapping: version of the domain mapping.

    Raises:
        InputError: no such folder, a place without maps, several files for one place, another mapping.
    """
    if mapping != DOMAIN_MAPPING:
        raise InputError(f"domain mapping must be {DOMAIN_MAPPING!r}, the one this version knows, but got {mapping!r}")
    root = Path(root)
    if (root / "Normal").is_dir():
        return [_packed(root, domain, place) for place in _PLACES]
    folder = root / f"domain_{domain}"
    folder = folder if folder.is_dir() else root / domain
    if not folder.is_dir():
        raise InputError(f"{root / f'domain_{domain}'}: no such folder")
    sources = []
    for place in SPLITS:
        files = tuple(p for p in sorted((folder / place).glob("*")) if p.suffix.lower() in _SUFFIXES)
        if files:
            sources.append(MapSource(domain, place, files))
    if not any(s.split == "train" for s in sources) or not any(s.split == "test" for s in sources):
        raise InputError(
            f"{folder}: holds no map files ({', '.join(_SUFFIXES)}) of the split "
            f"{'train' if not any(s.split == 'train' for s in sources) else 'test'!r}"
        )
    return sources


def _packed(root: Path, domain: str, place: str) -> MapSource:
    if domain not in _CLASSES:
        raise InputError(f"domain must be one of {', '.join(_CLASSES)}, but got {domain!r}")
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


def check_leaks(train: dict[str, np.ndarray], test: dict[str, np.ndarray]) -> int:
    """Refuse the same map in training and test; count maps that stand twice on one side.

    Args:
        train, test: by a name for messages, maps ``[n, rows, columns]`` each.

    Returns:
        Exact duplicates within training and within test.

    Raises:
        InputError: a map of the test part that is trained on; both places are named.
    """
    seen: dict[bytes, str] = {}
    twice = 0
    for name, values in train.items():
        for k, values_of in enumerate(values):
            key = hashlib.sha256(np.ascontiguousarray(values_of).tobytes()).digest()
            twice += key in seen
            seen.setdefault(key, f"{name}, map {k}")
    own: set[bytes] = set()
    for name, values in test.items():
        for k, values_of in enumerate(values):
            key = hashlib.sha256(np.ascontiguousarray(values_of).tobytes()).digest()
            if key in seen:
                raise InputError(f"{name}, map {k}: the same map is trained on ({seen[key]})")
            twice += key in own
            own.add(key)
    return twice
