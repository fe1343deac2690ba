"""Ways planned around what others hold, and ways out of the way, worked by hand."""

import math

import numpy as np
from numpy.typing import NDArray

from sim.layout import parse_layout
from sim.traffic.broadcast import RECORD, RECORD_SIZE
from sim.traffic.making_way import find_way_off
from sim.traffic.planned_way import Trip, plan_way
from sim.traffic.reservations import ALWAYS, FOREVER, release_all, reserve, reserve_others
from sim.traffic.rules import Rules
from sim.traffic.state import Chart, Heard, new_chart, new_scratch
from sim.traffic.ways import cell_beside, fill_costs_to, next_cell_to, side_towards

# Cells 0 to 4 below, 5 to 9 above, of which 6 and 8 are racks: 7 is a bay beside cell 2.
LAYOUT = parse_layout("S#.#.\n.....\n", "bay")
COLUMNS = 5
RULES = Rules()


def chart(goal: int) -> Chart:
    costs, to_goal = LAYOUT.costs, np.empty(10)
    fill_costs_to(goal, costs, COLUMNS, np.zeros(10, np.bool_), to_goal)
    return new_chart(LAYOUT.blocked, costs)._replace(to_goal=to_goal)


def plan(start: int, goal: int, *held: tuple[int, float, float]) -> tuple[list[int], list[float]]:
    """The cells and times of the way from a standstill now, around cells that are held from and until [s]."""
    scratch, record = new_scratch(10), np.zeros(RECORD_SIZE)
    for cell, begin, end in held:
        reserve(scratch.reservations, cell, begin, end)
    count = plan_way(chart(goal), Trip(start, 0.0, -1, goal), scratch, RULES, record)
    release_all(scratch.reservations)
    fresh = new_scratch(10)  # a computation leaves its memory as it was
    assert np.array_equal(scratch.newest, fresh.newest)
    assert np.array_equal(scratch.reservations.head, fresh.reservations.head)
    cells = [int(cell) for cell in record[RECORD.way : RECORD.way + count]]
    return cells, record[RECORD.way_times : RECORD.way_times + count].round(6).tolist()


def test_an_empty_floor_is_crossed_at_full_speed() -> None:
    assert plan(0, 3) == ([0, 1, 2, 3], [0.0, 0.85, 1.7, 2.55])


def test_a_robot_waits_until_a_cell_is_free() -> None:
    # Held until 3 s: it may be in the middle 0.5 s later, and has to wait: 0.3 s to set off.
    assert plan(1, 2, (2, ALWAYS, 3.0)) == ([1, 2], [0.0, 3.8])


def test_a_robot_waits_in_the_bay_while_another_comes_through() -> None:
    cells, times = plan(2, 0, (1, 0.0, 3.0), (2, 1.5, 4.0), (3, 0.0, 5.0))
    assert cells == [2, 7, 2, 1, 0]
    assert times[2] >= 4.0 + RULES.enter


def test_where_all_is_closed_for_good_it_stays_and_where_it_must_leave_there_is_no_way() -> None:
    walled = ((1, ALWAYS, FOREVER), (5, ALWAYS, FOREVER))
    assert plan(0, 3, *walled) == ([0], [0.0])
    assert plan(0, 3, *walled, (0, 2.0, FOREVER)) == ([], [])


def test_others_hold_what_they_claimed_and_those_above_what_they_plan() -> None:
    other = np.zeros(RECORD_SIZE)
    other[RECORD.x], other[RECORD.y], other[RECORD.name] = 4.5, 0.5, 1
    other[RECORD.claim_count], other[RECORD.claims], other[RECORD.wanted] = 1, 4, -1
    other[RECORD.way_count] = other[RECORD.timed_count] = 3
    other[RECORD.way : RECORD.way + 3], other[RECORD.way_times : RECORD.way_times + 3] = [4, 3, 2], [0.1, 0.95, 1.8]
    heard = Heard(other[np.newaxis], np.array([0]), np.array([0.0]))
    for below, held in ((False, {4}), (True, {4, 3, 2})):
        scratch = new_scratch(10)
        reserve_others(scratch.reservations, heard, (0.0, 2.0 if below else 0.0, 0.0, 0.0), COLUMNS, RULES)
        assert set(np.flatnonzero(scratch.reservations.head >= 0)) == held
    at = scratch.reservations.head[3]
    # Told a period before it was sent: in the middle of cell 3 in 0.85 s, held from 0.5 s before, and left at once.
    assert math.isclose(scratch.reservations.begins[at], 0.35)
    assert math.isclose(scratch.reservations.ends[at], 0.85 + 0.55)


def asked(start: int, asker: NDArray[np.float64], *others: NDArray[np.float64]) -> int:
    own = np.zeros(RECORD_SIZE)
    own[RECORD.name], own[RECORD.claim_count], own[RECORD.claims] = 9, 1, start
    records = np.array([asker, *others])
    scratch = new_scratch(10)
    found = find_way_off(own, Heard(records, np.arange(len(records)), np.zeros(len(records))), 0, chart(0), scratch)
    assert not scratch.marks.any()
    assert np.isinf(scratch.costs).all()
    return found


def stands(name: int, cell: int, way: list[int]) -> NDArray[np.float64]:
    record = np.zeros(RECORD_SIZE)
    record[RECORD.name], record[RECORD.claim_count], record[RECORD.claims] = name, 1, cell
    record[RECORD.way : RECORD.way + len(way)], record[RECORD.way_count] = way, len(way)
    return record


def test_a_robot_makes_way_into_the_bay_and_not_further_along_the_way_of_who_asks() -> None:
    assert asked(2, stands(1, 3, [3, 2, 1, 0])) == 7
    assert asked(1, stands(1, 0, [0, 1, 2, 3])) == 2  # over cell 2 into the bay


def test_a_robot_behind_one_of_higher_rank_can_not_make_way() -> None:
    assert asked(1, stands(1, 2, [2, 1, 0, 5]), stands(2, 0, [])) == -1


def test_cells_and_sides() -> None:
    assert [cell_beside(2, side, COLUMNS) for side in (0, 1, 2)] == [3, 7, 1]
    assert cell_beside(7, 3, COLUMNS) == 2
    assert [side_towards(2, cell, COLUMNS) for cell in (3, 7, 1)] == [0, 1, 2]
    assert side_towards(7, 2, COLUMNS) == 3


def test_costs_to_a_goal_go_round_closed_cells_and_against_dear_sides() -> None:
    layout = parse_layout("...\n.#.\n..S\n", "ring")  # cells 0 1 2 / 3 . 5 / 6 7 8
    costs, closed, to_goal = layout.costs.copy(), np.zeros(9, np.bool_), np.empty(9)
    fill_costs_to(2, costs, 3, closed, to_goal)
    assert to_goal.tolist() == [2, 1, 0, 3, math.inf, 1, 4, 3, 2]
    assert next_cell_to(to_goal, costs, 3, 3) == 0
    assert next_cell_to(to_goal, costs, 2, 3) == 2
    closed[1] = True
    fill_costs_to(2, costs, 3, closed, to_goal)
    assert to_goal[0] == 6
    assert to_goal[1] == math.inf
    closed[1], costs[0, 0] = False, 9.0
    fill_costs_to(2, costs, 3, closed, to_goal)
    assert to_goal[0] == 6
    assert to_goal[1] == 1
