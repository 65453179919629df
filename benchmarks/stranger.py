"""A stranger's first hour: new environments, the installation, and every command of every page, in order.

    python benchmarks/stranger.py                 # half an hour on two free cores; writes results/stranger.json
    python benchmarks/stranger.py --keep DIR      # environments in DIR; one that is there gets the package alone
    python benchmarks/stranger.py --only tutorial-pair index    # prints; with --output FILE joins the pages of FILE

Two environments: the base install, and one with the extras that pages say they need. Each page is followed in an empty
folder of its own, by the Python of the environment that it asks for, without network (a network namespace with the
loopback alone; where the system has none, proxies that lead nowhere). What a page marks as "not run" is counted.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring.command import arguments, save
from measuring.walk import needs, steps

from toothwise_lab.results import revision

ROOT = Path(__file__).parents[1]
WALK = ROOT / "benchmarks" / "measuring" / "walk.py"
SECONDS = 1500  # of a page
ISOLATE = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
NOWHERE = "http://127.0.0.1:9"


def size(folder: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def install(folder: Path, extras: list[str]) -> dict[str, Any]:
    """An environment with the package and these extras; one that is there gets the package alone."""
    begin, new = time.perf_counter(), not folder.exists()
    if new:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    what = f".[{','.join(extras)}]" if extras and new else "."
    more = ["-c", "constraints.txt"] if new else ["--no-deps", "--force-reinstall"]
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q", *more, what]
    done = subprocess.run(pip, cwd=ROOT, env=clean({}), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    seconds = round(time.perf_counter() - begin, 1)
    return {"extras": extras, "new": new, "seconds": seconds, "bytes": size(folder)}


def clean(more: dict[str, str]) -> dict[str, str]:
    """The variables that a stranger's shell has."""
    kept = ("PATH", "HOME", "LANG", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "PIP_CACHE_DIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | more


def follow(page: Path, environment: Path) -> dict[str, Any]:
    """Follow a page from an empty folder: what each step took and gave, and what lies there at the end."""
    isolated = shutil.which("unshare") and subprocess.run([*ISOLATE, "true"], capture_output=True, check=False)
    alone = ISOLATE if isolated and isolated.returncode == 0 else []
    with tempfile.TemporaryDirectory() as folder:
        env = clean({"PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOME": folder})
        env |= {} if alone else {"http_proxy": NOWHERE, "https_proxy": NOWHERE}
        here, begin = Path(folder) / "here", time.perf_counter()
        here.mkdir()
        command = [*alone, str(environment / "bin" / "python"), str(WALK), str(page)]
        command = ["timeout", str(SECONDS), *command]
        done = subprocess.run(command, cwd=here, env=env, capture_output=True, text=True, check=False)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode:
            error = f"exit code {done.returncode}: {done.stderr[-600:]}"
            rows.append({"run": True, "error": error, "seconds": 0.0, "code": "", "title": ""})
        for row in rows:
            said = row.pop("said", "")
            if row.get("as_shown") is False:
                row["said"] = said[-1500:]
        seconds = round(time.perf_counter() - begin, 1)
        return {
            "network": "none" if alone else "proxies to nowhere",
            "seconds": seconds,
            "bytes": size(here),
            "steps": rows,
        }


def main() -> int:
    """Install, follow, write; 1 where a command failed or printed something else than its page shows."""
    args = arguments(__doc__, keep=Path, only=[""])
    pages = [page for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))] if steps(page)]
    chosen = [page for page in pages if not any(args.only) or page.stem in args.only]
    extras = sorted({extra for page in pages for extra in needs(page)})
    with tempfile.TemporaryDirectory() as folder:
        envs = (args.keep or Path(folder)).resolve()
        result: dict[str, Any] = {"environments": {}, "pages": {}}
        if any(args.only) and args.output and args.output.exists():
            before = json.loads(args.output.read_text(encoding="utf-8"))
            result = before["result"]
            for found in result["pages"].values():
                found.setdefault("revision", before["revision"])
        for name, of in {"base": [], "extras": extras}.items():
            if any(bool(needs(page)) == bool(of) for page in chosen):
                made = install(envs / name, of)
                result["environments"].setdefault(name, made)
        for page in chosen:
            name = "extras" if needs(page) else "base"
            found = {"environment": name, "revision": revision(ROOT), **follow(page, envs / name)}
            result["pages"][str(page.relative_to(ROOT))] = found
            bad = [row for row in found["steps"] if row["error"] or row.get("as_shown") is False]
            print(f"{page.name:<26}{found['seconds']:7.1f} s  {len(bad)} of {len(found['steps'])} wrong", flush=True)
            for row in bad:
                print(f"    {row['code'].strip()[:300]}\n    {row['error'] or row['said'][:600]}", flush=True)
    rows = [row for page in result["pages"].values() for row in page["steps"]]
    ran = [row for row in rows if row["run"]]
    result["counts"] = {
        "pages": len(result["pages"]),
        "blocks": len(rows),
        "run": len(ran),
        "failed": sum(bool(row["error"]) for row in ran),
        "shown": sum(row.get("as_shown") is not None for row in ran),
        "shown_otherwise": sum(row.get("as_shown") is False for row in ran),
        "not_run": len(rows) - len(ran),
        "seconds": round(sum(page["seconds"] for page in result["pages"].values()), 1),
    }
    print(result["counts"])
    if args.output or not any(args.only):
        save(args, result, seconds_per_page=SECONDS)
    return int(result["counts"]["failed"] + result["counts"]["shown_otherwise"] > 0)


if __name__ == "__main__":
    sys.exit(main())
