"""Ray as studies use it: nobody else can reach it, a cluster by its address, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("ray")

STUDY = "base: {detector: mean, n_train: 16, n_test: 32}\nseeds: 2\n"
LISTENERS = """
import sys
from pathlib import Path
from toothwise_lab.studies.cluster import cluster
from toothwise_lab.studies.config import Resources

def listening():
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if state == "0A":
                found.add(local.rpartition(":")[0] + " " + local.rpartition(":")[2])
    return found

before = listening()
note = Path(sys.argv[1])
with cluster(None, Resources(), 1, note=note):
    import ray
    ray.get(ray.remote(lambda: 1).remote())
    folder = Path(note.read_text())
    assert folder.is_dir()
    new = listening() - before
assert not folder.exists() and not note.exists()
print(sorted({each.split()[0] for each in new}))
"""
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_local_ray_listens_on_the_loopback_address_alone(tmp_path):
    """Another process that starts to listen meanwhile would be taken for Ray; hence not among the short tests."""
    words = [sys.executable, "-c", LISTENERS, str(tmp_path / "note")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found = set(json.loads(done.stdout.strip().splitlines()[-1].replace("'", '"')))
    assert found
    assert found <= LOOPBACK


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="ends the cluster by its process group")
def test_a_study_runs_on_a_cluster_by_its_address(tmp_path):
    study = tmp_path / "tiny.yaml"
    study.write_text(STUDY)
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
    environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    ray = str(Path(sys.executable).with_name("ray"))
    options = ["--head", "--block", "--port=6399", "--num-cpus=1", "--include-dashboard=false"]
    head = subprocess.Popen(
        [ray, "start", *options, f"--temp-dir={tmp_path.parent.parent / 'ray'}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        words = ["study", "run", str(study), "--output", str(tmp_path / "out"), "--tracking", "none", "--json"]
        words += ["--address", "127.0.0.1:6399"]
        for _ in range(4):
            time.sleep(3)
            done = subprocess.run(
                [sys.executable, "-m", "toothwise", *words],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            if done.returncode == 0:
                break
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["done"] == 2
    finally:
        os.killpg(head.pid, signal.SIGKILL)
        head.wait()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:9", "Ray cannot be reached at 127.0.0.1:9"),
        ("ray://127.0.0.1:9", "Ray cannot be reached at ray://127.0.0.1:9"),
        ("head", "a cluster's address is 'auto', HOST:PORT or ray://HOST:PORT, but got 'head'"),
    ],
)
def test_a_cluster_that_is_not_there(toothwise, tmp_path, address, told):
    study = tmp_path / "tiny.yaml"
    study.write_text(STUDY)
    words = ("--output", tmp_path / "out", "--tracking", "none", "--address", address)
    run = toothwise("study", "run", study, *words)
    assert (run.code, told in run.err) == (2, True)
