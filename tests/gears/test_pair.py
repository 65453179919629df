"""Tooth arithmetic of a pair, against counting by hand."""

from math import gcd, lcm

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toothwise import GearPair
from toothwise.errors import InputError

teeth = st.integers(3, 60)


def test_a_hunting_pair():
    pair = GearPair(18, 35)
    assert pair.ratio == pytest.approx(35 / 18)
    assert pair.assembly_phases == 1
    assert pair.hunting_period == 630
    assert pair.hunting_revolutions == 35
    assert pair.events_per_revolution() == 18
    assert pair.events_per_revolution("driven") == pytest.approx(35)


@given(teeth, teeth, st.integers(0, 59), st.integers(0, 59))
def test_pairs_are_visited_once_per_hunting_period(driving, driven, i, j):
    pair = GearPair(driving, driven)
    start = (i % driving, j % driven)
    met = np.zeros((driving, driven), dtype=int)
    for m in range(pair.hunting_period):
        met[pair.pair_at(m, start)] += 1
    assert met.max() == 1
    assert met.sum() == lcm(driving, driven) == driving * driven // gcd(driving, driven)
    assert pair.pair_at(pair.hunting_period, start) == start
    assert pair.pair_at(-1, start) == ((start[0] - 1) % driving, (start[1] - 1) % driven)


@pytest.mark.parametrize("bad", [2, 0, -5, 17.5, "18", True])
def test_impossible_teeth(bad):
    with pytest.raises(InputError, match="driven must be a whole number, 3 or more"):
        GearPair(18, bad)


def test_unknown_shaft():
    with pytest.raises(InputError, match="shaft must be one of 'driving', 'driven', but got 'sun'"):
        GearPair(18, 35).events_per_revolution("sun")
