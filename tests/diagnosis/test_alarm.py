import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toothwise.diagnosis.alarm import consistent, episodes, first_sustained, sustained
from toothwise.errors import InputError

flags = st.lists(st.booleans(), min_size=1, max_size=60).map(lambda x: np.array(x, dtype=bool))


@given(flags, st.integers(1, 7))
def test_sustained_as_a_plain_loop_says(above, run):
    expected, streak = [], 0
    for value in above:
        streak = streak + 1 if value else 0
        expected.append(streak >= run)
    assert sustained(above, run).tolist() == expected
    first = next((i for i, v in enumerate(expected) if v), None)
    assert first_sustained(above, run) == first
    starts = sum(v and not (i and expected[i - 1]) for i, v in enumerate(expected))
    assert episodes(above, run) == starts


@given(flags)
def test_consistent_is_the_start_of_the_last_run_to_the_end(above):
    at = consistent(above)
    if at is None:
        assert not above[-1]
    else:
        assert above[at:].all()
        assert at == 0 or not above[at - 1]


def test_the_alarm_is_raised_at_the_fifth_record():
    assert first_sustained(np.array([0, 1, 1, 1, 1, 1, 0], dtype=bool)) == 5


def test_wrong_type_is_refused():
    with pytest.raises(InputError, match="true or false"):
        first_sustained(np.array([0.1, 0.9]))
