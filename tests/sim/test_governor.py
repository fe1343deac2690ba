import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.controller import control, control_all
from sim.observation import MANEUVERS
from tests.sim.unicycle import BOUNDS, LIMITS, OFFSETS, ROBOT, SPEC, grid, move

GO, STOP = MANEUVERS.index("go"), MANEUVERS.index("stop")
OPEN = np.zeros((8, 12), np.bool_)
RACKS = grid(
    "............", ".##.##.##.#.", ".##.##.##.#.", "............", ".##.##.##.#.", ".##.##.##.#.", "............"
)
FLOORS = [
    grid("....", "....", "....", "...."),
    grid("....", ".##.", "....", "...."),
    grid("......", ".#.##.", "......", ".##.#.", "......"),
    grid("........", ".##.##..", "........", ".#.#.##.", ".#.#.##.", "........"),
    grid("........", ".#..#.#.", "...#....", ".#....#.", "..#.#...", "........"),
]


def fleet(*poses: tuple[float, float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.array(poses), np.zeros((len(poses), 2))


def go_along(
    blocked: NDArray[np.bool_], start: tuple[float, float, float], route: list[tuple[float, float]]
) -> tuple[float, float]:
    """Move a robot that always goes over the waypoints; return how long it took [s] and its least gap to a rack [m]."""
    poses, velocities = fleet(start)
    gap, ticks = math.inf, 0
    for x, y in route:
        while math.hypot(x - poses[0, 0], y - poses[0, 1]) > 0.35:
            gap = min(gap, move(blocked, poses, velocities, np.array([[x, y]]), np.array([GO]), 1)[0])
            ticks += 1
            assert ticks < 1000, f"stuck at {poses[0]} on the way to {(x, y)}"
    return ticks * 0.1, gap


def test_a_wall_ahead_stops_the_robot_before_the_margin_and_near_to_it() -> None:
    poses, velocities = fleet((1.5, 4.5, 0.0))
    waypoints = np.array([[20.0, 4.5]])
    gap = min(move(OPEN, poses, velocities, waypoints, np.array([GO]))[0] for _ in range(40))
    assert 0.03 < gap < 0.05  # at a creep 70% of the margin of 5 cm
    assert abs(velocities[0, 0]) < 0.01


@pytest.mark.parametrize("offset", [0.0, 0.1, 0.18])
def test_a_narrow_aisle_is_passed_fast(offset: float) -> None:
    aisle = grid("############", "............", "############")
    seconds, gap = go_along(aisle, (0.5, 1.5 + offset, 0.0), [(x + 0.5, 1.5) for x in range(1, 12)])
    assert seconds < 10.65 / (0.6 * ROBOT.max_speed)
    assert gap > 0.2 - offset - 1e-6


def test_it_turns_around_racks() -> None:
    route = [(1.5, 0.5), (2.5, 0.5), (3.5, 0.5), (3.5, 1.5), (3.5, 2.5), (3.5, 3.5), (2.5, 3.5), (1.5, 3.5), (0.5, 3.5)]
    seconds, gap = go_along(RACKS, (0.5, 0.5, 0.0), route)
    assert seconds < 9.0 / (0.6 * ROBOT.max_speed)
    assert gap > 0.03


def test_two_robots_that_meet_head_on_stop_with_the_margin_between_them() -> None:
    poses, velocities = fleet((1.5, 4.5, 0.0), (8.5, 4.5, math.pi))
    waypoints = np.array([[20.0, 4.5], [-10.0, 4.5]])
    gap = min(move(OPEN, poses, velocities, waypoints, np.array([GO, GO]))[1] for _ in range(40))
    assert ROBOT.safety_margin - 0.005 < gap < ROBOT.safety_margin + 0.05
    assert np.abs(velocities[:, 0]).max() < 0.01
    assert poses[0, 0] + poses[1, 0] == pytest.approx(10.0, abs=1e-3)  # each has used its half


def test_robots_in_neighbouring_lanes_pass_at_full_speed() -> None:
    poses, velocities = fleet((0.5, 3.5, 0.0), (11.5, 4.5, math.pi))
    slowest = math.inf
    for decision in range(22):
        waypoints = poses[:, :2] + np.array([[2.0, 0.0], [-2.0, 0.0]])
        waypoints[:, 1] = 3.5, 4.5
        move(OPEN, poses, velocities, waypoints, np.array([GO, GO]))
        slowest = min(slowest, velocities[:, 0].min()) if 2 < decision < 19 else slowest
    assert slowest > 0.95 * ROBOT.max_speed


@pytest.mark.parametrize("distance", [0.61, 0.64, 0.75])
def test_robots_that_are_too_near_can_part_but_not_approach(distance: float) -> None:
    for heading, moves in ((math.pi, True), (0.0, False)):
        poses, velocities = fleet((4.0, 4.0, heading), (4.0 + distance, 4.0, 0.5))
        waypoints = poses[:, :2] + np.array([[2.0 * math.cos(heading), 0.0], [0.0, 0.0]])
        for _ in range(3):
            move(OPEN, poses, velocities, waypoints, np.array([GO, STOP]))
        after = poses[1, 0] - poses[0, 0]
        assert after > distance + 0.5 if moves else after > min(distance, 0.65) - 1e-3


def test_it_brakes_to_stop_and_when_a_robot_comes_at_it() -> None:
    lidar, waypoint = np.full(24, 4.0, np.float32), np.array([2.0, 0.0], np.float32)
    room, velocity, out = np.array([2.0], np.float32), np.array([1.0, 0.0], np.float32), np.zeros(2)
    nobody = np.zeros((3, 9), np.float32)
    control(STOP, lidar, waypoint, room, velocity, nobody, LIMITS, out)
    assert out == pytest.approx([0.8, 0.0])  # 2 m/s^2 for 0.1 s
    # It needs 0.25 m to brake, the other one 0.36 m: of the 1.3 m between them 0.69 m are left. Half of that is 0.02 m
    # more than its radius and half of the margin: it may use 0.27 m. Braking at once takes 0.25 m; slowing down to
    # 0.9 m/s in this period and braking then takes 0.095 + 0.2025 m, too much.
    somebody = nobody.copy()
    somebody[0] = 1.0, 1.3, 0.0, -1.0, 0.0, 1.2, 0.0, 0.0, 0.0
    control(GO, lidar, waypoint, room, velocity, somebody, LIMITS, out)
    assert 0.8 <= out[0] < 0.9


@given(st.integers(0, 2**32 - 1), st.integers(0, len(MANEUVERS) - 1))
def test_a_command_is_finite_within_reach_and_independent_of_the_others(seed: int, maneuver: int) -> None:
    rng = np.random.default_rng(seed)
    observations = rng.uniform(BOUNDS[0], BOUNDS[1], (3, SPEC.size)).astype(np.float32)
    observations[:, SPEC.slice("lidar")] **= rng.uniform(-1, 1)
    maneuvers, commands, alone = np.array([maneuver, 1, 2]), np.zeros((3, 2)), np.zeros((1, 2))
    control_all(maneuvers, observations, OFFSETS, LIMITS, commands)
    change = commands - observations[:, SPEC.slice("velocity")]
    assert np.all(np.abs(change) <= np.array([0.2, 1.0]) + 1e-6)
    control_all(maneuvers[:1], observations[:1], OFFSETS, LIMITS, alone)
    assert alone[0].tolist() == commands[0].tolist()


def wander(blocked: NDArray[np.bool_], robots: int, decisions: int, always_go: bool, seed: int) -> tuple[int, int]:
    """Return the contacts with racks and between robots, with random waypoints in neighbouring cells."""
    rng = np.random.default_rng(seed)
    free = np.argwhere(~blocked)
    cells = free[rng.permutation(len(free))[:robots]]
    poses, velocities = fleet(*((c + 0.5, r + 0.5, rng.uniform(-math.pi, math.pi)) for r, c in cells))
    waypoints, maneuvers, held = poses[:, :2].copy(), np.full(robots, GO), np.zeros(robots, np.int64)
    contacts, before = [0, 0], [False, False]
    for _ in range(decisions):
        for i in range(robots):
            if math.dist(waypoints[i], poses[i, :2]) < 0.35 or rng.random() < 0.05:
                near = free[np.abs(free - poses[i, 1::-1] + 0.5).max(1) < 1.5]
                waypoints[i] = near[rng.integers(len(near)), ::-1] + 0.5
            held[i] -= 1
            if held[i] <= 0 and not always_go:
                maneuvers[i], held[i] = rng.integers(len(MANEUVERS)), rng.integers(1, 8)
        touches = [gap < 0 for gap in move(blocked, poses, velocities, waypoints, maneuvers)]
        contacts = [n + (now and not was) for n, now, was in zip(contacts, touches, before, strict=True)]
        before = touches
    return contacts[0], contacts[1]


@pytest.mark.parametrize("always_go", [False, True])
def test_fleets_hardly_ever_touch_whatever_the_maneuvers(always_go: bool) -> None:
    contacts = np.zeros(2, np.int64)
    for seed in range(4):
        for floor in FLOORS:
            for robots in (2, 3, 4, 6):
                contacts += wander(floor, robots, 450, always_go, seed)
    # 4 seeds, 5 floors and 15 robots on each, 450 decisions of 0.4 s: 15 robot-hours, 0.3 contacts in each.
    assert contacts.sum() < 0.3 * 15, contacts
