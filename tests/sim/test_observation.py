import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.observation import (
    BROADCAST,
    GOAL_RANGE,
    MANEUVERS,
    NEIGHBOUR,
    NEIGHBOUR_RANGE,
    PATH_RANGE,
    STATE,
    observation_spec,
    state_spec,
    write_observation,
)
from sim.scene import RobotConfig

ROBOT = RobotConfig()
SPEC = observation_spec(ROBOT)
BOUNDS = np.stack([SPEC.low, SPEC.high])
compiled_write_observation = numba.njit()(write_observation)


def observe(
    broadcasts: NDArray[np.float64],
    goal: tuple[float, float],
    lidar: float = 4.0,
    turn_rate: float = 0.0,
    remaining_path: float = 1.0,
    room: float = 0.5,
    maneuver: int = 0,
    me: int = 0,
    write: Callable[..., None] = write_observation,
) -> NDArray[np.float32]:
    out = np.full(SPEC.size, np.nan, np.float32)
    ranges = np.full(ROBOT.lidar_rays, lidar, np.float32)
    rest = (me, turn_rate, np.array(goal), remaining_path, room, maneuver, ROBOT.radio_range, ROBOT.neighbours)
    write(out, BOUNDS, ranges, broadcasts, *rest)
    return out


def random_world(seed: int) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """A fleet and orders far beyond what a warehouse holds."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 12))
    low = [0.0, 0.0, -10.0, -3.0, -5.0, -5.0, 0.0]
    high = [15.0, 15.0, 10.0, 3.0, 25.0, 25.0, 1.0]
    broadcasts = rng.uniform(low, high, (n, len(BROADCAST)))
    sensed = {
        "goal": tuple(rng.uniform(-30.0, 50.0, 2)),
        "lidar": rng.uniform(-1.0, 9.0),
        "turn_rate": rng.uniform(-5.0, 5.0),
        "remaining_path": rng.uniform(0.0, 60.0),
        "room": rng.uniform(-1.0, 60.0),
        "maneuver": int(rng.integers(len(MANEUVERS))),
        "me": int(rng.integers(n)),
    }
    return broadcasts, sensed


def test_layout_of_the_observation() -> None:
    # 24 rays, 2 + 2 + 1 + 1 + 2 + 1 numbers, 3 neighbours of 9, 8 maneuvers.
    assert SPEC.size == 68 == len(SPEC.low) == len(SPEC.high)
    assert SPEC.offsets == {
        "lidar": 0,
        "waypoint": 24,
        "goal": 26,
        "remaining_path": 28,
        "room": 29,
        "velocity": 30,
        "carrying": 32,
        "neighbours": 33,
        "last_maneuver": 60,
    }
    assert (SPEC.element(0), SPEC.element(23), SPEC.element(24)) == ("lidar[0]", "lidar[23]", "waypoint[0]")
    assert (SPEC.element(59), SPEC.element(67)) == ("neighbours[26]", "last_maneuver[7]")
    assert SPEC.slice("goal") == slice(26, 28)
    # A neighbour is 4 m away at most, and its waypoint another 3 m.
    assert SPEC.high[33:42].tolist() == pytest.approx([1, 4, 4, 1, 1, 1.2, 7, 7, 1])
    assert SPEC.low[42:51].tolist() == pytest.approx([0, -4, -4, -1, -1, -1.2, -7, -7, 0])


def test_layout_of_the_state() -> None:
    spec = state_spec(ROBOT, robots=4, width=12, height=8)
    assert (spec.size, spec.offsets) == (41, {"robots": 0, "time": 40})
    second = dict(
        zip(STATE._fields, zip(spec.low[10:20].tolist(), spec.high[10:20].tolist(), strict=True), strict=True)
    )
    assert (second["x"], second["y"], second["cos"]) == ((0, 12), (0, 8), (-1, 1))
    assert second["remaining_path"] == (0, PATH_RANGE)


def test_observation_by_hand() -> None:
    # The robot is at (2, 3) and faces +y: forward is +y, left is -x.
    broadcasts = np.array(
        [
            [2.0, 3.0, math.pi / 2, 0.7, 1.5, 3.5, 1.0],
            [2.0, 5.0, math.pi, -0.3, 1.0, 5.0, 1.0],  # 2 m ahead, faces left
            [3.0, 3.0, math.pi / 2, 1.2, 3.0, 4.0, 0.0],  # 1 m to the right, faces ahead
            [2.0, 7.5, 0.0, 1.0, 2.0, 8.5, 0.0],  # 4.5 m away: out of reach
            [6.0, 3.0, 0.0, 1.0, 6.5, 3.0, 0.0],  # 4 m away: just out of reach
        ]
    )
    fields = SPEC.unpack(
        observe(broadcasts, (2.0, 8.0), lidar=3.25, turn_rate=-1.5, remaining_path=5.5, room=1.5, maneuver=5)
    )
    expected: dict[str, Any] = {
        "lidar": [3.25] * 24,
        "waypoint": [0.5, 0.5],
        "goal": [5.0, 0.0],
        "remaining_path": [5.5],
        "room": [1.5],
        "velocity": [0.7, -1.5],
        "carrying": [1.0],
        "neighbours": [
            # present, forward, left, cos, sin, speed, waypoint forward, left, carrying; the nearest first
            [1.0, 0.0, -1.0, 1.0, 0.0, 1.2, 1.0, -1.0, 0.0],
            [1.0, 2.0, 0.0, 0.0, 1.0, -0.3, 2.0, 1.0, 1.0],
            [0.0] * 9,
        ],
        "last_maneuver": [0, 0, 0, 0, 0, 1, 0, 0],
    }
    for name, value in expected.items():
        np.testing.assert_allclose(fields[name], value, atol=1e-6, err_msg=name)


def test_what_is_out_of_range_saturates() -> None:
    own = [0.0, 0.0, 0.0, 1.5, 3.5, -9.0, 1.0]
    fields = SPEC.unpack(
        observe(np.array([own]), (30.0, 40.0), lidar=5.0, turn_rate=-2.5, remaining_path=50.0, room=9.0)
    )
    assert (fields["lidar"] == 4.0).all()
    assert fields["waypoint"].tolist() == [3.0, -3.0]
    # The goal keeps its direction: (30, 40) is 50 m away, so (30, 40) * 16 / 50.
    np.testing.assert_allclose(fields["goal"], [9.6, 12.8], rtol=1e-6)
    assert fields["remaining_path"].tolist() == [32.0]
    assert fields["room"].tolist() == [2.0]
    np.testing.assert_allclose(fields["velocity"], [1.2, -2.0])


def test_a_goal_underfoot_is_at_zero() -> None:
    fields = SPEC.unpack(observe(np.array([[1.5, 2.5, 0.3, 0.0, 1.5, 2.5, 0.0]]), (1.5, 2.5)))
    assert fields["goal"].tolist() == fields["waypoint"].tolist() == [0.0, 0.0]


def test_the_nearest_three_are_kept_and_ties_go_by_row() -> None:
    offsets = [(0.0, 0.0), (3.0, 0.0), (0.0, 2.0), (2.0, 0.0), (0.0, 0.0), (-2.0, 0.0)]
    broadcasts = np.zeros((6, len(BROADCAST)))
    broadcasts[:, :2] = offsets
    kept = SPEC.unpack(observe(broadcasts, (0.0, 0.0)))["neighbours"]
    # Row 4 stands at the very same place; rows 2, 3 and 5 are equally far, and the last of them finds no room.
    assert kept[:, :3].tolist() == [[1, 0, 0], [1, 0, 2], [1, 2, 0]]


@given(st.integers(0, 2**32))
def test_neighbours_are_those_in_reach_by_distance(seed: int) -> None:
    broadcasts, sensed = random_world(seed)
    kept = SPEC.unpack(observe(broadcasts, **sensed))["neighbours"]
    distances = np.linalg.norm(broadcasts[:, :2] - broadcasts[sensed["me"], :2], axis=1)
    near = np.sort(np.delete(distances, sensed["me"]))
    near = near[near < NEIGHBOUR_RANGE][: ROBOT.neighbours]
    assert kept[:, 0].tolist() == [1.0] * len(near) + [0.0] * (ROBOT.neighbours - len(near))
    np.testing.assert_allclose(np.linalg.norm(kept[: len(near), 1:3], axis=1), near, atol=1e-5)
    assert not kept[len(near) :].any()


@given(st.integers(0, 2**32))
def test_observations_stay_within_the_bounds(seed: int) -> None:
    broadcasts, sensed = random_world(seed)
    observation = observe(broadcasts, **sensed)
    assert (observation >= SPEC.low).all()
    assert (observation <= SPEC.high).all()
    fields = SPEC.unpack(observation)
    assert np.linalg.norm(fields["goal"]) <= GOAL_RANGE * (1 + 1e-6)
    assert np.flatnonzero(fields["last_maneuver"]).tolist() == [sensed["maneuver"]]


@given(st.integers(0, 2**32))
def test_simulator_and_robot_pack_the_same_bits(seed: int) -> None:
    broadcasts, sensed = random_world(seed)
    plain = observe(broadcasts, **sensed)
    np.testing.assert_array_equal(observe(broadcasts, **sensed, write=compiled_write_observation), plain)


@given(st.integers(0, 2**32), st.floats(-math.pi, math.pi), st.floats(-50, 50), st.floats(-50, 50))
def test_turning_and_moving_the_whole_world_changes_nothing(seed: int, turn: float, dx: float, dy: float) -> None:
    broadcasts, sensed = random_world(seed)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        moved: NDArray[np.float64] = points @ rotation.T + (dx, dy)
        return moved

    there = broadcasts.copy()
    there[:, :2], there[:, 4:6] = move(broadcasts[:, :2]), move(broadcasts[:, 4:6])
    there[:, 2] += turn
    goal = tuple(move(np.array(sensed["goal"])))
    np.testing.assert_allclose(observe(there, **sensed | {"goal": goal}), observe(broadcasts, **sensed), atol=1e-4)


def test_the_spec_follows_the_robot() -> None:
    spec = observation_spec(replace(ROBOT, lidar_rays=36, lidar_range=6.0, neighbours=5, max_speed=2.0))
    assert spec.size == 68 + 12 + 2 * len(NEIGHBOUR)
    assert (spec.high[spec.slice("lidar")] == 6.0).all()
    assert spec.high[spec.slice("velocity")].tolist() == [2.0, 2.0]
