import numpy as np
import pytest

from export.fleet.protective_field import ProtectiveField
from tests.export.robot_bench import WIRE

FIELD = ProtectiveField(WIRE.robot, WIRE.control_period)


def scan(ray: int, distance: float) -> np.ndarray:
    """A free floor but for what one of the 24 rays hits."""
    ranges = np.full(WIRE.rays, WIRE.robot.lidar_range, np.float32)
    ranges[ray] = distance
    return ranges


@pytest.mark.parametrize(
    ("ray", "distance", "blocked"),
    [
        # From 0.8 m/s it reaches 1.0: 0.09 m in the period and 0.25 m while it brakes, so its front ends at 0.64 m.
        (0, 0.60, True),
        (0, 0.39, True),
        (0, 0.70, False),
        (12, 0.35, False),  # behind
        (6, 0.31, False),  # beside
    ],
)
def test_a_command_is_blocked_by_what_its_stopping_arc_would_reach(ray: int, distance: float, blocked: bool) -> None:
    assert FIELD.blocked((0.8, 0.0), (1.2, 0.0), scan(ray, distance)) is blocked


def test_what_is_too_near_already_lets_the_robot_back_away() -> None:
    assert FIELD.blocked((0.0, 0.0), (0.5, 0.0), scan(0, 0.28))
    assert not FIELD.blocked((0.0, 0.0), (-0.5, 0.0), scan(0, 0.28))


def test_a_robot_that_turns_in_place_reaches_nothing() -> None:
    assert not FIELD.blocked((0.0, 0.0), (0.0, 2.0), scan(0, 0.30))


def test_a_curve_is_followed() -> None:
    left = scan(3, 0.55)  # 45 degrees to the left, 0.39 m ahead and beside
    assert FIELD.blocked((1.0, 2.0), (1.0, 2.0), left)
    assert not FIELD.blocked((1.0, -2.0), (1.0, -2.0), left)
