import numpy as np
import pytest

from policies.planners.fields import Fields
from policies.planners.pibt import Pibt
from policies.planners.ways import Ways
from sim.layout import Layout, parse_layout
from sim.scene import SceneConfig
from sim.warehouse import Warehouse

# Two lanes of six cells, one above the other, joined at every cell: 6 to 11 below, 12 to 17 above; racks around.
LANES = parse_layout("######\n......\nS....S\n######", "lanes")
# One lane, 0 to 5, whose left end is a dead end; at its right a way to dodge, cell 11.
SIDING = parse_layout("#####.\nS.....", "siding")


class Table:
    """Robots put on cells by hand, with goals and ages by hand: the claims apart from all motion."""

    def __init__(self, layout: Layout, cells: list[int], goals: list[int], ages: list[float]) -> None:
        self.warehouse = Warehouse(SceneConfig(robots=len(cells)), layout)
        self.warehouse.reset(0)
        self.warehouse.poses[:, :2] = [layout.middle(cell) for cell in cells]
        self.warehouse.sensors.goals[:] = [layout.middle(goal) for goal in goals]
        fields = Fields(layout)
        self.ways = Ways(self.warehouse, fields)
        self.pibt = Pibt(self.warehouse, self.ways, fields)
        self.pibt.ages[:] = ages

    def plan(self) -> list[list[int]]:
        """Plan one control period; the ways."""
        self.pibt.plan()
        course = self.ways.course
        return [course.cells[i, : course.counts[i]].tolist() for i in range(len(course.counts))]


def test_a_robot_claims_the_next_cell_of_its_shortest_way() -> None:
    assert Table(LANES, [6], [11], [0.0]).plan() == [[6, 7]]


def test_who_stands_in_the_way_of_an_older_order_makes_way_by_priority_inheritance() -> None:
    # Robot 1 stands at its goal in the lane that robot 0 wants to go through, and claims a cell beside it first.
    ways = Table(LANES, [6, 7], [11, 7], [9.0, 1.0]).plan()
    assert ways[0] == [6, 7]
    assert ways[1] in ([7, 8], [7, 13])


def test_the_claim_of_who_makes_way_ranks_before_the_claim_that_asked_for_it() -> None:
    table = Table(LANES, [6, 7], [11, 7], [9.0, 1.0])
    table.plan()
    assert table.ways.course.ranks[1, 1] < table.ways.course.ranks[0, 1]


def test_who_is_asked_asks_on_with_the_inherited_priority() -> None:
    """Robot 1 is younger than robot 2, but asks in the name of robot 0."""
    ways = Table(SIDING, [1, 2, 3], [4, 2, 3], [9.0, 1.0, 5.0]).plan()
    assert ways == [[1, 2], [2, 3], [3, 4]]


def test_an_older_order_does_not_make_way_for_a_younger_one() -> None:
    assert Table(SIDING, [1, 2], [3, 2], [1.0, 9.0]).plan() == [[1], [2]]


def test_backtracking_leaves_no_claim_where_nobody_can_make_way() -> None:
    table = Table(SIDING, [1, 0], [0, 0], [9.0, 1.0])
    assert table.plan() == [[1], [0]]


def test_who_stands_in_a_dead_end_comes_out_before_the_older_one_goes_in() -> None:
    """Robot 0 wants to go to the end of the lane, where robot 1 is: the two change priorities, then 1 pushes 0 out."""
    table = Table(SIDING, [2, 1], [0, 5], [9.0, 1.0])
    assert table.plan() == [[2, 3], [1, 2]]
    np.testing.assert_allclose(table.pibt.ages, [1.1, 9.1])


def test_who_has_been_refused_for_too_long_starts_anew() -> None:
    table = Table(SIDING, [1, 2], [3, 2], [5.0, 90.0])
    for _ in range(32):
        assert table.plan() == [[1], [2]]
    assert table.pibt.ages[0] < 1.0
    assert table.pibt.ages[1] == pytest.approx(93.2)
