"""Folders that version 0.1 wrote: ``detector.json`` of a fitted detector, ``export.json`` of an exported one."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from toothwise.detectors.base import state_digest
from toothwise.errors import InputError
from toothwise.exported.manifest import STATE, Manifest, listed, read_signed
from toothwise.reading import as_input_error, read_json

__all__ = ["read_old"]

_NAMES = {"baseline": "healthy_distance"}


def read_old(folder: Path) -> Manifest:
    """The manifest of a folder of version 0.1, with today's names of detectors and options.

    Raises:
        InputError: No folder of a model, or one that has to be made anew.
    """
    if (path := folder / "export.json").is_file():
        data = read_signed(path, "toothwise export", 1)
        with as_input_error(path, "lacks or misstates something"):
            data["about"] = _about(data["gear"], data["shape"])
            if data["backend"] in ("numpy", "torch"):  # its encoder's file is known by another hash than the fitted one
                data["info"] = read_json(folder / "detector.json")["info"]
        return _renamed(Manifest.from_json(data, path))
    if not (path := folder / "detector.json").is_file():
        raise InputError(f"{folder}: not the folder of a model (no model.json)")
    data = read_json(path)
    with as_input_error(path, "lacks or misstates something"):
        if data["format"] != 1:
            raise InputError(f"{path}: unsupported format {data['format']!r:.20}; this version reads 1")
        files = listed(folder)
        content = (folder / STATE).read_bytes()
        if data["state_sha256"] != hashlib.sha256(content).hexdigest():
            raise InputError(f"{folder / STATE}: was changed after it was written (its sha256 does not fit)")
        known = data["info"].pop("maps", None)
        data |= {"files": files, "about": _about(known, data["shape"]), "backend": "fitted", "fingerprint": ""}
        from safetensors.numpy import load

        mark = state_digest(data["detector"], data["options"], data["shape"], load(content))
    return replace(_renamed(Manifest.from_json(data, path)), fingerprint=mark)


def _about(known: dict[str, Any] | None, shape: list[int]) -> dict[str, Any]:
    """What the maps are, as ``MapsAbout`` writes it."""
    if not known:
        return {}
    return known | {
        name: {"name": known[name], "length": n} for name, n in zip(("rows", "columns"), shape, strict=True)
    }


def _renamed(old: Manifest) -> Manifest:
    options = old.options
    if old.detector == "pooled":
        inner = options["detector"]
        options = options | {"detector": _NAMES.get(inner, inner), "options": _options(inner, options["options"])}
    elif old.detector == "fused":
        if "baseline" in options["parts"]:
            raise InputError("a fused detector of version 0.1 with the part 'baseline' has to be fitted again")
        options = options | {"options": {name: _options(name, own) for name, own in options["options"].items()}}
    else:
        options = _options(old.detector, options)
    return replace(old, detector=_NAMES.get(old.detector, old.detector), options=options)


def _options(detector: str, options: dict[str, Any]) -> dict[str, Any]:
    if detector not in ("scan", "scan_learned") or "baseline" not in options:
        return options
    return {("reference" if name == "baseline" else name): value for name, value in options.items()}
