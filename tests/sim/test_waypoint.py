import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.kernels import kernel
from sim.layout import Layout, parse_layout
from sim.waypoint import AHEAD, find_waypoint, line_is_free, rack_gap
from tests.sim.maps import shipped_or_random

KEEP = 0.36
CORRIDOR = parse_layout("S....\n#####", "corridor")
CORNER = parse_layout("#S\n..", "corner")


@pytest.mark.parametrize(
    ("x", "found"),
    [
        (0.5, (1.3, 1.5, 0.2, 6)),  # 0.8 m ahead, 0.2 m before the middle of the next cell
        (0.9, (1.7, 1.5, 0.8, 7)),
        (3.9, (4.5, 1.5, 0.0, 9)),  # the goal, 0.6 m ahead
        (4.9, (4.5, 1.5, 0.0, 9)),  # past it
        (-0.1, (0.7, 1.5, 0.8, 6)),  # off the map counts as its nearest cell; 0.6 m to its middle, 0.2 m on
    ],
)
def test_waypoints_along_a_corridor(x: float, found: tuple[float, float, float, int]) -> None:
    following = CORRIDOR.path_field(9).next_cell
    assert find_waypoint(CORRIDOR.blocked, following, KEEP, x, 1.5) == pytest.approx(found)


def test_a_corner_is_rounded_and_never_cut() -> None:
    following = CORNER.path_field(3).next_cell
    # 0.6 m to the middle of the corner and 0.2 m up: the line passes the rack's corner (1, 1) at 0.44 m.
    assert find_waypoint(CORNER.blocked, following, KEEP, 0.9, 0.5) == pytest.approx((1.5, 0.7, 0.8, 3))
    # 0.4 m off the way, so the point is 0.4 m ahead at first: that line passes the corner at 0.339 m. To the next one,
    # 0.3 m ahead, it is 0.364 m.
    assert find_waypoint(CORNER.blocked, following, KEEP, 1.1, 0.62) == pytest.approx((1.5, 0.92, 0.58, 3))


compiled_find_waypoint = kernel(find_waypoint)


@given(shipped_or_random, st.data())
def test_the_line_to_a_waypoint_is_free_and_the_compiled_function_finds_the_same(
    layout: Layout, data: st.DataObject
) -> None:
    path = layout.path_field(data.draw(st.sampled_from(layout.free)))
    row, column = divmod(data.draw(st.sampled_from(layout.free)), layout.columns)
    x = column + data.draw(st.floats(0.0, 0.999))
    y = row + data.draw(st.floats(0.0, 0.999))
    found = wx, wy, rest, cell = find_waypoint(layout.blocked, path.next_cell, KEEP, x, y)
    assert math.dist((x, y), (wx, wy)) <= AHEAD + math.sqrt(0.5)
    assert rest == pytest.approx(math.dist((wx, wy), layout.middle(cell)))
    own = min(KEEP**2, rack_gap(layout.blocked, x, y)) - 1e-3
    for share in np.linspace(0.0, 1.0, 50):
        assert rack_gap(layout.blocked, x + share * (wx - x), y + share * (wy - y)) >= own - 0.01
    assert compiled_find_waypoint(layout.blocked, path.next_cell, KEEP, x, y) == found


def test_lines_past_a_rack() -> None:
    assert line_is_free(CORNER.blocked, KEEP, 0.5, 0.5, 1.5, 0.5)
    assert not line_is_free(CORNER.blocked, KEEP, 0.5, 0.5, 1.5, 1.5)  # through the rack's corner
    assert line_is_free(CORNER.blocked, KEEP, 1.2, 0.8, 1.5, 0.8)  # from where it is too near, away
