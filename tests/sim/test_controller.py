import math

import numpy as np
import pytest

from sim.controller import controller_offsets, track
from sim.limits import LIMIT, pack_limits
from sim.observation import MANEUVERS, observation_spec
from sim.scene import RobotConfig

LIMITS = pack_limits(RobotConfig(), 0.1)


def desired(name: str, *waypoint: float) -> tuple[float, float]:
    return track(MANEUVERS.index(name), np.array(waypoint, np.float32), LIMITS)


@pytest.mark.parametrize(
    ("name", "waypoint", "v", "w"),
    [
        ("go", (2.0, 0.0), 1.2, 0.0),
        ("slow", (2.0, 0.0), 0.48, 0.0),  # 0.4 * 1.2
        ("back", (2.0, 0.0), -0.48, 0.0),
        ("stop", (2.0, 1.0), 0.0, 0.0),
        ("go", (1.0, 1.0), 0.6, 2.0),  # cos^2(45 degrees) = 1/2; 3 * 0.785 is limited to 2
        ("go", (-1.0, 0.5), 0.0, 2.0),  # behind: turn first
        ("go", (-1.0, -0.5), 0.0, -2.0),
        ("veer_left", (math.cos(0.7), -math.sin(0.7)), 0.72, 0.0),  # the waypoint is where a veer left ends up straight
        ("veer_right", (math.cos(0.7), math.sin(0.7)), 0.72, 0.0),
        ("sidestep_left", (0.0, -2.0), 0.72, 3.0 * (1.57 - math.pi / 2)),  # 1.57 is not quite a right angle
        ("sidestep_right", (0.0, 2.0), 0.72, 3.0 * (math.pi / 2 - 1.57)),
    ],
)
def test_each_maneuver_steers_relative_to_the_waypoint(
    name: str, waypoint: tuple[float, float], v: float, w: float
) -> None:
    assert desired(name, *waypoint) == pytest.approx((v, w), abs=1e-5)


def test_a_waypoint_exactly_behind_is_reached_by_a_left_turn() -> None:
    assert desired("go", -1.0, 0.0) == (0.0, 2.0)
    assert desired("go", -1.0, -0.0) == (0.0, 2.0)


def test_a_waypoint_under_the_robot_does_not_move_it() -> None:
    assert desired("go", 0.0, 0.0)[0] == 0.0


def test_limits_and_offsets_follow_the_names() -> None:
    limits = pack_limits(RobotConfig(radius=0.4, heading_gain=5.0, safety_margin=0.07), 0.2)
    assert limits[LIMIT.radius] == 0.4
    assert limits[LIMIT.heading_gain] == 5.0
    assert limits[LIMIT.safety_margin] == 0.07
    assert limits[LIMIT.control_period] == 0.2
    spec = observation_spec(RobotConfig())
    sizes = [stop - start for start, stop in controller_offsets(spec)]
    assert sizes == [24, 2, 2, 27]
