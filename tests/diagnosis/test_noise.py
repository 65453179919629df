"""Maps whose cells scatter further than healthy ones: no tooth, and no all-clear where nothing could be seen."""

import numpy as np
import pytest

import toothwise
from toothwise.diagnosis.store import MemoryStore
from toothwise.fleet.reading import Block
from toothwise.fleet.scoring import score_block
from toothwise.model.scores import score_rows
from toothwise.serving.service import Job, Service
from toothwise.simulate.maps import generate

SHAPES = {"A": (12, 17), "B": (18, 35), "D": (17, 23)}


def healthy(domain, n, seed):
    return generate(domain, n, False, seed=seed, shape=SHAPES[domain])[0].astype(np.float64)


def scattered(maps, times, seed):
    """Maps whose cells scatter so many times as far."""
    own = np.log(maps).std() * np.sqrt(times**2 - 1.0)
    return maps * np.exp(own * np.random.default_rng(seed).standard_normal(maps.shape))


def added(maps, times, seed):
    """Maps with noise in every cell, so many times their standard deviation."""
    return maps + times * maps.std() * np.abs(np.random.default_rng(seed).standard_normal(maps.shape))


LEARNED = [("B", "scan_learned"), ("A", "line_network")]
LONG = [pytest.param(("D", detector), marks=pytest.mark.full) for detector in ("scan", "scan_learned")]


@pytest.fixture(scope="module", params=[("A", "scan"), ("B", "scan"), *LEARNED, *LONG], ids="-".join)
def watched(request):
    domain, detector = request.param
    options = {"max_steps": 1, "dim": 4, "blocks": 1} if detector == "line_network" else {}
    return domain, toothwise.Monitor(toothwise.Model.fit(healthy(domain, 40, 5), detector=detector, options=options))


@pytest.mark.parametrize(("noise", "times"), [(scattered, 2.0), (scattered, 3.0), (scattered, 10.0), (added, 10.0)])
def test_scattered_cells_are_no_tooth_and_no_all_clear(watched, noise, times):
    domain, monitor = watched
    maps = noise(healthy(domain, 8, 6), times, 7)
    found = monitor.beside(MemoryStore()).add(maps)
    assert found.colour in ("UNKNOWN", "AMBER", "GREEN" if times == 2.0 else "UNKNOWN")
    assert found.tooth is None
    assert found.colour != "UNKNOWN" or "GREEN" not in {rule.now for rule in found.rules.values()}
    each = monitor.alone(monitor.model.maps_of(maps)[0])
    assert "RED" not in {one.colour for one in each}
    unknown = [one for one in each if one.colour == "UNKNOWN"]
    assert len(unknown) >= (7 if times > 2.0 else 1)
    assert all("scatter of the map's cells" in str(one.unknown_because) for one in unknown)


@pytest.mark.parametrize("times", [1.0, 1.2, 2.5])
def test_a_loud_tooth_is_named_in_scattered_cells_too(watched, times):
    domain, monitor = watched
    maps = scattered(healthy(domain, 8, 8), times, 9)
    maps[:, 3] *= 8.0
    found = monitor.beside(MemoryStore()).add(maps)
    assert (found.colour, found.gear, found.tooth) == ("RED", "driving", 3)


def test_usual_maps_are_on_the_healthy_scale_and_a_line_does_not_change_that(watched):
    domain, monitor = watched
    maps, detector = healthy(domain, 30, 10), monitor.model.detector
    assert (detector.scatter_ratio(maps) == 1.0).mean() >= 0.9
    loud = maps.copy()
    loud[:, 3] *= 5.0
    loud[:, :, 4] *= 5.0
    # whitened lines reach into the teeth beside them, of twelve teeth and seventeen the most
    least = 0.06 if detector.name == "scan" and detector.options["noise"] == "independent" else 0.25
    np.testing.assert_allclose(detector.scatter_ratio(loud), detector.scatter_ratio(maps), atol=least)
    assert 5.0 < detector.scatter_ratio(scattered(maps, 10.0, 11)).mean() < 20.0


def test_predict_service_and_fleet_say_so_too(watched):
    domain, monitor = watched
    model, threshold = monitor.model, monitor.threshold()
    maps = np.concatenate([healthy(domain, 1, 12), scattered(healthy(domain, 2, 12)[1:], 5.0, 13)]).astype(np.float32)
    batch, score = model.maps_of(maps)[0], model.predict(maps).score
    from toothwise.detectors.outside import mark_noise

    rows = score_rows(
        mark_noise(batch, model.detector, score, lambda: threshold), model.detector.predict(batch), threshold
    )
    block = Block("maps.npz", np.arange(2), maps, [None, None], {"id": [None, None]})
    fleet = score_block(model.detector, block, threshold, ()).column("alarm").to_pylist()
    served = [one["alarm"] for one in Service(model).answer([Job(maps, ("a", "b"))])[0]]
    assert [row["alarm"] for row in rows] == fleet == served == [False, None]


def test_a_folder_that_knows_no_widest_map_judges_as_before(tmp_path):
    maps = healthy("A", 30, 14)
    detector = toothwise.Model.fit(maps).detector
    state = {name: value for name, value in detector._state().items() if not name.startswith("widest")}
    before = type(detector)(**detector.options)
    before.shape = detector.shape
    before._restore(state)
    np.testing.assert_allclose(before.predict(maps).score, detector.predict(maps).score)
    assert (before.scatter_ratio(scattered(maps, 5.0, 1)) == 1.0).all()


@pytest.mark.parametrize("factor", [3.0, 0.2])
def test_a_tooth_that_rises_after_the_level_changed_is_named(watched, factor):
    domain, monitor = watched
    maps = healthy(domain, 40, 15)
    maps[8:] *= factor
    before = monitor.beside(MemoryStore()).add(maps)
    assert (before.colour, before.pattern) == ("AMBER", "sensor or condition changed")
    maps[20:, 5] *= 2.7
    found = monitor.beside(MemoryStore()).add(maps)
    assert (found.colour, found.gear, found.tooth) == ("RED", "driving", 5)


def test_a_tooth_whose_last_records_are_healthy_again_is_not_said_to_be_going_bad(watched):
    domain, monitor = watched
    maps = healthy(domain, 90, 16)
    maps[20:60, 5] *= np.exp(np.linspace(0.0, 1.0, 40))[:, None]
    going, stopped = (monitor.beside(MemoryStore()).add(maps[:n]) for n in (60, 90))
    assert (going.colour, stopped.colour, going.tooth, stopped.tooth) == ("RED", "RED", 5, 5)
    assert "Driving tooth 5 is going bad" in going.sentence
    assert "going bad" not in stopped.sentence
    assert "Driving tooth 5 stood out" in stopped.sentence
    assert "its last 10 records look healthy" in stopped.sentence or stopped.held


def test_scatter_that_grows_in_a_run_is_no_condition():
    from toothwise.healthmap.tooth_by_record import RUN_SCAN

    maps = healthy("A", 40, 17)
    detector = toothwise.Model.fit(maps, detector="scan", options=RUN_SCAN).detector
    assert (detector.scatter_ratio(scattered(maps, 5.0, 18)) == 1.0).all()


def test_a_raised_tooth_is_not_said_to_look_healthy_whatever_its_evidence_is(watched):
    from dataclasses import replace

    from toothwise.diagnosis.sequence_words import words_of_sequence
    from toothwise.messages import say

    domain, monitor = watched
    maps = healthy(domain, 40, 19)
    maps[10:, 5] *= 2.0
    found = monitor.beside(MemoryStore()).add(maps)
    said = replace(found, held=True, messages=found.messages | {"back": (say("its records look healthy"),)})
    assert "is going bad" in str(words_of_sequence(said)["verdict"][0])
    assert "stood out" in str(words_of_sequence(replace(said, contrast=1.01))["verdict"][0])


def test_the_limits_of_single_maps_are_computed_only_for_scattered_ones(watched, monkeypatch):
    domain, monitor = watched
    one, asked = monitor.beside(MemoryStore()), []
    monkeypatch.setattr(one, "limits", lambda: asked.append(1) or monitor.limits())
    one.add(healthy(domain, 3, 20))
    assert not asked
    one.add(scattered(healthy(domain, 3, 21), 10.0, 22))
    assert asked


def test_maps_most_of_whose_cells_never_change_are_scored_as_they_were():
    maps = np.ones((40, 12, 17))
    maps[:, :3] = np.random.default_rng(23).lognormal(0.0, 0.3, (40, 3, 17))
    detector = toothwise.detectors.create("scan", lines="rows").fit(maps)
    loud = maps.copy()
    loud[:, 3] = 4.0
    assert (detector.scatter_ratio(loud) == 1.0).all()
    assert detector.predict(loud).score.min() > detector.predict(maps).score.max()
