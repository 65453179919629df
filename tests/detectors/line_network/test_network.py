"""The network starts as the learned likelihood of lines, whatever the map's shape, and sees a map as a torus."""

import numpy as np
import pytest

pytest.importorskip("anomalib")
import torch

from toothwise import detectors
from toothwise.detectors.line_likelihood import healthy_precision
from toothwise.detectors.line_network.options import ATTENTION
from toothwise.detectors.line_network.torch_model import LineNetworkModel
from toothwise.errors import InputError
from toothwise.simulate.maps import generate


def maps(n, seed, shape=(12, 17), faulty=False):
    return generate("C", n, faulty, seed=seed, shape=shape, contrast=1.4)[0]


def model_of(healthy, **options):
    x = np.log(healthy)
    model = LineNetworkModel(x.shape[1:], **options)
    model.learn_texture(healthy_precision(x), torch.from_numpy(x))
    return model.eval()


@pytest.mark.parametrize(("lines", "shape"), [("both", (12, 17)), ("rows", (20, 9)), ("columns", (7, 31))])
def test_before_training_it_says_what_scan_learned_says(lines, shape):
    healthy, test = maps(40, 0, shape), maps(6, 1, shape, faulty=True)
    scan = detectors.create("scan_learned", lines=lines).fit(healthy).predict(test)
    with torch.no_grad():
        found = model_of(healthy, lines=lines).judge(torch.from_numpy(np.log(test)))
    np.testing.assert_allclose(found.score, scan.score, atol=2e-3)
    for axis, evidence in ((1, scan.row_evidence), (2, scan.column_evidence)):
        assert (evidence is None) == (axis not in found.lines)
        if evidence is not None:
            np.testing.assert_allclose(found.lines[axis], evidence, atol=2e-3)


def test_cells_of_a_line_have_the_evidence_and_its_contrast_is_measured():
    healthy = maps(200, 0)
    test = healthy[:60].copy()
    test[:, 5, 3:14] *= 1.5
    model = model_of(healthy[60:])
    with torch.no_grad():
        found = model.judge(torch.from_numpy(np.log(test)))
    where = found.cells.mean(dim=0).numpy()
    inside = np.zeros_like(where, dtype=bool)
    inside[5, 3:14] = True
    assert where[inside].min() > np.delete(where, 5, axis=0).max() + 5
    assert where[inside].min() > where[5, [0, -1]].max()
    contrast, spread = found.likeliest()
    assert float(contrast.mean()) == pytest.approx(np.log(1.5), rel=0.2)
    assert 0 < float(spread.mean()) < 0.5 * float(contrast.mean())


def test_a_cell_has_the_evidence_of_the_best_segment_that_covers_it():
    healthy = maps(40, 0)
    model = model_of(healthy, lines="rows", lengths=(2, 5, 17), teeth=2)
    whitened = 0.5 * torch.from_numpy(np.random.default_rng(0).standard_normal((2, 12, 17)).astype("f4"))
    with torch.no_grad():
        found = model.evidence(whitened).cells.numpy()
    y = whitened.clamp(-model.evidence.clip, model.evidence.clip).double().numpy()
    wanted = np.full(y.shape, -np.inf)
    for s in model.evidence.segments[1]:
        band = sum(y[:, t : 12 - s.teeth + 1 + t] for t in range(s.teeth)) * s.step
        if s.dark is not None:
            band = np.maximum(band + s.bright - s.half / s.length, s.dark)
        for row in range(12 - s.teeth + 1):
            for at in range(17 - s.length + 1):
                total = band[:, row, at : at + s.length].sum(axis=1)
                ratio = np.max([m * total - s.taken(m) for m in s.multiples], axis=0) + s.weight
                part = wanted[:, row : row + s.teeth, at : at + s.length]
                np.maximum(part, ratio[:, None, None], out=part)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("attention", ATTENTION)
def test_it_is_small_and_what_it_adds_turns_with_the_teeth(attention):
    healthy = maps(30, 0)
    torch.manual_seed(0)
    model = model_of(healthy, attention=attention)
    assert sum(p.numel() for p in model.parameters()) <= 100_000
    for layer in (model.cell_head, *(head.layers[-1] for head in model.line_heads.values())):
        torch.nn.init.normal_(layer.weight)
    x = torch.from_numpy(np.log(maps(2, 3)))

    def added(values):
        with torch.no_grad():
            whole = model.judge(values).cells
            model.gain.fill_(0.0)
            start = model.judge(values).cells
            model.gain.fill_(1.0)
        return whole - start

    np.testing.assert_allclose(added(x.roll((4, 7), (1, 2))), added(x).roll((4, 7), (1, 2)), atol=1e-4)


def test_missing_pairs_count_for_nothing():
    healthy = maps(40, 0)
    model = model_of(healthy)
    x = torch.from_numpy(np.log(maps(4, 3)))
    x[:, 3, 5:9] = torch.nan
    with torch.no_grad():
        found = model.judge(x)
    assert torch.isfinite(found.score).all()
    assert torch.isfinite(found.cells).all()
    assert (found.score < 5).all()


def test_what_is_not_allowed_is_refused():
    for options, says in (
        ({"attention": "diagonal"}, "attention must be one of 'both', 'x'"),
        ({"heads": 3}, "heads must divide dim"),
        ({"blocks": 0}, "blocks must be a whole number"),
        ({"keep": "some"}, "keep must be one of 'helpful', 'all'"),
        ({"max_steps": 0}, "max_steps must be a whole number, 1 or more"),
        ({"batch_size": 1}, "batch_size must be a whole number, 2 or more"),
    ):
        with pytest.raises(InputError, match=says):
            detectors.create("line_network", **options)
    with pytest.raises(InputError, match="needs 20 healthy maps or more, but got 19"):
        detectors.create("line_network").fit(maps(19, 0))
