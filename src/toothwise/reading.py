"""Reading that ends in what a file holds, or in one clear error: JSON, YAML and npz. Nothing is ever unpickled.

Broken bytes lead libraries to errors of many kinds (NumPy alone raises ten). Here, and in the readers of recordings and
maps, they become ``InputError``.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toothwise.errors import InputError, MissingDependencyError, ToothwiseError, did_you_mean

if TYPE_CHECKING:
    import numpy as np

DEFLATE = 1032  # bytes that deflate makes of one at most
MAX_NUMBERS = 2**31  # of one array: 8 GiB of float32
_MOST_NODES = 200_000  # of a YAML file, each counted as often as aliases repeat it


@contextmanager
def as_input_error(where: object, words: str, *others: type[Exception]) -> Iterator[None]:
    """Around code that takes apart what a file holds: whatever is wrong with it is the file's fault.

    Args:
        where: the file, "" where the caller names it.
        words: what is wrong, for the message.
        others: errors that pass.

    Raises:
        InputError: for every other error but those of toothwise, which pass.
    """
    try:
        yield
    except Exception as error:  # broken content leads anywhere
        if isinstance(error, (ToothwiseError, *others)):
            raise
        raise InputError(f"{where}: {words} ({_short(error)})" if where else f"{words} ({_short(error)})") from error


@contextmanager
def of_file(path: Path, words: str = "cannot be read") -> Iterator[None]:
    """Around code that reads a file or fits what it holds together: whatever is wrong is said in a line with its name.

    Args:
        path: The file.
        words: What is wrong where a library failed.

    Raises:
        InputError, MissingDependencyError: In one line of printable characters: broken bytes may name variables.
    """
    try:
        with as_input_error("", words):
            yield
    except (InputError, MissingDependencyError) as error:
        text = "".join(letter if letter.isprintable() else "?" for letter in " ".join(str(error).split()))
        raise type(error)(text if text.startswith(str(path)) else f"{path}: {text[:500]}") from error.__cause__


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, zipfile.BadZipFile):
        return "damaged, or another kind of file"
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


def read_text(path: Path) -> str:
    """The text of a file, UTF-8.

    Raises:
        InputError: missing, not readable, or no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def parse_json(text: str | bytes, where: object) -> Any:
    """What a JSON text says; as toothwise never writes NaN and infinities, none is taken.

    Raises:
        InputError: no JSON, too deep, or a number that is not finite.
    """

    def refused(word: str) -> Any:
        raise InputError(f"{where}: not readable as JSON (it has no {word})")

    def finite(word: str) -> float:
        value = float(word)
        return value if math.isfinite(value) else refused(word[:20])

    with as_input_error(where, "not readable as JSON"):
        return json.loads(text, parse_constant=refused, parse_float=finite)


def read_json(path: Path) -> Any:
    """What a JSON file says.

    Raises:
        InputError: missing, or as ``parse_json``.
    """
    return parse_json(read_text(path), path)


def parse_yaml(text: str, where: object) -> Any:
    """What a YAML text says.

    Raises:
        InputError: no YAML, too deep, or aliases that repeat each other without end.
    """
    import yaml

    with as_input_error(where, "is not YAML"):
        check_yaml(yaml.compose(text, yaml.SafeLoader), where)
        return yaml.safe_load(text)


def check_yaml(node: Any, where: object) -> None:
    """Refuse a tree of YAML nodes that its aliases make too large to be gone through, or endless.

    Raises:
        InputError: more nodes than anybody writes.
    """
    waiting, seen = [node], 0
    while waiting:
        seen += 1
        if seen > _MOST_NODES:
            raise InputError(f"{where}: not YAML (its aliases repeat each other, {_MOST_NODES} times and more)")
        inside = getattr(waiting.pop(), "value", None)
        for part in inside if isinstance(inside, list) else ():
            waiting += part if isinstance(part, tuple) else (part,)


def read_yaml(path: Path) -> Any:
    """What a YAML file says.

    Raises:
        InputError: missing, or as ``parse_yaml``.
    """
    return parse_yaml(read_text(shipped(path)), path)


def configurations() -> dict[str, Path]:
    """The configurations that come with the package, by name.

    Examples:
        >>> configurations()["gearbox_crack"].name
        'gearbox_crack.yaml'
    """
    package = Path(__file__).parent
    folder = next((one for one in (package / "configs", package.parents[1] / "configs") if one.is_dir()), package)
    return {path.stem: path for path in sorted(folder.glob("*.yaml")) + sorted(folder.glob("studies/*.yaml"))}


def shipped(path: Path) -> Path:
    """The file itself, or the configuration of this name, as ``gearbox_crack`` or ``configs/gearbox_crack.yaml``.

    Raises:
        InputError: A name without suffix that is neither a file nor a configuration.
    """
    if path.exists() or path.suffix not in ("", ".yaml"):
        return path
    known = configurations()
    if path.suffix == "" and path.stem not in known:
        guess = did_you_mean(path.name, known)
        raise InputError(
            f"{path}: no such file, and no configuration of this name{guess} ('toothwise config' lists them)"
        )
    named = path.suffix == "" or path.parts[:1] == ("configs",)
    return known[path.stem] if named and path.stem in known else path


def check_arrays(path: Path) -> None:
    """Refuse an npz file by the headers of its arrays, before anything is allocated.

    Raises:
        InputError: Python objects, or more numbers than the file holds or is allowed.
        OSError, ValueError, zipfile.BadZipFile, ...: no npz file; see ``as_input_error``.
    """
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as stream:
                array_header(stream, entry.filename, entry.file_size)


def array_header(
    stream: Any, name: str, size: int, *, most: float = MAX_NUMBERS
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The header of a stored array, checked before anything is allocated.

    Args:
        stream: Binary, at the start of an NPY file; afterwards at its first number.
        name: Of the array, for messages.
        size: Bytes of the NPY file.
        most: How many numbers the array may hold.

    Returns:
        Its shape, whether it lies in Fortran order, and the type of its numbers.

    Raises:
        InputError: Python objects, or more numbers than the file holds or is allowed.
    """
    import numpy as np

    start = stream.tell()
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.hasobject:
        raise InputError(f"the array {name!r} holds Python objects, which are never read")
    count, holds = math.prod(shape), size - (stream.tell() - start)
    if min(shape, default=0) < 0 or count > most or count * dtype.itemsize > holds:
        raise InputError(f"the array {name!r} claims the shape {shape}, more than the file holds or is allowed")
    return shape, fortran, dtype


def read_arrays(
    path: Path, what: str, *, needs: Sequence[str] = (), only: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """The arrays of an npz file.

    Args:
        path: the file.
        what: it should be, for messages.
        needs: Names of those that it must hold.
        only: Names of those to read; None = all.

    Raises:
        InputError: missing, or no such file of arrays.
    """
    import numpy as np

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    words = f"not readable as {what}"
    with of_file(path, words):
        try:
            check_arrays(path)
        except InputError as error:
            raise InputError(f"{words}: {error}") from None
        with np.load(path, allow_pickle=False) as data:
            if lacking := [repr(name) for name in needs if name not in data.files]:
                raise InputError(
                    f"lacks the array {', '.join(lacking)}, found {', '.join(data.files)[:300] or 'nothing'}"
                )
            found = {name: np.asarray(data[name]) for name in data.files if only is None or name in only}
        for name, array in found.items():
            if array.dtype.kind != "U":
                continue
            # what is no character would stop whatever encodes the text later
            code = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).reshape(-1).view(np.uint32)
            if ((code > 0x10FFFF) | ((code >= 0xD800) & (code <= 0xDFFF))).any():
                raise InputError(f"the array {name!r} holds code points that are no characters")
        return found
