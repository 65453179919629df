"""What a result depends on besides its configuration: the code and the data, each as a short word.

The code's word is a hash over the sources of the package. A commit would not do: an installed package has none, and
changed files make it say less than it seems to. So a change of documentation runs nothing again, and any change of
code runs everything again, unless results of another revision are accepted.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from toothwise.errors import InputError
from toothwise_lab.studies.image_trial import ImageTrial, data_root
from toothwise_lab.studies.own_detectors import encoder_files
from toothwise_lab.studies.run_trial import RunTrial
from toothwise_lab.studies.trial import Settings

_SOURCES = Path(__file__).parents[2]
_PACKAGES = ("toothwise", "toothwise_lab")  # detectors and simulator in one, the studies in the other


@lru_cache(maxsize=1)
def code_revision() -> str:
    """Hash over names and contents of all modules of both packages, 12 characters."""
    digest = hashlib.sha256()
    for path in sorted(path for package in _PACKAGES for path in (_SOURCES / package).rglob("*.py")):
        digest.update(f"{path.relative_to(_SOURCES).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def data_version(settings: Settings) -> str:
    """What a trial reads: the simulator (which is code), a set of images or recordings, and encoder weights.

    Data that are not there are "missing": the trial itself will tell, and is another one once they are there.
    """
    words = []
    if isinstance(settings, ImageTrial):
        words.append(f"{settings.image_set} {_hash_of(settings.image_set)}")
    elif isinstance(settings, RunTrial) and settings.data != "simulated":
        words.append(f"{settings.data} {_hash_of(settings.data, 'recordings.npz')}")
    else:
        words.append("simulated")
    for name, path in encoder_files(settings.detector, settings.options):
        words.append(f"{name} {path if isinstance(path, str) else _hash_of_file(path)}")
    return ", ".join(words)


def _hash_of(*names: str) -> str:
    """Of a folder or file below the folder of the data sets."""
    try:
        path = data_root().joinpath(*names)
    except InputError:
        return "missing"
    return _hash_of_file(path) if len(names) > 1 else _hash_of_folder(path)


def _hash_of_file(path: Path) -> str:
    if not path.is_file():
        return "missing"
    about = path.stat()
    return _hash_of_contents(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=64)
def _hash_of_contents(path: Path, *known: int) -> str:
    del known  # a file that was changed meanwhile is read again
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:12]


@lru_cache(maxsize=64)
def _hash_of_folder(folder: Path) -> str:
    """Of names and sizes: thousands of images are not read for it."""
    if not folder.is_dir():
        return "missing"
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
    return digest.hexdigest()[:12]
