"""Strategies of hypothesis: bytes that were a valid file once."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from fuzzing import containers

__all__ = ["damaged"]

_EDGES = (0, 1, -1, 2, 3, 7, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 10**9, 2**40, 2**63 - 1)
_WORDS = (
    *("null", "NaN", "-Infinity", "1e999", "[]", "{}", '""', "-1", "0", "true", "2024-13-45", "!!python/name:x"),
    *("&a [*a]", "*a", "<<", "? [a]", "---", "\ufeff", "\0", "é\u2028", "../../etc/passwd", "=1+1", "1_0", "0x1F"),
    *("1:60", ";", "\t", ",,,", "#", "inf", "1e-320", "0.1.2", "\r"),
    *("9" * 400, "a" * 5000, "[" * 3000, '{"a":' * 3000),
)
_HEAD = 640  # bytes in which formats keep sizes and types

_place = st.one_of(
    st.tuples(st.just("head"), st.floats(0, 1)),
    st.tuples(st.just("tail"), st.floats(0, 1)),
    st.tuples(st.just("any"), st.floats(0, 1)),
)
_number = st.tuples(st.sampled_from(_EDGES), st.sampled_from("bBhHiIqQfd"), st.sampled_from("<>"))
_step = st.one_of(
    st.tuples(st.just("flip"), _place, st.integers(0, 7)),
    st.tuples(st.just("set"), _place, st.integers(0, 255)),
    st.tuples(st.just("number"), _place, _number),
    st.tuples(st.just("cut"), _place, st.just(0)),
    st.tuples(st.just("insert"), _place, st.binary(min_size=1, max_size=24)),
    st.tuples(st.just("word"), _place, st.sampled_from(_WORDS)),
    st.tuples(st.just("drop"), _place, st.integers(1, 400)),
    st.tuples(st.just("repeat"), _place, st.integers(1, 400)),
    st.tuples(st.just("move"), _place, _place),
    st.tuples(st.just("splice"), _place, st.tuples(st.integers(0, 99), st.floats(0, 1))),
)


def _at(place: tuple[str, float], size: int) -> int:
    where, share = place
    span = size if where == "any" else min(size, _HEAD)
    return int(share * max(span - 1, 0)) + (size - span if where == "tail" else 0)


def _packed(value: int, kind: str, order: str) -> bytes:
    if kind in "fd":
        return struct.pack(order + kind, float(value))
    size = struct.calcsize(order + kind)
    return (value % 256**size).to_bytes(size, "little" if order == "<" else "big")


def _apply(content: bytes, step: tuple[str, Any, Any], others: Sequence[bytes]) -> bytes:
    kind, place, what = step
    at = _at(place, len(content))
    head, tail = content[:at], content[at:]
    if not content:
        return what if isinstance(what, bytes) else b"\0"
    if kind == "flip":
        return head + bytes([tail[0] ^ 1 << what]) + tail[1:]
    if kind == "set":
        return head + bytes([what]) + tail[1:]
    if kind == "number":
        packed = _packed(*what)
        return head + packed + tail[len(packed) :]
    if kind == "cut":
        return head
    if kind in ("insert", "word"):
        return head + (what if isinstance(what, bytes) else what.encode()) + tail
    if kind == "drop":
        return head + tail[what:]
    if kind == "repeat":
        return head + tail[:what] * 2 + tail[what:]
    if kind == "move":
        piece, other = tail[:64], _at(what, len(content))
        return content[:other] + piece + content[other:]
    other, share = others[what[0] % len(others)], what[1]
    return head + other[int(share * len(other)) :]


@st.composite
def _bytes(draw: Callable[..., Any], seeds: Sequence[bytes]) -> bytes:
    """A seed with some damage."""
    content = draw(st.sampled_from(seeds))
    for step in draw(st.lists(_step, min_size=1, max_size=4)):
        content = _apply(content, step, seeds)
    return content


@st.composite
def _noise(draw: Callable[..., Any], seeds: Sequence[bytes]) -> bytes:
    """Random bytes, behind the first ones of a seed."""
    kept = draw(st.sampled_from((0, 0, 4, 8, 16, 64, 128, 512)))
    return draw(st.sampled_from(seeds))[:kept] + draw(st.binary(max_size=400))


_leaf = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(_EDGES),
    st.floats(),
    st.sampled_from((1e999, 1e300, -0.0, 10**400, "", "x" * 3000, "nan", "..", "\ud800", "\0")),
    st.text(max_size=8),
    st.sampled_from(([], {}, [[]], [None], {"a": 1}, [0] * 2000, [[1.0, 2.0]], [10**30])),
)


@st.composite
def _tree(draw: Callable[..., Any], data: Any) -> Any:
    """Parsed JSON or YAML with a few places changed."""
    for _ in range(draw(st.integers(1, 3))):
        node, trail = data, []
        while isinstance(node, dict | list) and node and (not trail or draw(st.integers(0, 5))):
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            trail.append((node, draw(st.sampled_from(keys))))
            node = node[trail[-1][1]]
        if not trail:
            return deepcopy(draw(_leaf))
        parent, key = trail[-1]
        action = draw(st.sampled_from(("set", "set", "set", "drop", "add", "wrap", "deep")))
        if action == "set":
            parent[key] = deepcopy(draw(_leaf))
        elif action == "drop":
            del parent[key]
        elif action == "add" and isinstance(parent, dict):
            parent[draw(st.text(max_size=6))] = deepcopy(draw(_leaf))
        elif action == "wrap":
            parent[key] = [node]
        else:
            for _ in range(draw(st.sampled_from((3, 40, 400)))):
                node = [node]
            parent[key] = node
        if not isinstance(data, dict | list) or not data:
            break
    return data


@st.composite
def _document(draw: Callable[..., Any], seeds: Sequence[bytes], kind: str) -> bytes:
    """A JSON or YAML file that still is one, and says something else."""
    import yaml

    seed = draw(st.sampled_from(seeds))
    data = draw(_tree(json.loads(seed) if kind == "json" else yaml.safe_load(seed)))
    try:
        text = json.dumps(data) if kind == "json" else yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    except (RecursionError, yaml.YAMLError):
        text = "[" * 5000
    return text.encode("utf-8", "surrogatepass")


@st.composite
def _repacked(draw: Callable[..., Any], seeds: Sequence[bytes], kind: str) -> bytes:
    """A container whose checksums are right, and whose content is damaged."""
    seed = draw(st.sampled_from(seeds))
    parts = containers.unpack(kind, seed)
    names = list(parts)
    name = draw(st.sampled_from(names))
    inside = parts[name]
    described = inside[:1] == b"{" and kind == "safetensors"
    if described and draw(st.booleans()):
        parts[name] = draw(_document([inside], "json"))
    else:
        parts[name] = draw(_bytes([inside, *parts.values()]))
    if kind == "zip" and draw(st.integers(0, 9)) == 0:
        renamed = draw(st.sampled_from(("../x.npy", "/x.npy", "values.npy", "x", "", "é.npy", "meta.npy", "about.npy")))
        parts[renamed] = parts[name]
    if kind == "zip" and draw(st.integers(0, 5)) == 0:
        del parts[draw(st.sampled_from(list(parts)))]
    return containers.pack(kind, parts, packed=draw(st.booleans()))


def damaged(seeds: Sequence[bytes], kinds: Sequence[str]) -> st.SearchStrategy[bytes]:
    """Inputs of a reader.

    Args:
        seeds: valid files.
        kinds: what else than bytes they are: "json", "yaml", or a container that ``containers`` knows.
    """
    ways: list[st.SearchStrategy[bytes]] = [_bytes(seeds), _bytes(seeds), _noise(seeds)]
    for kind in kinds:
        if kind in ("json", "yaml"):
            ways += [_document(seeds, kind)] * 3
        elif whole := [seed for seed in seeds if containers.unpack(kind, seed)]:
            ways += [_repacked(whole, kind)] * 3
    return st.one_of(ways)
