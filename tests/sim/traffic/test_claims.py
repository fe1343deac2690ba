"""Claims, worked by hand: robots in a row of cells 0 to 5."""

import numpy as np
from numpy.typing import NDArray

from sim.traffic.broadcast import RECORD, RECORD_SIZE
from sim.traffic.claims import (
    claim,
    find_asker,
    last_to_enter,
    leave_cells,
    may_claim,
    withdraw,
)
from sim.traffic.state import Heard

COLUMNS = 6


def robot(name: int, claims: list[tuple[int, int]], clock: int = 10, **values: float) -> NDArray[np.float64]:
    """A broadcast of robot `name` that has claimed these cells at these clocks."""
    record = np.zeros(RECORD_SIZE)
    record[RECORD.x], record[RECORD.y] = claims[0][0] % COLUMNS + 0.5, 0.5
    record[RECORD.name] = record[RECORD.acts_for] = name
    record[RECORD.clock], record[RECORD.wanted], record[RECORD.claim_count] = clock, -1, len(claims)
    for k, (cell, at) in enumerate(claims):
        record[RECORD.claims + k], record[RECORD.claimed_at + k] = cell, at
    for field, value in values.items():
        record[getattr(RECORD, field)] = value
    return record


def heard(*records: NDArray[np.float64]) -> Heard:
    return Heard(np.array(records).reshape(-1, RECORD_SIZE), np.arange(len(records)), np.zeros(len(records)))


def claims(record: NDArray[np.float64]) -> list[int]:
    count = int(record[RECORD.claim_count])
    return [int(cell) for cell in record[RECORD.claims : RECORD.claims + count]]


def test_a_cell_is_left_once_the_robot_is_far_enough_from_its_middle() -> None:
    record = robot(0, [(0, 1), (1, 2), (2, 3)])
    leave_cells(record, COLUMNS, 1.09, 0.5, 0.6)
    assert claims(record) == [0, 1, 2]
    leave_cells(record, COLUMNS, 1.1, 0.5, 0.6)
    assert claims(record) == [1, 2]
    assert record[RECORD.claimed_at] == 2
    leave_cells(record, COLUMNS, 9.0, 0.5, 0.6)
    assert claims(record) == [2]  # the end is never left


def test_the_end_of_anothers_claims_can_not_be_claimed_and_what_it_will_leave_can() -> None:
    other = robot(1, [(3, 1), (2, 2)])
    assert not may_claim(robot(0, [(1, 1)]), heard(other), 2)
    assert may_claim(robot(0, [(4, 1)]), heard(other), 3)


def test_a_claim_that_is_only_just_out_may_be_withdrawn_so_both_cells_are_taken() -> None:
    other = robot(1, [(3, 1), (2, 10)], clock=10)
    assert not may_claim(robot(0, [(1, 1)]), heard(other), 2)
    assert not may_claim(robot(0, [(4, 1)]), heard(other), 3)


def test_a_cell_for_which_a_higher_robot_asks_is_left_to_it() -> None:
    higher, lower = robot(1, [(3, 1)], wanted=2), robot(5, [(3, 1)], wanted=2)
    assert not may_claim(robot(2, [(1, 1)]), heard(higher), 2)
    assert may_claim(robot(2, [(1, 1)]), heard(lower), 2)


def test_of_two_that_claim_a_cell_at_once_the_lower_withdraws() -> None:
    first, second = robot(0, [(1, 1), (2, 10)]), robot(1, [(3, 1), (2, 10)])
    assert not withdraw(first.copy(), heard(second), 0)
    assert withdraw(second, heard(first), 0)
    assert claims(second) == [3]
    urgent = robot(1, [(3, 1), (2, 10)], priority=5)
    assert withdraw(first, heard(urgent), 0)
    assert claims(first) == [1]


def test_who_claimed_earlier_keeps_the_cell_whatever_the_priority_and_who_is_in_it_stays() -> None:
    early, late = robot(1, [(3, 1), (2, 8)]), robot(0, [(1, 1), (2, 9)], priority=5)
    assert not withdraw(early, heard(late), 0)
    assert not withdraw(late.copy(), heard(early), 1)
    assert withdraw(late, heard(early), 0)


def test_a_robot_takes_the_rank_of_who_asks_for_its_cell_one_step_further_on() -> None:
    asked = robot(4, [(2, 1)])
    askers = heard(robot(3, [(3, 1)], wanted=2), robot(2, [(1, 1)], wanted=2, acts_for=1, depth=2))
    assert find_asker(asked, askers, 0.0) == 1
    assert (asked[RECORD.priority], asked[RECORD.acts_for], asked[RECORD.depth]) == (0, 1, 3)
    assert find_asker(asked, askers, 7.0) == -1  # it is above both
    assert (asked[RECORD.priority], asked[RECORD.acts_for], asked[RECORD.depth]) == (7, 4, 0)


def test_a_robot_that_inherited_its_rank_asks_its_asker_in_vain() -> None:
    asker = robot(1, [(1, 1)], wanted=2)
    asked = robot(4, [(2, 1)], wanted=1)
    find_asker(asked, heard(asker), 0.0)
    assert find_asker(asker, heard(asked), 0.0) == -1


def test_a_cell_is_entered_after_all_who_claimed_it_earlier() -> None:
    own = robot(0, [(0, 1), (1, 4), (2, 5), (3, 6)])
    assert last_to_enter(own, heard(), 2) == 3
    assert last_to_enter(own, heard(robot(1, [(2, 4), (3, 9)])), 2) == 1
    assert last_to_enter(own, heard(robot(1, [(4, 1), (3, 7)])), 2) == 3  # that one claimed later


def test_claims_at_once_are_entered_by_name_and_none_before_it_is_settled() -> None:
    own = robot(1, [(0, 1), (1, 8)])
    assert last_to_enter(own, heard(robot(0, [(2, 1), (1, 8)])), 2) == 0
    assert last_to_enter(own, heard(robot(2, [(2, 1), (1, 8)])), 2) == 1
    assert last_to_enter(robot(1, [(0, 1), (1, 9)]), heard(), 2) == 0


def test_a_claim_is_taken_off_the_planned_way_and_another_cell_drops_the_plan() -> None:
    record = robot(0, [(0, 1)])
    record[RECORD.way : RECORD.way + 3], record[RECORD.way_times : RECORD.way_times + 3] = [0, 1, 2], [0.0, 0.9, 1.8]
    record[RECORD.way_count] = record[RECORD.timed_count] = 3
    other = record.copy()
    claim(record, 1)
    assert claims(record) == [0, 1]
    assert record[RECORD.way : RECORD.way + 2].tolist() == [1, 2]
    assert record[RECORD.way_times : RECORD.way_times + 2].tolist() == [0.9, 1.8]
    claim(other, 6)
    assert other[RECORD.timed_count] == 0
