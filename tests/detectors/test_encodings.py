"""Encodings in files: found by content alone, whole or not at all, bounded."""

import os
import time

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from toothwise.detectors import encodings
from toothwise.detectors.encoder_cache import shared_encodings
from toothwise.detectors.encodings import EncodingFiles, training_encodings
from toothwise.progress import silent


class Encoder:
    """Counts what it computes."""

    def __init__(self, factor=1.0):
        self.factor, self.ran = factor, 0

    def __call__(self, images):
        self.ran += len(images)
        return [self.factor * images.flatten(1), self.factor * images.flatten(1) + 1]


@pytest.fixture
def images():
    return torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))


def test_what_another_process_left_is_used_and_the_numbers_are_the_same(tmp_path, images):
    encoder = Encoder()
    first = EncodingFiles(tmp_path).of(images, encoder, "a")
    again = EncodingFiles(tmp_path)
    second = again.of(images.flip(0), encoder, "a")
    assert encoder.ran == 4
    for one, two, exact in zip(first, second, Encoder()(images), strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, two.flip(0))
        torch.testing.assert_close(one, exact, atol=2e-3, rtol=1e-3)  # float16


def test_another_image_or_encoder_finds_nothing(tmp_path, images):
    cache = EncodingFiles(tmp_path)
    cache.of(images, Encoder(), "a")
    other = Encoder(2.0)
    found = cache.of(images, other, "b")
    assert other.ran == 4
    torch.testing.assert_close(found[0], 2 * images.flatten(1), atol=4e-3, rtol=1e-3)
    changed = images.clone()
    changed[2, 0, 0, 0] = torch.nextafter(changed[2, 0, 0, 0], torch.tensor(9.0))
    cache.of(changed, other, "b")
    assert other.ran == 5


def test_it_works_under_autocast(tmp_path, images):
    cache = EncodingFiles(tmp_path)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cache.of(images, Encoder())
        found = cache.of(images, Encoder())
    assert found[0].dtype == torch.float32


def test_a_file_cut_short_is_made_anew(tmp_path, images):
    encoder = Encoder()
    EncodingFiles(tmp_path).of(images, encoder)
    file = next(tmp_path.glob("*/*.npy"))
    file.write_bytes(file.read_bytes()[:-10])
    EncodingFiles(tmp_path).of(images, encoder)
    assert encoder.ran == 5
    EncodingFiles(tmp_path).of(images, encoder)
    assert encoder.ran == 5


def test_old_files_make_room_and_those_in_use_stay(tmp_path, images):
    size = 2 * 75 * 2
    EncodingFiles(tmp_path).of(images, Encoder(), "old")
    long_ago = time.time() - 1000
    for number, file in enumerate(sorted(tmp_path.glob("*/*.npy"))):
        os.utime(file, (long_ago + number, long_ago + number))
    bound = sum(f.stat().st_size for f in tmp_path.glob("*/*.npy")) + size
    cache = EncodingFiles(tmp_path, bound)
    encoder = Encoder()
    many = torch.randn(12, 3, 5, 5)
    for _ in range(2):
        cache.of(many, encoder, "new")
    assert sum(f.stat().st_size for f in tmp_path.glob("*/*.npy")) <= bound
    assert 12 < encoder.ran < 24  # some are held, and those are not driven out by the rest
    before = encoder.ran
    cache.of(many, encoder, "new")
    assert encoder.ran - before == before - 12


def test_values_that_float16_cannot_hold_are_not_held(tmp_path, images):
    encoder = Encoder(1e6)
    cache = EncodingFiles(tmp_path)
    cache.of(images, encoder)
    cache.of(images, encoder)
    assert encoder.ran == 8
    assert not list(tmp_path.glob("*/*.npy"))


def test_a_folder_that_cannot_be_written_costs_the_cache_only(tmp_path, images):
    place = tmp_path / "file"
    place.write_text("not a folder")
    encoder = Encoder()
    found = EncodingFiles(place).of(images, encoder)
    torch.testing.assert_close(found[0], images.flatten(1), atol=2e-3, rtol=1e-3)


def test_where_training_looks(tmp_path, images, monkeypatch):
    monkeypatch.delenv(encodings.VARIABLE, raising=False)
    with training_encodings() as cache:
        cache.of(images, Encoder())
        folder = cache.folder
        assert list(folder.glob("*/*.npy"))
    assert not folder.exists()
    monkeypatch.setenv(encodings.VARIABLE, str(tmp_path))
    with training_encodings() as cache:
        cache.of(images, Encoder())
    assert len(list(tmp_path.glob("*/*.npy"))) == 4
    with shared_encodings() as shared, training_encodings() as cache:
        assert cache is shared


def test_two_fits_share_the_encoder_and_their_weights_are_the_same(tmp_path, monkeypatch):
    pytest.importorskip("anomalib")
    from unittest import mock

    from toothwise import detectors
    from toothwise.detectors.encoder import FrozenEncoder

    monkeypatch.setenv(encodings.VARIABLE, str(tmp_path))
    maps = np.random.default_rng(0).uniform(0.5, 1.5, (8, 7, 9)).astype(np.float32)
    options = {"encoder_name": "test_vit", "weights": "random", "image_size": (32, 48), "max_steps": 3}
    options |= {"batch_size": 4, "precision": "bfloat16"}
    first = detectors.create("dinomaly_directional", **options).fit(maps)
    ran = []
    forward = FrozenEncoder.forward

    def counted(self, batch):
        ran.append(len(batch))
        return forward(self, batch)

    with mock.patch.object(FrozenEncoder, "forward", counted):
        second = detectors.create("dinomaly_directional", **options)
        second._fit(maps, silent)
    assert ran == []
    assert second.info["final_loss"] == first.info["final_loss"]
