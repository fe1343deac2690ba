import math

import numpy as np
import pytest

from sim.controller import controller_offsets, track
from sim.limits import LIMIT, pack_limits
from sim.observation import MANEUVERS, observation_spec
from sim.scene import RobotConfig

LIMITS = pack_limits(RobotConfig(), 0.1)


def desired(name: str, *waypoint: float, speed: float = 0.0, room: float = 2.0) -> tuple[float, float]:
    ahead, left, velocity = (np.array(values, np.float32) for values in (waypoint, (room,), (speed, 0.0)))
    return track(MANEUVERS.index(name), ahead, left, velocity, LIMITS)


@pytest.mark.parametrize(
    ("name", "waypoint", "v", "w"),
    [
        ("go", (2.0, 0.0), 1.2, 0.0),
        ("slow", (2.0, 0.0), 0.48, 0.0),  # 0.4 * 1.2
        ("back", (2.0, 0.0), -0.48, 0.0),
        ("back", (-2.0, 0.0), 0.48, 0.0),  # away from a waypoint that is behind
        ("stop", (2.0, 1.0), 0.0, 0.0),
        ("go", (2.0, 0.2), 1.2, 6.0 * math.atan(0.1)),  # nearly ahead: at full speed
        ("go", (1.0, 1.0), 1.2 * math.sqrt(0.5) / 0.8, 2.0),  # 6 * 0.785 is cut to 2
        ("go", (0.0, 1.0), 0.0, 2.0),  # beside: turn first
        ("go", (-1.0, 0.0), -1.2, 0.0),  # behind: backwards
        ("go", (-2.0, 0.2), -1.2, -6.0 * math.atan(0.1)),
        ("veer_left", (math.cos(0.7), -math.sin(0.7)), 0.72, 0.0),  # the waypoint is where a veer left ends up straight
        ("veer_right", (math.cos(0.7), math.sin(0.7)), 0.72, 0.0),
        ("sidestep_left", (0.0, -2.0), 0.72, 6.0 * (1.57 - math.pi / 2)),  # 1.57 is not quite a right angle
        ("sidestep_right", (0.0, 2.0), 0.72, 6.0 * (math.pi / 2 - 1.57)),
    ],
)
def test_each_maneuver_steers_relative_to_the_waypoint(
    name: str, waypoint: tuple[float, float], v: float, w: float
) -> None:
    assert desired(name, *waypoint) == pytest.approx((v, w), abs=1e-5)


def test_a_robot_at_speed_keeps_its_front_while_the_waypoint_is_a_little_behind() -> None:
    # At its largest speed the other front has to be favoured by a cosine of 0.4, at half of it by 0.2.
    behind = (-0.3, math.sqrt(1.0 - 0.3**2))
    assert desired("go", *behind, speed=1.2) == (0.0, 2.0)  # turns left, on towards it
    assert desired("go", *behind, speed=0.6)[1] == -2.0  # turns right, its back towards it
    ahead = (0.3, behind[1])
    assert desired("go", *ahead, speed=-1.2) == (0.0, -2.0)
    assert desired("go", *ahead, speed=-0.6)[1] == 2.0


@pytest.mark.parametrize(("room", "v"), [(0.1, 0.6), (0.4, 1.2), (0.0, 0.0), (-0.5, 0.0)])
def test_a_robot_brakes_for_the_end_of_its_room(room: float, v: float) -> None:
    assert desired("go", 1.0, 0.0, room=room)[0] == pytest.approx(v)  # sqrt(2 * 0.9 * 2 * room)
    assert desired("go", -1.0, 0.0, room=room)[0] == pytest.approx(-v)


def test_a_waypoint_under_the_robot_does_not_move_it() -> None:
    assert desired("go", 0.0, 0.0) == (0.0, 0.0)
    v, w = desired("go", 0.005, 0.005)
    assert 0.0 <= v < 0.2
    assert 0.0 <= w < 0.7


def test_limits_and_offsets_follow_the_names() -> None:
    limits = pack_limits(RobotConfig(radius=0.4, heading_gain=5.0, safety_margin=0.07), 0.2)
    assert limits[LIMIT.radius] == 0.4
    assert limits[LIMIT.heading_gain] == 5.0
    assert limits[LIMIT.safety_margin] == 0.07
    assert limits[LIMIT.control_period] == 0.2
    spec = observation_spec(RobotConfig())
    sizes = [stop - start for start, stop in controller_offsets(spec)]
    assert sizes == [24, 2, 1, 2, 27]
