"""Several sensors on one gearbox."""

from dataclasses import replace

import numpy as np
import pytest

from toothwise import GearPair, PlanetaryStage
from toothwise.errors import InputError
from toothwise.fields import from_mapping
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, Sensor, simulate_record
from toothwise.simulate.speed import SpeedProfile
from toothwise.simulate.stages import transmission_error

PAIR = GearboxConfig(GearPair(9, 14), periods=2, snr=None, sampling_rate=10_000.0)
STAGE = GearboxConfig(
    PlanetaryStage(15, 15, 45, 3), periods=2, snr=None, speed=SpeedProfile(10.0, "constant"), runout=(0.0, 0.0)
)


def test_sensors_of_a_pair_weigh_the_modes_and_hear_the_same_mesh():
    first, second = Sensor("a", weights=(1.0, 0.0)), Sensor("b", weights=(0.0, 1.0))
    record, _ = simulate_record(replace(PAIR, sensors=(first, second, Sensor("c"))), seed=1)
    assert list(record.channels) == ["a", "b", "c"]
    # the housing is linear: what all modes give is the sum of what each gives
    both = record.channel("a").astype(float) + record.channel("b")
    np.testing.assert_allclose(both, record.channel("c"), atol=1e-4 * np.std(both))


def test_another_sensor_leaves_the_first_one_as_it_was_and_has_a_noise_of_its_own():
    noisy = replace(PAIR, snr=10.0)
    alone = simulate_record(noisy, seed=1)[0]
    record = simulate_record(replace(noisy, sensors=(Sensor(), Sensor("other"))), seed=1)[0]
    np.testing.assert_array_equal(record.channel("vibration"), alone.channel())
    quiet = simulate_record(PAIR, seed=1)[0].channel().astype(float)
    one, other = (record.channel(name) - quiet for name in ("vibration", "other"))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.02


@pytest.mark.parametrize("angle", [0.0, 0.25, 0.6])
def test_a_sensor_hears_a_planet_loudest_where_it_is(angle):
    gears = PlanetaryStage(15, 15, 45, 1)
    config = replace(STAGE, gears=gears, sensors=(Sensor(angle=angle),), path=(0.2, 3.0))
    turned = np.arange(0.0, 30.0, 1e-3)
    flat = transmission_error(replace(config, path=(1.0, 0.0)), (), turned)[0]
    heard = transmission_error(config, (), turned)[0]
    expected = 0.2 + 0.8 * np.exp(3.0 * (np.cos(2 * np.pi * (turned - angle)) - 1.0))
    np.testing.assert_allclose(heard, flat * expected, rtol=1e-9, atol=1e-9)


def test_planets_weigh_1_096_104():
    """A crack in the ring, heard without a path; on average over the planets' own teeth."""
    gears, tooth = PlanetaryStage(13, 14, 41, 3), 10
    config = replace(STAGE, gears=gears, path=(1.0, 0.0))
    crack = (Fault("crack", "ring", tooth, 0.6),)
    inside = np.linspace(0.3, 0.7, 41) / gears.ring  # while one pair carries alone
    passes = np.arange(gears.planet)[:, None] + tooth / gears.ring + inside
    mean = []
    for place in gears.spacing:
        turned = (passes + place).ravel()
        # both tables have their own mean taken off: far from the tooth nothing changes
        far = turned + 5.0 / gears.ring
        change, rest = (
            transmission_error(config, crack, u)[0] - transmission_error(config, (), u)[0] for u in (turned, far)
        )
        mean.append(np.mean(change) - np.mean(rest))
    np.testing.assert_allclose(np.array(mean) / np.mean(mean), (1.0, 0.96, 1.04), atol=0.015)


def test_sensors_from_a_mapping_and_wrong_ones():
    config = from_mapping(GearboxConfig, {"sensors": [{"name": "a"}, {"name": "b", "weights": [1, 0]}]}, "x")
    assert config.sensors == (Sensor("a"), Sensor("b", weights=(1.0, 0.0)))
    for sensors, says in (
        ((), "one or more, but got"),
        ((Sensor("a"), Sensor("a")), "different names"),
        ((Sensor("tacho"),), "other than 'tacho'"),
        ((Sensor(weights=(1.0,)),), r"weights of sensor 'vibration' must be one for each of the 2 modes"),
    ):
        with pytest.raises(InputError, match=says):
            GearboxConfig(sensors=sensors)
