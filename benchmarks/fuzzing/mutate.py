"""Strategies of hypothesis: bytes that were a valid file once."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import hypothesis
from hypothesis import strategies as st

from fuzzing import containers

_EDGES = (0, 1, -1, 2, 3, 7, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 10**9, 2**40, 2**63 - 1)
_WORDS = (
    *("null", "NaN", "-Infinity", "1e999", "[]", "{}", '""', "-1", "0", "true", "2024-13-45", "!!python/name:x"),
    *("&a [*a]", "*a", "<<", "? [a]", "---", "\ufeff", "\0", "é\u2028", "../../etc/passwd", "=1+1", "1_0", "0x1F"),
    *("1:60", ";", "\t", ",,,", "#", "inf", "1e-320", "0.1.2", "\r"),
    *("9" * 400, "a" * 5000, "[" * 3000, '{"a":' * 3000),
)
_HEAD = 640  # bytes in which formats keep sizes and types

_place = st.tuples(st.sampled_from(("head", "tail", "any")), st.floats(0, 1))


def _at(place: tuple[str, float], size: int) -> int:
    where, share = place
    span = size if where == "any" else min(size, _HEAD)
    return int(share * max(span - 1, 0)) + (size - span if where == "tail" else 0)


def _packed(value: int, kind: str, order: str) -> bytes:
    if kind in "fd":
        return struct.pack(order + kind, float(value))
    size = struct.calcsize(order + kind)
    return (value % 256**size).to_bytes(size, "little" if order == "<" else "big")


_piece = st.one_of(
    st.just(b""),
    st.binary(min_size=1, max_size=24),
    st.builds(_packed, st.sampled_from(_EDGES), st.sampled_from("bBhHiIqQfd"), st.sampled_from("<>")),
    st.sampled_from([word.encode() for word in _WORDS]),
)


@st.composite
def _bytes(draw: Callable[..., Any], seeds: Sequence[bytes]) -> bytes:
    """A seed some of whose pieces, maybe empty ones, are replaced by others: edge numbers, words, parts of a seed."""
    content = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        piece = draw(_piece)
        if draw(st.integers(0, 4)) == 0:
            other = draw(st.sampled_from(seeds))
            piece = other[_at(draw(_place), len(other)) :][: draw(st.sampled_from((64, 400, len(other))))]
        at = _at(draw(_place), len(content))
        gone = draw(st.sampled_from((0, 1, len(piece), len(piece), 400, len(content))))
        content = content[:at] + piece + content[at + gone :]
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
    whole = [data]  # so that the top, too, is a place in something
    for _ in range(draw(st.integers(1, 3))):
        parent: Any = whole
        key: Any = 0
        while isinstance(parent[key], dict | list) and parent[key] and (parent is whole or draw(st.integers(0, 5))):
            parent = parent[key]
            key = draw(st.sampled_from(list(parent) if isinstance(parent, dict) else range(len(parent))))
        action = draw(st.sampled_from(("set", "set", "set", "drop", "add", "wrap")))
        if action == "wrap":
            for _ in range(draw(st.sampled_from((1, 3, 40, 400)))):
                parent[key] = [parent[key]]
        elif action == "drop" and parent is not whole:
            del parent[key]
        else:
            at = draw(st.text(max_size=6)) if action == "add" and isinstance(parent, dict) else key
            parent[at] = deepcopy(draw(_leaf))
    return whole[0]


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
    name = draw(st.sampled_from(list(parts)))
    if parts[name][:1] == b"{" and draw(st.booleans()):
        parts[name] = draw(_document([parts[name]], "json"))
    else:
        parts[name] = draw(_bytes([parts[name], *parts.values()]))
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


def give_each(inputs: st.SearchStrategy[Any], count: int, seed: int, give: Callable[[Any], None]) -> None:
    """Draw so many inputs and give each."""

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        phases=[hypothesis.Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(inputs)
    def run(one: Any) -> None:
        give(one)

    run()
