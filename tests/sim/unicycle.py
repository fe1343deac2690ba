"""Robots as ideal discs with limited acceleration: what the controller does, apart from any physics engine."""

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from sim.controller import control_all, controller_offsets
from sim.lidar import scan
from sim.limits import LIMIT, pack_limits
from sim.observation import ROOM_RANGE, observation_spec, write_observation
from sim.scene import RobotConfig

ROBOT = RobotConfig()
PERIOD = 0.1
SPEC = observation_spec(ROBOT)
OFFSETS = controller_offsets(SPEC)
LIMITS = pack_limits(ROBOT, PERIOD)
BOUNDS = np.stack([SPEC.low, SPEC.high])
SUBSTEPS = 4

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiled by numba, without a cache: these sources are not among those that it would be kept by."""
    result: Any = numba.njit(function)
    return cast(Function, result)


_write_observation = compiled(write_observation)


def grid(*lines: str) -> NDArray[np.bool_]:
    """Return the racks of a map, drawn with its highest row first."""
    return np.array([[cell == "#" for cell in line] for line in reversed(lines)])


@compiled
def rack_gap(blocked: NDArray[np.bool_], x: float, y: float, radius: float) -> float:
    """Return the distance between a disc and the nearest rack or border [m]."""
    rows, columns = blocked.shape
    gap = min(x, columns - x, y, rows - y)
    for row in range(rows):
        for column in range(columns):
            if blocked[row, column]:
                dx, dy = x - min(max(x, column), column + 1), y - min(max(y, row), row + 1)
                gap = min(gap, math.sqrt(dx * dx + dy * dy))
    return float(gap - radius)


@compiled
def _move(
    blocked: NDArray[np.bool_],
    poses: NDArray[np.float64],
    velocities: NDArray[np.float64],
    waypoints: NDArray[np.float64],
    maneuvers: NDArray[np.int64],
    ticks: int,
    offsets: NDArray[np.int64],
    limits: NDArray[np.float64],
    bounds: NDArray[np.float32],
) -> tuple[float, float]:
    n, dt, reach = len(poses), 0.1 / SUBSTEPS, limits[LIMIT.lidar_range]
    steps = limits[LIMIT.max_acceleration] * dt, limits[LIMIT.max_turn_acceleration] * dt
    lidar = np.empty((n, offsets[0, 1] - offsets[0, 0]), np.float32)
    observations, commands = np.empty((n, bounds.shape[1]), np.float32), np.empty((n, 2))
    to_racks, to_robots = 1e3, 1e3
    for _ in range(ticks):
        scan(blocked, poses, limits[LIMIT.radius], reach, lidar)
        broadcasts = np.zeros((n, 7))
        broadcasts[:, :3], broadcasts[:, 3], broadcasts[:, 4:6] = poses, velocities[:, 0], waypoints
        for i in range(n):
            own, turn_rate, waypoint = observations[i], velocities[i, 1], waypoints[i]
            _write_observation(
                own, bounds, lidar[i], broadcasts, i, turn_rate, waypoint, 1.0, ROOM_RANGE, maneuvers[i], reach, 3
            )
        control_all(maneuvers, observations, offsets, limits, commands)
        for _ in range(SUBSTEPS):
            for i in range(n):
                for j, most in enumerate(steps):
                    velocities[i, j] += min(max(commands[i, j] - velocities[i, j], -most), most)
                poses[i, 2] += velocities[i, 1] * dt
                poses[i, 0] += velocities[i, 0] * math.cos(poses[i, 2]) * dt
                poses[i, 1] += velocities[i, 0] * math.sin(poses[i, 2]) * dt
            for i in range(n):
                to_racks = min(to_racks, rack_gap(blocked, poses[i, 0], poses[i, 1], limits[LIMIT.radius]))
                for j in range(i):
                    dx, dy = poses[i, 0] - poses[j, 0], poses[i, 1] - poses[j, 1]
                    to_robots = min(to_robots, math.sqrt(dx * dx + dy * dy) - 2 * limits[LIMIT.radius])
    return to_racks, to_robots


def move(
    blocked: NDArray[np.bool_],
    poses: NDArray[np.float64],
    velocities: NDArray[np.float64],
    waypoints: NDArray[np.float64],
    maneuvers: NDArray[np.int64],
    ticks: int = 4,
) -> tuple[float, float]:
    """Move the robots for some control periods, in place; return the least gaps to racks and between robots [m]."""
    return _move(blocked, poses, velocities, waypoints, maneuvers, ticks, OFFSETS, LIMITS, BOUNDS)
