"""Maps and batches of maps: what is kept when they are joined, cut, written and read."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from toothwise import GearPair, HealthMapBatch, read_map, write_map
from toothwise.errors import InputError
from toothwise.healthmap import Axis


def _batch(n, **more):
    values = np.random.default_rng(n).uniform(0.1, 1.0, (n, 3, 4))
    return HealthMapBatch(values, Axis.teeth("driving tooth", 3), Axis.teeth("driven tooth", 4), **more)


def test_waveforms_are_kept_by_maps_batches_and_files(tmp_path):
    batch = _batch(3)
    waveforms = np.random.default_rng(0).standard_normal((*batch.values.shape, 8)).astype(np.float32)
    batch = dataclasses.replace(batch, waveforms=waveforms)
    np.testing.assert_array_equal(batch[1].waveforms, waveforms[1])
    np.testing.assert_array_equal(batch[[0, 2]].waveforms, waveforms[[0, 2]])
    for name, one in (("a", batch), ("b", batch[1])):
        found = read_map(write_map(one, tmp_path / f"{name}.npz"))
        np.testing.assert_array_equal(found.waveforms, one.waveforms)
    np.testing.assert_array_equal(read_map(tmp_path).waveforms, np.concatenate([waveforms, waveforms[1:2]]))
    write_map(_batch(1)[0], tmp_path / "c.npz")
    assert read_map(tmp_path).waveforms is None
    with pytest.raises(InputError, match="a last axis of samples"):
        dataclasses.replace(batch, waveforms=waveforms[..., 0])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"quantity": "kurtosis of residual"}, "quantity .*'kurtosis of residual', but 'rms of residual'"),
        ({"quantity": "rms of residual", "unit": "m/s2"}, "unit .*'m/s2', but 'g'"),
        ({"gear": GearPair(4, 3)}, "gear"),
    ],
)
def test_maps_of_one_batch_are_of_one_kind(more, words):
    first = _batch(2, quantity="rms of residual", unit="g", gear=GearPair(3, 4))
    joined = HealthMapBatch.of([("a", first), ("plain", _batch(1))], _batch(3).table)  # says nothing of itself
    assert (len(joined), joined.unit) == (3, "g")
    with pytest.raises(InputError, match=f"b: the {words}"):
        HealthMapBatch.of([("a", first), ("b", _batch(1, **more))], first.table)
