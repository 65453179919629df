"""A healthy baseline for each bin of a condition."""

import numpy as np
import pandas as pd
import pytest

from toothwise.diagnosis import Monitor
from toothwise.diagnosis.rules import chosen_settings
from toothwise.errors import InputError
from toothwise.model import Model
from toothwise.reference.records import bin_names, parse_bins


def test_bins_in_words():
    bins = parse_bins(["load=0.5,0.8", "speed=10"])
    condition = {"load": np.array([0.4, 0.5, 0.9]), "speed": np.array([5.0, 10.0, 11.0])}
    assert bin_names(condition, bins, 3).tolist() == [
        "load below 0.5, speed below 10",
        "load 0.5 to 0.8, speed 10 or more",
        "load 0.8 or more, speed 10 or more",
    ]
    for word in ("load=", "load=b", "load=2,1", "colour=1", "colour"):
        with pytest.raises(InputError, match="--bins takes"):
            parse_bins([word])


def test_bins_without_edges_are_where_healthy_records_leave_gaps(fitted):
    rng = np.random.default_rng(3)
    speed = np.where(np.arange(60) % 2, 40.0, 20.0) * rng.uniform(0.99, 1.01, 60)
    x = fitted.log_maps(60, 3)
    x[:, 4] += np.where(speed > 30.0, 0.6, 0.0)[:, None]  # a tooth that is louder at speed, of a sound gear
    table = pd.DataFrame({"speed": speed, "load": 1.0})
    model = Model.fit(fitted.as_batch(fitted.as_maps(x), table))
    monitor = Monitor(model, chosen_settings(bins=["speed", "load"]))
    assert list(monitor.settings.bins) == ["speed"]  # one load is no bin
    assert 25.0 < monitor.settings.bins["speed"][0] < 35.0
    found = monitor.add(fitted.as_batch(fitted.as_maps(x[1::2]), table[1::2].reset_index(drop=True)))
    assert (found.colour, found.unjudged) == ("GREEN", 0)
    with pytest.raises(InputError, match="--bins temperature: the healthy maps' table does not state"):
        Monitor(model, {"bins": {"temperature": ()}})
