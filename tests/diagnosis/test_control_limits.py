"""What limits rest on where few healthy recordings are learned."""

from dataclasses import replace

import pytest

from toothwise import Model
from toothwise.diagnosis.baseline import learn_baseline
from toothwise.diagnosis.control_limits import control_limits_for
from toothwise.diagnosis.rules import MonitorSettings
from toothwise.simulate.maps import generate


@pytest.mark.parametrize(("healthy", "raised"), [(40, True), (80, False)])
def test_waveforms_of_few_recordings_get_the_limit_of_longer_tails(healthy, raised):
    maps, _ = generate(domain="C", n=healthy, faulty=False, seed=4, shape=(12, 17))
    reference = Model.fit(maps, detector="scan").reference
    baseline = learn_baseline(reference)
    limits = control_limits_for(baseline, MonitorSettings()).heights()["several"]
    of_waveforms = control_limits_for(replace(baseline, by_waveform=True), MonitorSettings()).heights()["several"]
    assert not baseline.pooled
    assert (of_waveforms["warning"] > limits["warning"]) is raised
