"""Hostile inputs to ``toothwise serve`` while others are answered; results/hostile.json.

    python benchmarks/hostile.py                                        # every kind and 600 mutations, some minutes
    python benchmarks/hostile.py --mutations 30 --output try.json

Every named kind is sent twice at once, to as many workers as there are; then mutations of options, of nested forms
and of compressed text, two at a time. Meanwhile a thread asks for the health of the service all the time, another one
sends a correct map, and a third adds up the memory of all processes. Counted are answers by status, the longest health
check, the longest correct request, the most memory and what is left of it after 5 s, and how long SIGTERM takes with
both workers busy. Exit code 1 where a status is none of 200, 400, 408, 413, 415, 422, 429 and
503, or a bound is passed.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from fuzzing.mutate import damaged, give_each
from hypothesis import strategies as st
from measuring.command import arguments, save
from measuring.service import served

from toothwise import GearPair, MapBuilder, Model
from toothwise.simulate.maps import generate
from toothwise.vibration.readers.write import write_record
from toothwise.vibration.records import Tachometer, VibrationRecord

PAIR = GearPair(9, 14)
LIMITS = {"workers": 2, "worker-cpu-seconds": 3, "worker-megabytes": 700, "seconds": 12}
ALLOWED = {200, 400, 408, 413, 415, 422, 429, 503}
BOUNDS = {"health_s": 0.5, "correct_s": 5.0, "memory_mib": 2 * 700 + 300, "left_mib": 150, "sigterm_s": 12 + 5}
Sent = tuple[str, dict[str, Any]]  # kind, and what httpx posts


def npz(**arrays: Any) -> bytes:
    """An npz file."""
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def recording(times: np.ndarray | None = None, rate: float = 4096.0, **tacho: Any) -> bytes:
    """20 s of a sine with one pulse per revolution, or with what a stranger says of it."""
    vibration = np.sin(2 * np.pi * 108 * np.arange(20 * 4096) / 4096).astype(np.float32)
    pulses = Tachometer(values=np.arange(0, 20, 1 / 12) if times is None else times, kind="times", **tacho)
    with tempfile.TemporaryDirectory() as folder:
        record = VibrationRecord(channels={"acc": vibration}, sampling_rate=rate, tacho=pulses)
        return write_record(record, Path(folder) / "r.npz").read_bytes()


def groups() -> bytes:
    """HDF5 groups within groups, and a link to the top."""
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        group = file
        for _ in range(3000):
            group = group.create_group("g")
        for k in range(3000):
            group.create_group(f"g{k}")
        group["x"] = h5py.SoftLink("/")
    return out.getvalue()


def file(name: str, content: bytes, **fields: str) -> dict[str, Any]:
    """A recording as a form."""
    return {"files": [("record", (name, content))], "data": fields}


def text(body: str | bytes) -> dict[str, Any]:
    """A body that says it is JSON."""
    return {"content": body, "headers": {"content-type": "application/json"}}


KINDS: dict[str, Callable[[], dict[str, Any]]] = {
    "nested HDF5 groups": lambda: file("r.h5", groups()),
    "one endless line, gzip": lambda: file("r.csv.gz", gzip.compress(b"12;" * 9_000_000)),
    "120 million lines, gzip": lambda: file("r.csv.gz", gzip.compress(b"1\n" * 120_000_000, 1)),
    "500 million letters, gzip": lambda: file("r.csv.gz", gzip.compress(b"a" * 500_000_000, 1)),
    "a billion revolutions": lambda: file("r.npz", recording(np.arange(3_000_000) * 6e-6)),
    "sampling rate 1e300": lambda: file("r.npz", recording(rate=1e300)),
    "ratio 9,000": lambda: file("r.npz", recording(ratio=9_000.0)),
    "1e-5 pulses per revolution": lambda: file("r.npz", recording(pulses_per_revolution=1e-5)),
    "200 million zeros, npz": lambda: file("r.npz", npz(vibration=np.zeros(200_000_000, np.int8))),
    "empty lists, 8 MB of JSON": lambda: text('{"values": [' + "[]," * 2_600_000 + "[]]}"),
    "a million maps": lambda: text('{"maps": [' + '{"values":[[1]]},' * 400_000 + '{"values":[[1]]}]}'),
    "nested JSON, 60 kB": lambda: text('{"values": ' + "[" * 30_000 + "]" * 30_000 + "}"),
    "nested form": lambda: file("r.npz", b"", read="[" * 30_000 + "]" * 30_000),
}


def mutations(count: int, seed: int) -> list[Sent]:
    """Options, nested forms and compressed text, damaged as ``fuzz.py`` damages files."""
    options = {"ratio": 1.0, "pulses_per_revolution": 1.0, "sampling_rate": 4096.0, "channels": ["acc"], "tacho": "x"}
    body = {"maps": [{"values": [[1.0, 2.0]], "record": "a"}], "include": ["evidence"]}
    lines = gzip.compress(b"time;acc\n" + b"1;2\n" * 100_000, 1)
    good = recording()
    sent = (
        (
            "options",
            json.dumps(options).encode(),
            "json",
            lambda it: file("r.npz", good, read=it.decode(errors="replace")),
        ),
        ("options", good, "npz", lambda it: file("r.npz", it)),
        ("nested", json.dumps(body).encode(), "json", text),
        ("compressed", lines, "gzip", lambda it: file("r.csv.gz", it)),
    )
    drawn = [st.tuples(st.just(kind), damaged([valid], [inside]).map(how)) for kind, valid, inside, how in sent]
    found: list[Sent] = []
    give_each(st.one_of(drawn), count, seed, found.append)
    return found


def family(pid: int) -> float:
    """Memory of a process and all below it in MiB; what they share counts once."""
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            total += int(re.findall(r"Pss: +(\d+)", Path(f"/proc/{one}/smaps_rollup").read_text())[0]) / 1024
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return total


class Watch:
    """Asks for health and sends correct maps all the time, and keeps the worst of everything."""

    def __init__(self, address: str, pid: int, good: list[Any]) -> None:
        self.worst = {"health_s": 0.0, "correct_s": 0.0, "memory_mib": 0.0}
        self.count, self.wrong, self.over = Counter[str](), [], threading.Event()
        self.threads = [
            threading.Thread(target=self._ask, args=("health_s", lambda c: c.get("/healthz"), address)),
            threading.Thread(
                target=self._ask, args=("correct_s", lambda c: c.post("/v1/diagnose", json={"values": good}), address)
            ),
            threading.Thread(target=self._weigh, args=(pid,)),
        ]

    def __enter__(self) -> Watch:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _ask(self, name: str, ask: Callable[[httpx.Client], httpx.Response], address: str) -> None:
        with httpx.Client(base_url=address, timeout=60) as client:
            while not self.over.wait(0.05):
                begin = time.monotonic()
                answer = ask(client)
                self.worst[name] = max(self.worst[name], time.monotonic() - begin)
                self.count[name] += 1
                if answer.status_code != 200:
                    self.wrong.append(f"{name}: {answer.status_code} {answer.text[:200]}")

    def _weigh(self, pid: int) -> None:
        while not self.over.wait(0.2):
            self.worst["memory_mib"] = max(self.worst["memory_mib"], family(pid))


def main() -> int:
    """Attack, count, write."""
    given = arguments(__doc__, mutations=600, seed=0)
    healthy, _ = generate("C", 60, faulty=False, seed=0, shape=PAIR.axes[0][1:] + PAIR.axes[1][1:])
    words = [str(word) for name, value in LIMITS.items() for word in (f"--{name}", value)]
    with tempfile.TemporaryDirectory() as folder:
        model = replace(Model.fit(healthy), builder=MapBuilder(PAIR)).save(Path(folder) / "model")
        with served(model, *words) as (process, address):
            result = attack(process, address, healthy[0].tolist(), mutations(given.mutations, given.seed))
    save(given, result, limits=LIMITS, bounds=BOUNDS)
    print(json.dumps({name: value for name, value in result.items() if name != "kinds"}, indent=2))
    return 0 if result["passed"] else 1


def attack(process: subprocess.Popen[str], address: str, good: list[Any], drawn: list[Sent]) -> dict[str, Any]:
    """All kinds and mutations against one service, then SIGTERM."""

    def post(sent: Sent) -> tuple[str, int, float, str]:
        begin = time.monotonic()
        with httpx.Client(base_url=address, timeout=60) as client:
            answer = client.post("/v1/diagnose/batch" if b'"maps"' in _head(sent[1]) else "/v1/diagnose", **sent[1])
        return sent[0], answer.status_code, time.monotonic() - begin, answer.text[:200]

    for sent in [("warm", file("a.wav", b"")), ("warm", text(json.dumps({"values": good})))]:
        post(sent)  # what is loaded late is loaded now
    before = family(process.pid)
    with Watch(address, process.pid, good) as watch, ThreadPoolExecutor(2) as pool:
        answers = []
        for name, make in KINDS.items():
            body = make()
            answers += list(pool.map(post, [(name, body)] * 2))
        answers += list(pool.map(post, drawn))
        watch_left = time.monotonic() + 5
    left = family(process.pid) - before
    while left > BOUNDS["left_mib"] and time.monotonic() < watch_left:
        time.sleep(0.1)
        left = family(process.pid) - before
    names = ("one endless line, gzip", "120 million lines, gzip")
    busy = [threading.Thread(target=_quiet, args=(post, (name, KINDS[name]())), daemon=True) for name in names]
    for thread in busy:
        thread.start()
    time.sleep(1.0)
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    worst = {**watch.worst, "left_mib": left, "sigterm_s": time.monotonic() - begin}
    statuses = {kind: Counter(s for k, s, *_ in answers if k == kind) for kind in dict.fromkeys(a[0] for a in answers)}
    wrong = [f"{kind}: {status} {words}" for kind, status, _, words in answers if status not in ALLOWED] + watch.wrong
    slow = max(seconds for _, _, seconds, _ in answers)
    return {
        "kinds": {kind: {str(s): n for s, n in sorted(found.items())} for kind, found in statuses.items()},
        "attacks": len(answers),
        "asked_meanwhile": dict(watch.count),
        "worst": {name: round(value, 3) for name, value in worst.items()} | {"attack_s": round(slow, 3)},
        "before_mib": round(before, 1),
        "wrong": wrong[:20],
        "passed": not wrong and all(worst[name] <= bound for name, bound in BOUNDS.items()),
    }


def _head(sent: dict[str, Any]) -> bytes:
    content = sent.get("content", b"")
    return content.encode()[:20] if isinstance(content, str) else content[:20]


def _quiet(post: Callable[[Sent], Any], sent: Sent) -> None:
    try:
        post(sent)
    except httpx.HTTPError:
        return


if __name__ == "__main__":
    sys.exit(main())
