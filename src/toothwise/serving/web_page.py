"""The page that ships with the service: four files, no build step, nothing from another host."""

from __future__ import annotations

from importlib.resources import files

_KINDS = {
    "index.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "words.js": "text/javascript; charset=utf-8",
    "draw.js": "text/javascript; charset=utf-8",
}


def page_files() -> dict[str, tuple[bytes, str]]:
    """Address -> content and its type. Read once: no address of a request ever becomes a path."""
    folder = files("toothwise.serving") / "page"
    found = {f"/{name}": ((folder / name).read_bytes(), kind) for name, kind in _KINDS.items()}
    return found | {"/": found["/index.html"]}
