"""What is said agrees with what was measured: levels that are back, steps, one record, teeth told by their waveform."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from toothwise.diagnosis.single import diagnose_maps
from toothwise.diagnosis.words import words_of_map
from toothwise.messages import language


@pytest.mark.parametrize("change", [-0.6, 0.8])
@pytest.mark.parametrize("changed", [1, 6])
def test_a_level_that_is_back_is_told_as_past(fitted, limits, change, changed):
    x = fitted.log_maps(30, 5)
    x[5 : 5 + changed] += change
    for n in range(6, 31):
        found = fitted.judge(x[:n], limits=limits)
        if found.pattern != "sensor or condition changed":
            assert n > 5 + changed
            break
        off = abs(np.log(found.level_change))
        past = "healthy at record" in found.sentence
        assert past or off > 0.2, (n, found.sentence)
        if n == 5 + changed:
            assert not past
            assert np.sign(np.log(found.level_change)) == np.sign(change)
        if n >= 5 + changed + 3:
            assert f'from record {6 + changed} "{5 + changed}" on it is as healthy ones are' in found.sentence
            assert "it stays until more of them contradict it" in found.sentence
            assert "부터는 정상 기록과 같습니다" in " ".join(map(language("ko").text, found.messages["verdict"]))


def test_a_level_that_stays_is_told_as_present(fitted, limits):
    x = fitted.log_maps(30, 6)
    x[5:] -= 0.7
    found = fitted.judge(x, limits=limits)
    assert (found.colour, found.pattern) == ("AMBER", "sensor or condition changed")
    assert "the level of all teeth is 0.5" in found.sentence or "the level of all teeth is 0.4" in found.sentence
    assert "contradict" not in found.sentence


def test_one_record_has_no_history(fitted, limits):
    x = fitted.log_maps(1, 7)
    x += 1.5
    x[:, 4] += 0.5
    found = fitted.judge(x, limits=limits)
    assert (found.judged, found.tooth, found.rules["alarm"].about) == (1, 4, "the level of the whole map")
    assert "Beside it stands out: the level of the whole map." in found.sentence
    assert not re.search("by now|first alarm|first warning", found.sentence)


@pytest.mark.parametrize("first", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("after", [4, 6, 8, 12])
def test_a_step_is_not_told_as_growth(fitted, limits, first, after):
    x = fitted.log_maps(9 + after, 8)
    x[3:9, 4] += first
    x[9:, 4] += 0.9
    found = fitted.judge(x, limits=limits)
    assert found.tooth == 4
    assert found.growth is None or not found.growth.clear, found.sentence


def test_growth_of_few_records_is_told(fitted, limits):
    x = fitted.log_maps(25, 9)
    x[:, 4] += fitted.growing(25, 10, 1.5)[:, None]
    found = fitted.judge(x, limits=limits)
    assert found.growth is not None
    assert found.growth.clear


def test_a_line_that_is_hardly_louder_is_not_said_to_be(fitted):
    maps = fitted.as_maps(fitted.log_maps(1, 10))
    maps[:, 4] *= 2.5
    one = diagnose_maps(maps, fitted.detector, fitted.reference)[0]
    assert "Driving tooth 4 stands out: 2" in one.sentence
    for contrast, told in ((1.04, "though hardly by its level"), (0.95, "hardly"), (0.7, "quieter than the others")):
        other = replace(one, lines=(replace(one.lines[0], contrast=contrast),))
        assert told in str(words_of_map(other)["verdict"][0])
