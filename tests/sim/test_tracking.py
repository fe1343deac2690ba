import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.limits import pack_limits
from sim.scene import RobotConfig
from sim.tracking import place_on_way, point_ahead, steer

PERIOD, SUBSTEPS = 0.1, 20
LIMITS = pack_limits(RobotConfig(), PERIOD)
CORNER = ((0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (3, 2), (3, 3), (3, 4))


def drive(
    way: tuple[tuple[float, float], ...], heading: float = 0.0, speed: float = 0.0, end: float | None = None
) -> NDArray[np.float64]:
    """Time, x, y, heading, speed, turn rate [periods, 6] of an ideal robot from the first point on, for 12 s."""
    points = np.array(way, float)
    starts = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    end = starts[-1] if end is None else end
    x, y = points[0]
    v0, w0, gear, head, track = speed, 0.0, 1, 0, []
    for tick in range(120):
        head, along = place_on_way(points, head, len(points), x, y)
        px, py, room = point_ahead(points, head, len(points), along, end - starts[head], x, y, v0)
        cos, sin = math.cos(heading), math.sin(heading)
        forward, left = cos * (px - x) + sin * (py - y), cos * (py - y) - sin * (px - x)
        v, w, gear = steer(forward, left, room, v0, w0, gear, LIMITS)
        for step in range(SUBSTEPS):
            share = (step + 0.5) / SUBSTEPS
            heading += (w0 + (w - w0) * share) * PERIOD / SUBSTEPS
            x += (v0 + (v - v0) * share) * math.cos(heading) * PERIOD / SUBSTEPS
            y += (v0 + (v - v0) * share) * math.sin(heading) * PERIOD / SUBSTEPS
        v0, w0 = v, w
        track.append(((tick + 1) * PERIOD, x, y, heading, v, w))
    return np.array(track)


def time_to(track: NDArray[np.float64], x: float, y: float) -> float:
    """When the robot first comes within 0.35 m of a point [s]; infinity if it never does."""
    near = np.flatnonzero(np.hypot(track[:, 1] - x, track[:, 2] - y) < 0.35)
    return float(track[near[0], 0]) if len(near) else math.inf


def test_a_straight_way_is_driven_at_full_speed_and_stopped_at_its_end() -> None:
    track = drive(((0, 0), (1, 0), (2, 0), (3, 0)))
    assert time_to(track, 3, 0) < 2.65 / 1.2 + 0.3 + 0.2  # the way, half of the ramp of 0.6 s, two periods of braking
    assert track[:, 1].max() <= 3.0 + 1e-6
    assert track[-1, 1:3] == pytest.approx((3.0, 0.0), abs=0.02)
    assert track[-1, 4] == pytest.approx(0.0, abs=1e-3)


def test_a_corner_between_racks_is_taken_at_speed_and_clear_of_them() -> None:
    track = drive(CORNER, speed=1.2)
    corner = np.hypot(track[:, 1] - 2.5, track[:, 2] - 0.5)  # the inner rack's; the aisles are 1 m wide
    assert corner.min() > 0.3 + 0.1
    assert track[:, 1].max() < 3.5 - 0.3 - 0.1
    assert track[: int(time_to(track, 3, 4) / PERIOD), 4].min() > 0.9
    assert time_to(track, 3, 4) < (7 - 0.35) / 1.2 + 0.1  # stopping to turn would take 1.5 s more


def test_what_lies_behind_is_driven_backwards() -> None:
    track = drive(((0, 0), (-1, 0), (-2, 0)))
    assert track[-1, 1] == pytest.approx(-2.0, abs=0.02)
    assert (track[:, 4] <= 0.0).all()
    assert np.abs(track[:, 3]).max() < 0.01


def test_a_robot_that_stands_across_the_way_turns_before_it_drives() -> None:
    track = drive(((0, 0), (0, 1), (0, 2)))
    assert np.abs(track[:, 1]).max() < 0.15
    assert track[-1, 1:3] == pytest.approx((0.0, 2.0), abs=0.03)


def test_where_the_way_doubles_back_the_robot_returns_in_the_other_gear() -> None:
    track = drive(((0, 0), (1, 0), (2, 0), (1, 0), (0, 0), (0, 1)), speed=1.2)
    assert 1.45 < track[:, 1].max() < 2.05
    assert np.abs(track[: int(time_to(track, 0.6, 0) / PERIOD), 3]).max() < 0.01
    assert track[-1, 1:3] == pytest.approx((0.0, 1.0), abs=0.1)


def test_a_way_that_ends_before_its_last_point_is_kept_to() -> None:
    track = drive(CORNER, end=2.25)
    assert track[:, 1].max() < 2.25 + 0.01
    assert track[-1, 1:3] == pytest.approx((2.25, 0.0), abs=0.03)


def test_the_corner_is_the_same_to_the_left_and_to_the_right() -> None:
    mirrored = tuple((x, -y) for x, y in CORNER)
    left, right = drive(CORNER), drive(mirrored)
    np.testing.assert_allclose(left[:, 2], -right[:, 2], atol=1e-9)


@given(
    st.floats(-2, 2),
    st.floats(-2, 2),
    st.floats(-1, 4),
    st.floats(-1.2, 1.2),
    st.floats(-2, 2),
    st.sampled_from((1, -1)),
)
def test_a_command_can_be_reached_in_one_period(
    forward: float, left: float, room: float, speed: float, turn: float, gear: int
) -> None:
    v, w, new = steer(forward, left, room, speed, turn, gear, LIMITS)
    assert abs(v - speed) <= 0.2 + 1e-9
    assert abs(w - turn) <= 1.0 + 1e-9
    assert abs(v) <= 1.2 + 1e-9
    assert new in (1, -1)
    if room <= -0.1:
        assert abs(v) <= max(abs(speed) - 0.2, 0.0) + 1e-9
