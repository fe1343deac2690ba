from itertools import pairwise
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.planners.fields import Fields
from policies.planners.rhcr import _turns
from policies.planners.space_time import (
    ENTER,
    LEAVE,
    STAY,
    UNFINISHED,
    Grid,
    Held,
    Trip,
    hold,
    hold_way,
    nothing_held,
    release,
    search,
)  # fmt: skip
from sim.guidance import EAST
from sim.layout import Layout, load_layout, parse_layout

LEG = 1.0 / 1.2
LANE = parse_layout("######\nS.....\n######", "lane")  # cells 6 to 11
WINDOW = 12.0


def plan(
    layout: Layout, held: Held, start: int, goal: int, begin: float = 0.0, facing: int = 4
) -> tuple[list[int], list[float], float, bool]:
    """The cells of a way, when it is in their middles, its cost, and whether it waits the window out."""
    fields = Fields(layout)
    grid = Grid(fields.around, fields.extra * LEG, fields.way_out, _turns(), LEG)
    cells, times = np.zeros(64, np.int64), np.zeros(64)
    trip = Trip(start, begin, facing, goal, WINDOW)
    count, cost, stays = search(trip, grid, fields.to(goal), held, cells, times)
    return cells[:count].tolist(), times[:count].tolist(), cost, stays


def test_a_free_way_takes_a_start_and_then_a_leg_a_cell() -> None:
    cells, times, cost, stays = plan(LANE, nothing_held(18, 8), 6, 10)
    assert cells == [6, 7, 8, 9, 10]
    np.testing.assert_allclose(times, [0.0] + [0.3 + LEG * k for k in (1, 2, 3, 4)])  # 0.3 s to get going
    assert cost == times[-1]
    assert not stays


def test_turning_back_costs_more_than_going_on() -> None:
    on = plan(LANE, nothing_held(18, 8), 8, 9, facing=EAST)[2]
    back = plan(LANE, nothing_held(18, 8), 8, 7, facing=EAST)[2]
    np.testing.assert_allclose([on, back], [LEG, LEG + 1.2])


LOOP = "....\n.##.\nS...\n"
"""Its cells: 8 9 10 11 / 4 # # 7 / 0 1 2 3."""


def test_guidance_leads_round_where_that_is_cheaper_and_its_tolls_are_no_time() -> None:
    # From 3 to 0, standing along x: 3 legs west, each with a toll of (factor - 1) legs; or 7 legs round the top, two
    # corners at speed (0.1 s each), and a turn in place first (1.0 s more).
    direct = parse_layout(LOOP + "guidance 1\nwest 2 line 3 columns 1-4", "loop")
    cells, times, cost, _ = plan(direct, nothing_held(12, 8), 3, 0)
    assert cells == [3, 2, 1, 0]
    np.testing.assert_allclose([times[-1], cost], [0.3 + 3 * LEG, 0.3 + 3 * LEG + 3 * LEG])
    dear = parse_layout(LOOP + "guidance 1\nwest 4 line 3 columns 1-4", "loop")
    cells, times, cost, _ = plan(dear, nothing_held(12, 8), 3, 0)
    assert cells == [3, 7, 11, 10, 9, 8, 4, 0]
    np.testing.assert_allclose([times[-1], cost], [1.3 + 7 * LEG + 0.2] * 2)


def test_who_is_in_the_way_of_the_lane_can_make_the_dear_way_the_cheaper_one() -> None:
    dear = parse_layout(LOOP + "guidance 1\nwest 4 line 3 columns 1-4", "loop")
    held = nothing_held(12, 8)
    hold(held, 9, 0.0, 11.0, 1)  # the way round is closed for long
    assert plan(dear, held, 3, 0)[0] == [3, 2, 1, 0]


def test_it_waits_until_a_cell_is_given_free() -> None:
    held = nothing_held(18, 8)
    hold(held, 8, 0.0, 5.0, 1)
    cells, times, _, _ = plan(LANE, held, 6, 10)
    assert cells == [6, 7, 8, 9, 10]
    assert times[2] == 5.0 + ENTER


def test_it_can_be_too_late_to_make_way() -> None:
    held = nothing_held(18, 8)
    hold(held, 6, 0.5, 20.0, 1)  # the robot could be out at 0.3 + LEAVE at the earliest
    assert plan(LANE, held, 6, 10)[0] == []


def test_where_the_goal_stays_closed_it_waits_as_near_as_it_can() -> None:
    held = nothing_held(18, 8)
    hold(held, 9, 0.0, 100.0, 1)
    cells, _, cost, stays = plan(LANE, held, 6, 10)
    assert cells == [6, 7, 8]
    assert stays
    np.testing.assert_allclose(cost, WINDOW + 2 * LEG + UNFINISHED)


def test_from_a_goal_in_a_dead_end_the_way_leads_out_again() -> None:
    crossing = load_layout("crossing")
    middle = 3 * 7 + 3
    cells, _, _, _ = plan(crossing, nothing_held(49, 8), middle, middle + 3)
    assert cells == [middle, middle + 1, middle + 2, middle + 3, middle + 2, middle + 1, middle]


def test_release_gives_up_what_one_robot_holds_and_nothing_else() -> None:
    held = nothing_held(18, 8)
    for robot, begin in ((1, 4.0), (2, 0.0), (1, 8.0)):
        hold(held, 7, begin, begin + 1.0, robot)
    assert held.begins[7, :3].tolist() == [0.0, 4.0, 8.0]
    release(held, 1)
    assert held.counts[7] == 1
    assert held.robots[7, 0] == 2


@settings(max_examples=60)
@given(st.sampled_from(("small", "narrow", "crossing", "aisle")), st.integers(2, 12), st.randoms(use_true_random=False))
def test_ways_planned_one_after_the_other_share_no_cell_at_any_time(name: str, robots: int, random: Random) -> None:
    layout = load_layout(name)
    fields = Fields(layout)
    held = nothing_held(layout.blocked.size, 2 * robots + 16)
    starts = random.sample(layout.free, min(robots, len(layout.free)))
    for robot, start in enumerate(starts):
        for other, cell in enumerate(starts[robot:], robot):  # those that have not been planned stand for now
            release(held, other)
            if other > robot:
                hold(held, cell, -1e9, 2.5, other)
        cells, times, _, stays = plan(layout, held, start, random.choice(layout.free))
        until = WINDOW + STAY if stays or not cells else times[-1] + STAY
        cells, times = (cells, times) if cells else ([start], [0.0])
        hold_way(held, np.array(cells), np.array(times), len(cells), until, LEG, robot)
        assert all(after in fields.beside[before] for before, after in pairwise(cells))
        assert all(b - a >= LEG - 1e-9 for a, b in pairwise(times))
        if len(cells) > 1:  # this one found a way: it keeps clear of all others
            _assert_apart(held, robot)


def _assert_apart(held: Held, robot: int) -> None:
    for cell in range(len(held.counts)):
        rows = [(held.begins[cell, k], held.ends[cell, k], held.robots[cell, k]) for k in range(held.counts[cell])]
        for begin, end, owner in rows:
            for begin2, end2, owner2 in rows:
                if owner == robot != owner2:
                    assert end <= begin2 + 1e-9 or end2 <= begin + 1e-9


def test_two_robots_cannot_change_places() -> None:
    assert ENTER + LEAVE > LEG
