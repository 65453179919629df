from __future__ import annotations

import pytest

from toothwise import detectors
from toothwise.detectors.registry import options_of
from toothwise.errors import InputError


@pytest.mark.parametrize("name", detectors.names())
def test_every_option_of_a_detector_is_listed_with_its_default_and_meaning(name):
    listed, real = options_of(name), detectors.create(name).options
    assert set(listed) == set(real)
    for option, (default, unit, meaning) in listed.items():
        assert meaning, option
        assert unit or isinstance(default, str | bool | None) or option in ("seed", "parts", "directional_layers"), (
            option
        )
        assert default is None or list(real[option]) == list(default) if isinstance(default, tuple) else True
    for option, value in ((o, v) for o, v in real.items() if isinstance(v, str | bool | int | float)):
        assert listed[option][0] == value


def test_an_unknown_option_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match="'lins' is no option of detector 'scan'; did you mean 'lines'"):
        detectors.create("scan", lins="rows")
