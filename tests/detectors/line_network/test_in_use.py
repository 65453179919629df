"""A model of the line network where models are used: fleet, service, monitor."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("anomalib")

from toothwise import Model, Monitor
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.healthmap.io import write_map
from toothwise.simulate.maps import generate

pytestmark = pytest.mark.full  # its threshold takes five trainings more
SHAPE = (12, 17)


def maps(count, *, faulty=False, seed=0):
    values = generate("C", count, faulty, seed=seed, shape=SHAPE, contrast=(2.5, 3.0))[0]
    axes = Axis.teeth("driving tooth", SHAPE[0]), Axis.teeth("driven tooth", SHAPE[1])
    return HealthMapBatch(values, *axes, pd.DataFrame(index=range(count)))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    small = {"max_steps": 4, "dim": 4, "blocks": 1, "lengths": [4, 9], "batch_size": 8}
    model = Model.fit(maps(48), detector="line_network", options=small)
    return model.save(tmp_path_factory.mktemp("line") / "model")


def test_a_fleet_scores_as_the_detector_does(saved, tmp_path):
    pytest.importorskip("pyarrow.parquet")
    from toothwise.fleet.options import ScoreOptions
    from toothwise.fleet.run import score_fleet

    test = maps(10, faulty=True, seed=5)
    (tmp_path / "in").mkdir()
    for k, one in enumerate(test):
        write_map(one, tmp_path / "in" / f"{k}.npz")
    score_fleet(str(saved), str(tmp_path / "in"), str(tmp_path / "out"), ScoreOptions(workers=0, batch=4))
    rows = pd.concat(pd.read_parquet(p) for p in sorted((tmp_path / "out").rglob("*.parquet")))
    found = Model.open(saved).detector.predict(test.values)
    np.testing.assert_allclose(np.sort(rows["score"]), np.sort(found.score), rtol=1e-5)


def test_the_service_answers_as_the_detector_does(saved):
    pytest.importorskip("fastapi")
    from starlette.testclient import TestClient

    from toothwise.serving.app import create_app
    from toothwise.serving.limits import Limits
    from toothwise.serving.service import Service

    test = maps(3, faulty=True, seed=5)
    with TestClient(create_app(Service.open(saved), Limits()), base_url="http://127.0.0.1") as client:
        answer = client.post("/v1/diagnose/batch", json={"maps": [{"values": v.tolist()} for v in test.values]})
    assert answer.status_code == 200, answer.text
    found = Model.open(saved).detector.predict(test.values)
    np.testing.assert_allclose([r["score"] for r in answer.json()["results"]], found.score, rtol=1e-4)


def test_a_monitor_turns_red_where_teeth_are_damaged_and_not_before(saved):
    model = Model.open(saved)
    assert Monitor(model).add(maps(6, seed=8)).colour != "RED"
    batch = maps(6, seed=8)
    values = batch.values.copy()
    values[:, 4] *= 3.0
    found = Monitor(model).add(HealthMapBatch(values, batch.rows, batch.columns))
    assert (found.colour, found.tooth) == ("RED", 4)
