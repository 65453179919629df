import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from toothwise.detectors.draem_sevnet.faults import SyntheticFaults
from toothwise.detectors.draem_sevnet.options import DraemOptions
from toothwise.errors import InputError
from toothwise.simulate.lines import LineShape


def _draw(n=64, size=(224, 224), seed=0, images=None, map_shape=None, line=None, **options):
    options = DraemOptions(**{"fault_probability": 1.0, "severity_max": 3.0, **options})
    images = torch.ones(n, 3, *size) if images is None else images
    return images, *SyntheticFaults(options, map_shape, line or LineShape())(images, np.random.default_rng(seed))


def _boxes(mask):
    """Height and width of the smallest box around each mask, and the pixels in it."""
    found = []
    for one in mask[:, 0].bool():
        rows, columns = torch.nonzero(one.any(1)), torch.nonzero(one.any(0))
        found.append((int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1, int(one.sum())))
    return np.array(found)


@pytest.mark.parametrize("size", [(224, 224), pytest.param((448, 112), marks=pytest.mark.full)])
def test_a_patch_is_a_landscape_rectangle_of_the_published_size(size):
    _, _, mask, _ = _draw(200, size)
    height, width, area = _boxes(mask).T
    np.testing.assert_array_equal(area, height * width)
    wide, tall = width * 224 / size[1], height * 224 / size[0]
    slack = 224 / size[1]
    assert wide.min() >= 20 - slack
    assert wide.max() <= 60 + slack
    assert wide.min() < 24
    assert wide.max() > 56
    ratio = tall / wide
    assert (ratio.min(), ratio.max()) == (pytest.approx(0.3, abs=0.05), pytest.approx(0.7, abs=0.05))
    tops = [int(torch.nonzero(m.any(1)).min()) for m in mask[:, 0].bool()]
    assert len(set(tops)) > 80  # anywhere


def test_a_patch_adds_severity_times_another_place_of_the_same_image():
    line = torch.arange(224.0, dtype=torch.float64)
    image = line[None, :] + 1000.0 * line[:, None] + 1.0  # every pixel tells its place
    images = image.expand(8, 3, -1, -1).clone()
    before, faulty, mask, severity = _draw(images=images)
    torch.testing.assert_close(images, before)
    elsewhere = 0
    for k in range(8):
        inside = mask[k, 0].bool()
        torch.testing.assert_close(faulty[k][:, ~inside], images[k][:, ~inside])
        source = (faulty[k, 0] - images[k, 0])[inside] / severity[k]
        offset = source - images[k, 0][inside]
        assert float(offset.max() - offset.min()) < 1e-6  # one shift for all pixels
        elsewhere += abs(float(offset[0])) > 0.5
    assert elsewhere >= 7


def test_on_an_even_image_both_kinds_rise_to_one_plus_severity():
    for options in ({"faults": "patch"}, {"faults": "lines", "lines": "both"}):
        _, faulty, mask, severity = _draw(32, (64, 96), **options)
        expected = 1.0 + severity[:, None, None, None] * mask
        torch.testing.assert_close(faulty, expected.expand_as(faulty))


def test_severity_is_even_in_its_range_and_probability_is_kept():
    for probability in (0.0, 0.5, 1.0):
        images, faulty, mask, severity = _draw(1500, (32, 32), fault_probability=probability)
        struck = severity > 0
        assert float(struck.float().mean()) == pytest.approx(probability, abs=0.04)
        torch.testing.assert_close(mask.amax(dim=(1, 2, 3)), struck.float())
        assert torch.equal(faulty[~struck], images[~struck])
        if probability:
            shares = np.histogram(severity[struck], bins=6, range=(0, 3))[0] / int(struck.sum())
            np.testing.assert_allclose(shares, 1 / 6, atol=0.05)


@pytest.mark.parametrize("kind", ["patch", "lines"])
def test_range_handling(kind):
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(16, 1, 64, 64, generator=rng).expand(-1, 3, -1, -1) + 0.2
    low, high = images.amin(dim=(1, 2, 3)), images.amax(dim=(1, 2, 3))
    made = {way: _draw(images=images, faults=kind, range_handling=way)[1] for way in ("keep", "clip", "rescale")}
    bright = {way: faulty.amax(dim=(1, 2, 3)) for way, faulty in made.items()}
    assert bool((bright["keep"] > 1.2 * high).float().mean() > 0.7)
    torch.testing.assert_close(made["clip"], torch.minimum(made["keep"], high[:, None, None, None]))
    torch.testing.assert_close(bright["rescale"], high)
    torch.testing.assert_close(made["rescale"].amin(dim=(1, 2, 3)), low)
    order = made["keep"][3].flatten().argsort()
    assert bool((made["rescale"][3].flatten()[order].diff() >= -1e-6).all())
    healthy = _draw(images=images, faults=kind, range_handling="rescale", fault_probability=0.0)[1]
    assert torch.equal(healthy, images)


@pytest.mark.parametrize("lines", ["rows", "columns"])
def test_lines_are_thin_have_gaps_and_run_where_they_should(lines):
    _, _, mask, _ = _draw(200, (31, 95), faults="lines", lines=lines)
    mask = mask if lines == "rows" else mask.transpose(2, 3)
    thick, length, area = _boxes(mask).T
    assert set(thick) == {1, 2}
    assert length.max() >= mask.shape[3] - 5
    assert length.min() < 10
    broken = area < thick * length
    assert 0.2 < broken.mean() < 0.9


def test_a_tooth_is_as_thick_as_in_a_resized_map():
    line = LineShape(teeth=(1, 1), length=(40, 60), gaps=(0, 0))
    _, faulty, mask, severity = _draw(
        40, (64, 192), faults="lines", map_shape=(16, 48 * 2), line=line, severity_max=1.0
    )
    thick, length, _ = _boxes(mask).T
    assert set(thick) <= {4, 5}
    assert length.min() >= 78
    peak = faulty.amax(dim=(1, 2, 3))
    torch.testing.assert_close(peak, 1.0 + severity, rtol=0.0, atol=0.13)  # resizing softens its edges


def test_same_generator_same_faults():
    a, b, other = (_draw(8, (32, 64), seed=seed)[1] for seed in (4, 4, 5))
    assert torch.equal(a, b)
    assert not torch.equal(a, other)


@pytest.mark.parametrize("shape", [(31,), (31, 2)])
def test_wrong_shapes(shape):
    with pytest.raises(InputError, match=r"map_shape must be .* 3 teeth or more"):
        SyntheticFaults(DraemOptions(), shape)
