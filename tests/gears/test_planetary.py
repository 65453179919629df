"""Planetary stages: coaxiality, spacing, kinematics (Willis) and the sequence of planet teeth."""

import warnings

import numpy as np
import pytest

from toothwise import PlanetaryStage
from toothwise.errors import GearWarning, InputError


def test_a_standard_stage_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stage = PlanetaryStage(sun=30, planet=30, ring=90, planets=3)
    np.testing.assert_allclose(stage.spacing, [0, 1 / 3, 2 / 3])


def test_profile_shifted_stages_are_accepted_with_a_warning():
    with pytest.warns(GearWarning, match="profile-shifted"):
        PlanetaryStage(31, 31, 95)
    with pytest.warns(GearWarning, match="unequally spaced"):
        stage = PlanetaryStage(27, 35, 99, planets=4)
    slots = stage.spacing * (27 + 99)
    np.testing.assert_allclose(slots, np.round(slots))
    assert np.abs(stage.spacing - np.arange(4) / 4).max() <= 0.5 / 126 + 1e-12


@pytest.mark.parametrize(
    ("teeth", "reason"),
    [
        ((31, 31, 96, 3), r"ring must have sun \+ 2 planet = 93 teeth"),
        ((20, 60, 140, 4), "do not fit around a sun of 20"),
        ((30, 30, 90, 0), "planets must be a whole number"),
        ((30, 2, 34, 3), "planet must be a whole number, 3 or more"),
    ],
)
def test_impossible_stages(teeth, reason):
    with pytest.raises(InputError, match=reason):
        PlanetaryStage(*teeth)


def test_speeds_obey_willis():
    stage = PlanetaryStage(30, 30, 90)
    speeds = stage.shafts
    assert speeds["carrier"] == pytest.approx(1 / stage.ratio) == pytest.approx(0.25)
    # relative to the carrier the ring turns by -carrier, the sun by sun - carrier
    ring_relative, sun_relative = -speeds["carrier"], speeds["sun"] - speeds["carrier"]
    assert sun_relative / ring_relative == pytest.approx(-90 / 30)
    assert speeds["planet"] * 30 == pytest.approx(speeds["carrier"] * 90)
    assert stage.events_per_revolution() == pytest.approx(90)
    assert stage.events_per_revolution("sun") == pytest.approx(0.25 * 90)
