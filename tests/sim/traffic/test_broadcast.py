"""Broadcasts: what is refused, each for its reason, in plain Python and compiled alike."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.observation import BROADCAST
from sim.traffic.broadcast import LONGEST_WAY, MOST_CLAIMS, RECORD, RECORD_SIZE, Fault, are_beside, fault_of
from sim.traffic.radio import _fault_of

# Cells 0 1 2 3 below, 4 5 6 7 above; cell 5 is a rack.
BLOCKED = np.array([[False, False, False, False], [False, True, False, False]])
Change = Callable[[NDArray[np.float64]], None]


def told() -> NDArray[np.float64]:
    """A robot in cell 0 that has claimed cell 1 too, wants cell 2, and means to go on over 2 and 6 to 7."""
    record = np.zeros(RECORD_SIZE)
    record[RECORD.x], record[RECORD.y] = 0.6, 0.5
    record[RECORD.name], record[RECORD.clock], record[RECORD.wanted] = 3, 100, 2
    record[RECORD.claim_count], record[RECORD.way_count], record[RECORD.timed_count] = 2, 4, 3
    record[RECORD.claims : RECORD.claims + 2] = 0, 1
    record[RECORD.claimed_at : RECORD.claimed_at + 2] = 90, 100
    record[RECORD.way : RECORD.way + 4] = 1, 2, 6, 7
    record[RECORD.way_times : RECORD.way_times + 3] = 0.5, 1.4, 2.3
    return record


def put(place: int, value: float) -> Change:
    def change(record: NDArray[np.float64]) -> None:
        record[place] = value

    return change


def test_a_record_begins_with_what_is_observed_of_neighbours_and_has_no_gaps() -> None:
    assert RECORD._fields[: len(BROADCAST)] == BROADCAST._fields
    assert RECORD[: len(BROADCAST)] == BROADCAST
    sizes = np.diff([*RECORD, RECORD_SIZE])
    assert sizes.tolist() == [1] * 17 + [MOST_CLAIMS, MOST_CLAIMS, LONGEST_WAY, LONGEST_WAY]


def test_what_a_robot_tells_is_heard() -> None:
    assert fault_of(told(), BLOCKED) == Fault.NONE


def test_a_robot_that_stands_tells_one_claim_alone() -> None:
    record = told()
    record[RECORD.claim_count], record[RECORD.way_count], record[RECORD.timed_count] = 1, 0, 0
    record[RECORD.wanted] = -1
    assert fault_of(record, BLOCKED) == Fault.NONE


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (put(RECORD.heading, math.nan), Fault.NOT_FINITE),
        (put(RECORD.way_times + LONGEST_WAY - 1, math.inf), Fault.NOT_FINITE),
        (put(RECORD.x, 4.0), Fault.POSE),
        (put(RECORD.y, -0.1), Fault.POSE),
        (put(RECORD.clock, 100.5), Fault.CLOCK),
        (put(RECORD.clock, 1e300), Fault.CLOCK),
        (put(RECORD.name, -1.0), Fault.CLOCK),
        (put(RECORD.acts_for, 0.5), Fault.CLOCK),
        (put(RECORD.depth, 2.0**53), Fault.CLOCK),
        (put(RECORD.claimed_at, 101.0), Fault.CLOCK),  # after the broadcast
        (put(RECORD.claimed_at + 1, 89.0), Fault.CLOCK),  # before the claim that it builds on
        (put(RECORD.priority, 1e7), Fault.PRIORITY),
        (put(RECORD.claim_count, 0.0), Fault.COUNT),
        (put(RECORD.claim_count, MOST_CLAIMS + 1.0), Fault.COUNT),
        (put(RECORD.claim_count, 1.5), Fault.COUNT),
        (put(RECORD.way_count, LONGEST_WAY + 1.0), Fault.COUNT),
        (put(RECORD.timed_count, 5.0), Fault.COUNT),
        (put(RECORD.claims + 1, 8.0), Fault.CELL),  # outside
        (put(RECORD.claims + 1, -1.0), Fault.CELL),
        (put(RECORD.claims + 1, 1.5), Fault.CELL),
        (put(RECORD.way + 2, 5.0), Fault.CELL),  # a rack
        (put(RECORD.wanted, 5.0), Fault.CELL),
        (put(RECORD.claims + 1, 2.0), Fault.APART),
        (put(RECORD.wanted, 3.0), Fault.APART),
        (put(RECORD.way, 0.0), Fault.APART),  # does not begin where the claims end
        (put(RECORD.way + 3, 3.0), Fault.APART),
        (put(RECORD.x, 3.9), Fault.APART),  # claims what is elsewhere
        (put(RECORD.way_times + 1, 0.4), Fault.TIMES),
        (put(RECORD.way_times + 2, 601.0), Fault.TIMES),
        (put(RECORD.way_times, -11.0), Fault.TIMES),
    ],
)
def test_what_can_not_be_is_refused_for_its_reason(change: Change, fault: Fault) -> None:
    record = told()
    change(record)
    assert fault_of(record, BLOCKED) == fault


def test_cells_at_the_two_ends_of_neighbouring_rows_do_not_adjoin() -> None:
    assert are_beside(2, 3, 4)
    assert are_beside(3, 7, 4)
    assert not are_beside(3, 4, 4)
    assert not are_beside(0, 5, 4)


_NUMBERS = st.one_of(st.integers(-2, 30).map(float), st.floats(allow_nan=True, allow_infinity=True))


@given(changes=st.dictionaries(st.integers(0, RECORD_SIZE - 1), _NUMBERS, max_size=6))
def test_whatever_comes_is_judged_alike_by_a_robot_and_by_the_simulator(changes: dict[int, float]) -> None:
    record = told()
    for place, value in changes.items():
        record[place] = value
    assert fault_of(record, BLOCKED) == _fault_of(record, BLOCKED)
