import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import InputError
from sim.guidance import EAST, NORTH, SOUTH, WEST, Guidance, alternating_factors, default_factors, find_aisles
from sim.layout import Layout, parse_layout
from sim.scene import open_scene
from tests.sim.maps import shipped_or_random

# Its cells:  8  9 10 11
#             4  #  #  7
#             0  1  2  3
LOOP = parse_layout("....\n.##.\nS...", "loop")
BOTTOM, TOP, LEFT, RIGHT = range(4)  # its aisles


def costing(layout: Layout, factors: list[list[float]]) -> Layout:
    """The layout with these factors for every fleet."""
    return dataclasses.replace(layout, guidance=(Guidance(1, np.array(factors)),))


def test_aisles_are_the_longest_straight_lanes_of_three_cells_and_more() -> None:
    assert [(aisle.sides, list(aisle.cells)) for aisle in LOOP.aisles] == [
        ((EAST, WEST), [0, 1, 2, 3]),
        ((EAST, WEST), [8, 9, 10, 11]),
        ((NORTH, SOUTH), [0, 4, 8]),
        ((NORTH, SOUTH), [3, 7, 11]),
    ]
    # A rack parts a lane in two; of two cells, and of one, none is an aisle.
    parted = parse_layout("...#...\n.###.#.\nS......", "parted")
    assert [list(aisle.cells) for aisle in parted.aisles] == [
        [0, 1, 2, 3, 4, 5, 6],
        [14, 15, 16],
        [18, 19, 20],
        [0, 7, 14],
        [4, 11, 18],
        [6, 13, 20],
    ]


@given(shipped_or_random)
def test_every_aisle_is_straight_free_and_ends_at_racks_or_at_the_border(layout: Layout) -> None:
    costs = layout.costs
    for aisle in layout.aisles:
        onward, backward = aisle.sides
        assert all(math.isfinite(costs[cell, onward]) for cell in aisle.cells[:-1])
        assert math.isinf(costs[aisle.cells[-1], onward])
        assert math.isinf(costs[aisle.cells[0], backward])


def test_edges_cost_their_length_times_the_factor_of_their_aisle_and_direction() -> None:
    layout = costing(LOOP, [[1.0, 1.5], [1.0, 1.0], [3.0, 1.0], [1.0, 1.0]])
    inf = math.inf
    assert layout.costs[0].tolist() == [1.0, 3.0, inf, inf]  # east along the bottom, north up the left aisle
    assert layout.costs[1].tolist() == [1.0, inf, 1.5, inf]  # west along the bottom
    assert layout.costs[8].tolist() == [1.0, inf, inf, 1.0]  # south down the left aisle
    assert np.isinf(layout.costs[[5, 6]]).all()  # racks


def test_the_dearer_way_is_taken_only_where_the_way_round_costs_more() -> None:
    def way(factor: float) -> tuple[int, float, float]:
        field = costing(LOOP, [[1.0, factor], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]).path_field(0)
        return int(field.next_cell[3]), field.cost[3], field.distance[3]

    # From the lower right corner to the lower left one it is 3 m west, or 2 + 3 + 2 = 7 m round: 3 f > 7 for f = 2.5.
    assert way(1.0) == (2, 3.0, 3.0)
    assert way(2.0) == (2, 6.0, 3.0)
    assert way(2.5) == (7, 7.0, 7.0)


def test_a_diagonal_costs_the_mean_of_the_two_ways_round_its_corner() -> None:
    # Its cells: 6 7 8 / 3 4 5 / 0 1 2, the racks in the uppermost row off to the right.
    layout = parse_layout("...#\n...#\nS..#", "open")
    factors = [[1.0, 1.0] for _ in layout.aisles]
    factors[0] = [2.0, 1.0]  # east along the lowest row
    field = costing(layout, factors).path_field(5)
    # Cell 0 to cell 5: east 2 and north 1, or north 1 and east 1; (3 + 2) / 2 / sqrt(2).
    assert field.cost[0] == pytest.approx(2.5 / math.sqrt(2.0))
    assert field.distance[0] == pytest.approx(math.sqrt(2.0))
    assert field.next_cell[0] == 5


@given(shipped_or_random, st.data())
def test_cost_falls_along_the_way_and_no_neighbour_offers_a_cheaper_one(layout: Layout, data: st.DataObject) -> None:
    factor = st.floats(1.0, 4.0)
    factors = data.draw(st.lists(st.tuples(factor, factor), min_size=len(layout.aisles), max_size=len(layout.aisles)))
    guided = dataclasses.replace(layout, guidance=(Guidance(1, np.array(factors).reshape(-1, 2)),))
    field = guided.path_field(data.draw(st.sampled_from(layout.free)))
    steps = (1, layout.columns, -1, -layout.columns)
    for cell in layout.free:
        assert field.distance[cell] <= field.cost[cell] + 1e-9 <= 4.0 * field.distance[cell] + 2e-9
        for side, step in enumerate(steps):
            if math.isfinite(cost := guided.costs[cell, side]):
                assert field.cost[cell] <= cost + field.cost[cell + step] + 1e-9
                if field.next_cell[cell] == cell + step:
                    assert field.cost[cell] == pytest.approx(cost + field.cost[cell + step])
                    assert field.distance[cell] == pytest.approx(1.0 + field.distance[cell + step])


def test_by_default_parallel_aisles_alternate_and_the_outer_ones_lead_round() -> None:
    factors = alternating_factors(LOOP.aisles, LOOP.columns, 1.2)
    # East along the bottom, north up the right, west along the top, south down the left: 1; against that 1.2.
    assert factors[BOTTOM].tolist() == [1.0, 1.2]
    assert factors[RIGHT].tolist() == [1.0, 1.2]
    assert factors[TOP].tolist() == [1.2, 1.0]
    assert factors[LEFT].tolist() == [1.2, 1.0]


def test_an_aisle_without_a_parallel_one_leads_both_ways() -> None:
    lanes = parse_layout("S...\n.###\n.###", "corner")
    assert len(lanes.aisles) == 2
    assert (default_factors(lanes.aisles, 3, 6, 4) == 1.0).all()


def test_the_default_depends_on_how_dense_the_fleet_is() -> None:
    def against(robots: int, room: int) -> float:
        return float(default_factors(LOOP.aisles, robots, room, LOOP.columns).max())

    assert against(1, 10) == 1.0
    assert against(4, 100) == pytest.approx(1.16)
    assert against(8, 100) == pytest.approx(1.32)
    assert against(90, 100) == 2.0


def test_a_scene_is_opened_with_the_costs_for_its_fleet() -> None:
    alone, fleet = (open_scene("small", robots)[1] for robots in (1, 8))
    assert np.isin(alone.costs, (1.0, np.inf)).all()
    assert fleet.costs[np.isfinite(fleet.costs)].max() > 1.05
    assert fleet.text() == alone.text()


def test_guidance_is_that_of_the_largest_fleet_that_is_not_larger() -> None:
    guidance = tuple(Guidance(robots, np.full((4, 2), float(robots))) for robots in (2, 4))
    layout = dataclasses.replace(LOOP, guidance=guidance)
    assert [layout.guided(robots).factors[0, 0] for robots in (1, 2, 3, 4, 9)] == [1.0, 2.0, 2.0, 4.0, 4.0]
    assert layout.guided(9) is layout.guided(9)
    assert layout.guided(1) is layout


@pytest.mark.parametrize("factor", [0.99, 0.0, -1.0, 100.5, math.inf, math.nan])
def test_factors_that_are_not_valid_are_refused(factor: float) -> None:
    factors = np.ones((4, 2))
    factors[TOP, 1] = factor
    says = r"layout loop: its guidance for 3 robots has the factor \S+ west in line 1 columns 1-4; valid is 1 to 100"
    with pytest.raises(InputError, match=says):
        dataclasses.replace(LOOP, guidance=(Guidance(3, factors),))


def test_factors_of_another_map_and_fleets_out_of_order_are_refused() -> None:
    with pytest.raises(InputError, match=r"factors of shape \(3, 2\); valid is two for each of its 4 aisles"):
        dataclasses.replace(LOOP, guidance=(Guidance(3, np.ones((3, 2))),))
    for sizes in ([4, 2], [3, 3], [0]):
        with pytest.raises(InputError, match="valid are numbers that rise from 1 up"):
            dataclasses.replace(LOOP, guidance=tuple(Guidance(size, np.ones((4, 2))) for size in sizes))


def test_path_costs_are_read_only() -> None:
    for array in (LOOP.costs, LOOP.path_field(0).cost):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_aisles_of_a_map_without_any() -> None:
    assert find_aisles(np.array([[False, True], [False, True]])) == ()
