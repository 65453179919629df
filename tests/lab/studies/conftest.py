from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

TOYS = '''
import os, time
import numpy as np
from toothwise.detectors.base import Detector, Prediction


class Quick(Detector):
    """Scores a map by its best row; may take its time."""

    name = "quick"

    def __init__(self, *, power=1.0, sleep=0.0):
        super().__init__(power=power, sleep=sleep)

    def _fit(self, values, progress):
        time.sleep(self.options["sleep"])

    def _predict(self, values, progress):
        heat = (values**self.options["power"]).astype(np.float32)
        rows = heat.mean(axis=2)
        return Prediction(score=rows.max(axis=1).astype(float), anomaly_map=heat, row_evidence=rows)

    def _state(self):
        return {"nothing": np.zeros(1)}

    def _restore(self, state):
        pass


class Dies(Quick):
    """Takes its process with it."""

    def _fit(self, values, progress):
        os._exit(7)


class Fails(Quick):
    def _fit(self, values, progress):
        raise ValueError("no luck\\ntoday")


class Hungry(Quick):
    def _fit(self, values, progress):
        self.hoard = [np.ones(2**22) for _ in range(200)]
'''


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with detectors of a user's own, which this process and those of trials can import."""
    folder = tmp_path_factory.mktemp("toys")
    (folder / "study_toys.py").write_text(TOYS)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), *([before] if before else [])])
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="session")
def image_sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public image sets where TOOTHWISE_DATA has them, else a few images of noise in their layout."""
    there = Path(os.environ.get("TOOTHWISE_DATA", ""))
    if (there / "kolektor_sdd").is_dir():
        return there
    from PIL import Image

    root, rng = tmp_path_factory.mktemp("sets"), np.random.default_rng(0)
    place = root / "kolektor_sdd"
    for folder in ("normal", "crack", "mask/crack"):
        (place / folder).mkdir(parents=True)
    for part in (*range(13), *range(17, 44)):  # numbers tell parts, but for some that count as one
        image = rng.integers(80, 160, (48, 48), dtype=np.uint8)
        Image.fromarray(image).save(place / "normal" / f"{8 * part:03d}.png")
        mask = np.zeros((48, 48), np.uint8)
        mask[20:23, 8:40] = 255
        cracked = np.where(mask > 0, 10, rng.integers(80, 160, (48, 48))).astype(np.uint8)
        Image.fromarray(cracked).save(place / "crack" / f"{8 * part + 1:03d}.png")
        Image.fromarray(mask).save(place / "mask" / "crack" / f"{8 * part + 1:03d}.png")
    return root


@pytest.fixture(scope="session")
def local_ray(toys: Path, image_sets: Path) -> Iterator[None]:
    """Ray with two places, started once for all tests that run trials in this process."""
    pytest.importorskip("ray")
    from toothwise_lab.studies.cluster import cluster
    from toothwise_lab.studies.config import Resources

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TOOTHWISE_DATA", str(image_sets))  # processes of trials have it from Ray's start
        started = cluster(None, Resources(), 2)
        started.__enter__()
    try:
        yield
    finally:
        started.__exit__(None, None, None)


@pytest.fixture
def write_study(tmp_path: Path) -> Callable[[str], Path]:
    """Write a study's YAML."""

    def write(text: str, name: str = "tiny.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write
