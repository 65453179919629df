"""One input given to one reader, inside limits: what came of it."""

from __future__ import annotations

import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measuring.memory import memory

from toothwise.errors import ToothwiseError
from toothwise.serving.limits import ApiError

SECONDS = 5.0  # of processor time for one input
_MEMORY = 256 * 2**20  # bytes that one input of some kB may take
_ADDRESSES = 6 * 2**30  # of the process, above what it has once everything is loaded
_LONGEST = 4000  # letters of a message
_WRITES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod"}
_NEVER = {"pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect"}


@dataclass(frozen=True)
class Target:
    """A reader and valid inputs.

    Attributes:
        name: of the reader.
        file: name of the file that is damaged, inside of the folder.
        seeds: valid contents.
        read: given the folder that holds the file.
        kinds: of ``mutate.damaged``.
        beside: files that lie beside it, by name.
        held: whether the reader can be held to a size: packages of some formats allocate what a file claims.
        sound: whether the valid inputs are read; of some only what is inside is valid.
        weight: inputs, as a share of the number asked for.
    """

    name: str
    file: str
    seeds: tuple[bytes, ...]
    read: Callable[[Path], Any]
    kinds: tuple[str, ...] = ()
    beside: dict[str, bytes] = field(default_factory=dict)
    held: bool = True
    sound: bool = True
    weight: float = 1.0


@dataclass(frozen=True)
class Failure:
    """What must not come of an input."""

    kind: str
    text: str


class _Late(BaseException):
    """The time is over: no reader catches it."""


class Judge:
    """Gives inputs to a reader in a folder of its own; everything else on this machine must stay as it is.

    Args:
        target: the reader.
        folder: empty, for this process alone.
    """

    def __init__(self, target: Target, folder: Path) -> None:
        self.target, self.place, self.temporary = target, folder / "place", folder / "tmp"
        self.folder = folder.resolve()
        for path in (self.place, self.temporary):
            path.mkdir()
        for name, content in {target.file: b"", **target.beside}.items():
            (self.place / name).parent.mkdir(parents=True, exist_ok=True)
            (self.place / name).write_bytes(content)
        self._there = self._tree()
        import tempfile

        tempfile.tempdir = str(self.temporary)
        self._outside: list[str] = []
        self._watching = self._memory_is_watched = False
        self._said = ""
        sys.addaudithook(self._hook)
        signal.signal(signal.SIGPROF, self._late)

    def warm(self) -> None:
        """Read every valid input once, so that everything is loaded; each must be read."""
        for seed in self.target.seeds:
            found = self(seed)
            if isinstance(found, Failure):  # imports do what readers must not, once
                found = self(seed)
            if found != "read" and (self.target.sound or isinstance(found, Failure)):
                raise SystemExit(f"{self.target.name}: a valid input is not read: {self._said or found}")
        size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (size + _ADDRESSES, resource.RLIM_INFINITY))
        self._memory_is_watched = True

    def __call__(self, content: bytes) -> str | Failure:
        """ "read", the name of toothwise's own error, or a failure."""
        (self.place / self.target.file).write_bytes(content)
        start = _reset_peak()
        found = self._read()
        if isinstance(found, Failure):
            return found
        grown = memory("VmHWM") - start
        if self._memory_is_watched and grown > _MEMORY:
            return Failure("memory", f"{grown >> 20} MiB for {len(content)} bytes")
        if self._outside:
            return Failure("outside", "; ".join(self._outside[:3]))
        if left := self._tree() ^ self._there:
            return Failure("left behind", ", ".join(sorted(left))[:300])
        return found

    def _read(self) -> str | Failure:
        self._outside.clear()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        self._watching = True
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.target.read(self.place)
        except (ToothwiseError, ApiError) as error:
            if len(str(error)) > _LONGEST:
                return Failure("message", f"{len(str(error))} letters: {str(error)[:200]}")
            if self.target.held and _by_memory(error):
                return Failure("memory", f"asked for more than there is: {error}")
            self._said = str(error)
            code = f" {error.status}" if isinstance(error, ApiError) else ""
            return type(error).__name__ + code
        except _Late:
            return Failure("hang", f"more than {SECONDS:g} s")
        except BaseException as error:
            import traceback

            where = traceback.extract_tb(error.__traceback__)
            ours = [f"{Path(f.filename).name}:{f.lineno}" for f in where if "toothwise" in f.filename][-3:]
            return Failure(type(error).__name__, f"{str(error)[:300]} at {' > '.join(ours)}")
        finally:
            self._watching = False
            signal.setitimer(signal.ITIMER_PROF, 0)
        return "read"

    def _tree(self) -> set[str]:
        return {f"{top}/{name}" for top, folders, files in os.walk(self.folder) for name in (*folders, *files)}

    def _late(self, *_: Any) -> None:
        raise _Late

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watching:
            return
        if event in _NEVER:
            self._outside.append(f"{event} {arguments[:2]!r}"[:200])
        elif event in _WRITES or (event == "open" and _writes(arguments)):
            path = arguments[0]
            if isinstance(path, str | bytes | os.PathLike):
                path = os.fsdecode(path)
                if event in ("os.remove", "os.rmdir") and arguments[1] >= 0:
                    path = f"{Path(f'/proc/self/fd/{arguments[1]}').readlink()}/{path}"  # of a folder that is open
                if not self._inside(path):
                    self._outside.append(f"{event} {path!r}"[:200])

    def _inside(self, path: str) -> bool:
        whole = os.path.realpath(path)
        return whole.startswith(f"{self.folder}{os.sep}") or whole == os.devnull


def _writes(arguments: tuple[Any, ...]) -> bool:
    flags = arguments[2] if len(arguments) > 2 and isinstance(arguments[2], int) else 0
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND))


def _by_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _reset_peak() -> int:
    """Start to measure the largest resident size anew; returns the present one in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")
