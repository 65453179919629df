"""``healthy.npz`` in the folder of a model: its healthy reference, and some of the healthy maps themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from toothwise.errors import InputError
from toothwise.files import atomic_file
from toothwise.reading import as_input_error, parse_json, read_arrays
from toothwise.reference.healthy_maps import HealthyMaps
from toothwise.reference.healthy_reference import HealthyReference

FILE = "healthy.npz"
FORMAT = 2


def save_healthy(folder: Path, reference: HealthyReference, maps: HealthyMaps | None) -> Path:
    """Write ``healthy.npz`` into a folder, whole or not at all."""
    about = {"format": FORMAT, "detector": reference.detector, "by_record": reference.by_record}
    arrays = reference.arrays()
    if maps is not None:
        about["of"] = maps.of
        arrays |= {"values": maps.values, "names": np.array(maps.names)}
    path = folder / FILE
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
    return path


def load_healthy(
    folder: Path, fingerprint: str, shape: tuple[int, int]
) -> tuple[HealthyReference | None, HealthyMaps | None]:
    """The healthy reference and the healthy maps of a model; None where it keeps none.

    Args:
        folder: Of the model.
        fingerprint: Of its detector.
        shape: Of its maps.

    Raises:
        InputError: A damaged file, or one that belongs to another detector.
    """
    path = folder / FILE
    if not path.is_file():
        return None, None
    arrays = read_arrays(path, "a healthy reference")
    with as_input_error(path, "not readable as a healthy reference"):
        about = parse_json(str(arrays["about"]), path)
        if about["format"] != FORMAT:
            raise InputError(f"{path}: unsupported format {about['format']!r:.20}; this version reads {FORMAT}")
        if about["detector"] != fingerprint:
            raise InputError(f"{path}: belongs to another detector than the model beside it: fit it again")
        by_record = bool(about["by_record"])
        reference = HealthyReference.from_arrays(
            arrays, detector=fingerprint, by_record=by_record, shape=shape, path=path
        )
        if "values" not in arrays:
            return reference, None
        values, names = arrays["values"], arrays["names"]
        if values.dtype != np.float32 or values.shape[1:] != shape or names.shape != values.shape[:1]:
            raise InputError(f"{path}: healthy maps must be float32 [n, rows, columns] with a name each")
        return reference, HealthyMaps(fingerprint, values, tuple(map(str, names.tolist())), int(about["of"]))
