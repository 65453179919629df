"""Where maps come from and scores go to: a local folder, or object storage by its URI (fsspec)."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from toothwise.errors import InputError, MissingDependencyError, OutputError, need
from toothwise.files import atomic_file
from toothwise.reading import as_input_error

# stores that show an object only once all of it is there, so that nothing has to be renamed
_WHOLE_OBJECTS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory")
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
# what a store knows of a file's content, the surest first
_VERSIONS = ("ETag", "etag", "md5Hash", "generation", "version_id", "mtime", "LastModified", "last_modified", "created")
_TEMPORARY = ".tmp-"


@dataclass(frozen=True)
class StoredFile:
    """A file as its store lists it.

    Attributes:
        path: Path in its file system.
        name: Path below the folder that was listed, with "/".
        size: Size in bytes.
        version: Changes when the content does, as far as the store knows: its ETag, else the time of the last change.
    """

    path: str
    name: str
    size: int
    version: str


@dataclass(frozen=True, eq=False)
class Location:
    """A folder or file somewhere.

    Attributes:
        uri: The address as it was given.
        protocol: "file", "memory", "s3", ...
        path: Path in the file system.
        fs: The file system of fsspec.
    """

    uri: str
    protocol: str
    path: str
    fs: Any

    @property
    def local(self) -> Path | None:
        """The path on this machine, None elsewhere."""
        return Path(self.path) if self.protocol == "file" else None

    def join(self, name: str) -> str:
        """The path of something below it."""
        return f"{self.path.rstrip('/')}/{name}"

    def files(self) -> list[StoredFile]:
        """The file itself, or all files below the folder in order of their names; hidden ones are left out.

        Raises:
            InputError: nothing there, or it cannot be listed.
        """
        with as_input_error(self.uri, "cannot be listed"):  # each store has errors of its own
            self.fs.invalidate_cache()
            found = self.fs.find(self.path, detail=True)
            if not found and not self.fs.exists(self.path):
                raise InputError(f"{self.uri}: no such file or folder")
        root = PurePosixPath(self.path)
        out = []
        for path, about in found.items():
            pure = PurePosixPath(path)
            name = pure.name if pure == root else pure.relative_to(root).as_posix()
            if not any(part.startswith(".") for part in PurePosixPath(name).parts):
                out.append(StoredFile(path, name, int(about.get("size") or 0), _version(about)))
        return sorted(out, key=lambda file: file.name)

    @contextlib.contextmanager
    def fetched(self, path: str) -> Iterator[Path]:
        """A file as a path on this machine: itself where it is here, else a copy for as long as it is needed."""
        if self.protocol == "file":
            yield Path(path)
            return
        with tempfile.TemporaryDirectory(prefix="toothwise-") as folder:
            here = Path(folder) / PurePosixPath(path).name
            self.fs.get_file(path, str(here))
            yield here

    @contextlib.contextmanager
    def published(self, name: str) -> Iterator[Path]:
        """A temporary path that becomes ``name`` below this folder when the block ends well: all of it or nothing.

        Raises:
            OutputError: it cannot be written.
        """
        target = self.join(name)
        if self.protocol == "file":
            with atomic_file(Path(target)) as here:
                yield here
            return
        try:
            with tempfile.TemporaryDirectory(prefix="toothwise-") as folder:
                here = Path(folder) / PurePosixPath(name).name
                yield here
                self.fs.put_file(str(here), target)
        except OSError as error:
            raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from error

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else writes here meanwhile (local folders); what a killed run left half-written is removed.

        Raises:
            OutputError: another run writes here, or the folder cannot be written.
        """
        folder = self.local
        if folder is None:
            yield
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stream = (folder / ".lock").open("a")
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from None
        with stream:
            try:
                import fcntl

                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ImportError:
                pass  # Windows: nobody is kept out
            except OSError:
                raise OutputError(
                    f"{folder}: another run is writing here: wait for it or name another folder"
                ) from None
            _sweep(folder)
            yield
            _sweep(folder)  # of workers that died and were replaced


def _sweep(folder: Path) -> None:
    for left in folder.rglob(f"{_TEMPORARY}*"):
        left.unlink(missing_ok=True)


def _version(about: dict[str, Any]) -> str:
    return next((f"{key} {about[key]}" for key in _VERSIONS if about.get(key) is not None), "")


def locate(uri: str, *, output: bool = False) -> Location:
    """A path on this machine, or a URI such as ``s3://bucket/maps``.

    Args:
        output: it is to be written to.

    Raises:
        MissingDependencyError: the store's package is not installed.
        InputError: a store that is not known, or one that would show half a file and is to be written to.
    """
    fsspec = need("fsspec", f"{uri}: scoring many maps")
    protocol = uri.partition("://")[0] if "://" in uri else "file"
    if protocol == "file":
        path = str(Path(uri.removeprefix("file://")).expanduser().resolve())
        return Location(uri, "file", path, fsspec.filesystem("file"))
    if output and protocol not in _WHOLE_OBJECTS:
        raise InputError(
            f"{uri}: scores are written to a local folder or to object storage ({', '.join(_WHOLE_OBJECTS)}), "
            f"but got {protocol}"
        )
    try:
        fs, path = fsspec.core.url_to_fs(uri)
    except ImportError as error:
        package = _PACKAGES.get(protocol)
        hint = f"install it with pip install {package}" if package else str(error)
        raise MissingDependencyError(f"{uri}: {protocol}:// needs a package that is not installed: {hint}") from None
    except Exception as error:  # each store has errors of its own
        words = " ".join(str(error).split())[:200]
        raise InputError(f"{uri}: not a place that fsspec knows or can reach ({words})") from None
    return Location(uri, protocol, path, fs)
