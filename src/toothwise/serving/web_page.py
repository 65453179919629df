"""The page that ships with the service: four files, no build step, nothing from another host."""

from __future__ import annotations

from importlib.resources import files

_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}


def page_files() -> dict[str, tuple[bytes, str]]:
    """Address -> content and its type. Read once: no address of a request ever becomes a path."""
    folder = files("toothwise.serving") / "page"
    found = {f"/{one.name}": (one.read_bytes(), _KINDS[one.name.rpartition(".")[2]]) for one in folder.iterdir()}
    return found | {"/": found["/index.html"]}
