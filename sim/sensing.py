"""Every robot's sensors in one compiled call: the simulator's side of what each robot computes for itself.

The waypoint and the observation come from the very functions that a robot runs (`find_waypoint`, `write_observation`),
compiled here.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.kernels import kernel
from sim.layout import Layout, find_waypoint
from sim.lidar import scan
from sim.observation import BROADCAST, MANEUVERS, PATH_RANGE, STATE, observation_spec, state_spec, write_observation
from sim.scene import SceneConfig

REMAINING, PROGRESS, DISTANCE, LAST_X, LAST_Y = range(5)
"""What is tallied of each robot: metres of path left (below 0: the goal is new), by how much it got shorter in this
decision, metres driven in this episode, and where the robot was last."""

_find_waypoint = kernel(find_waypoint)
_write_observation = kernel(write_observation)


class Sensors:
    """What the fleet senses, in arrays that live as long as the environment.

    Args:
        layout: the map that every robot carries.
        scene: the fleet and its robot.
        poses: x, y, heading [robots, 3], updated from outside.
        velocities: speed, turn rate [robots, 2], updated from outside.
        carrying: on the way to a station [robots], updated from outside.
    """

    def __init__(
        self,
        layout: Layout,
        scene: SceneConfig,
        poses: NDArray[np.float64],
        velocities: NDArray[np.float64],
        carrying: NDArray[np.bool_],
    ) -> None:
        n, robot, cells = scene.robots, scene.robot, layout.blocked.size
        spec, state = observation_spec(robot), state_spec(robot, n, layout.columns, layout.rows)
        self._layout, self._state_bounds = layout, np.stack([state.low, state.high])
        self._velocities = velocities
        self.goals = np.zeros((n, 2))
        """Where each robot is sent: x, y [robots, 2], m."""
        self.maneuvers = np.zeros(n, np.int64)
        """The last decision [robots], set from outside."""
        self.tally = np.zeros((n, 5))
        """See `REMAINING` and those that follow it [robots, 5]."""
        self.observations = np.zeros((n, spec.size), np.float32)
        """What each robot observes [robots, size]."""
        self.broadcasts = np.zeros((n, len(BROADCAST)))
        """What each robot broadcasts, in the order of `BROADCAST` [robots, len(BROADCAST)]."""
        self.lidar = np.zeros((n, robot.lidar_rays), np.float32)
        """Ranges [robots, rays], m."""
        self._next_cell = np.zeros((n, cells), np.int32)
        self._path_distance = np.zeros((n, cells))
        figures = (robot.radius, robot.lidar_range, robot.radio_range, scene.reach_distance, robot.neighbours)
        self._arguments = (
            layout.blocked, figures, poses, velocities, self.goals, self._next_cell, self._path_distance, carrying,
            self.maneuvers, np.stack([spec.low, spec.high]), self.tally, self.broadcasts,
            self.lidar, self.observations,
        )  # fmt: skip

    def start(self, poses: NDArray[np.float64]) -> None:
        """Begins an episode at `poses` [robots, 3]."""
        self.maneuvers.fill(MANEUVERS.index("stop"))
        self.tally[:, PROGRESS : DISTANCE + 1] = 0.0
        self.tally[:, LAST_X : LAST_Y + 1] = poses[:, :2]

    def send(self, robot: int, goal: int) -> None:
        """Points a robot at a goal cell."""
        path = self._layout.path_field(goal)
        self.goals[robot] = self._layout.middle(goal)
        self._next_cell[robot] = path.next_cell
        self._path_distance[robot] = path.distance
        self.tally[robot, REMAINING] = -1.0

    def update(self) -> int:
        """Senses once; returns a robot that has reached its goal, needs a new one and so another update, or -1."""
        arrived: int = sense(*self._arguments)
        return arrived

    def state(self, time_share: float) -> NDArray[np.float32]:
        """The global state as `state_spec` describes it, a new array; `time_share` of the episode is over."""
        out = np.empty(self._state_bounds.shape[1], np.float32)
        write_state(self.broadcasts, self._velocities, self.goals, self.tally, time_share, self._state_bounds, out)
        return out


@kernel
def sense(
    blocked: NDArray[np.bool_],
    robot: tuple[float, float, float, float, int],
    poses: NDArray[np.float64],
    velocities: NDArray[np.float64],
    goals: NDArray[np.float64],
    next_cell: NDArray[np.int32],
    path_distance: NDArray[np.float64],
    carrying: NDArray[np.bool_],
    maneuvers: NDArray[np.int64],
    bounds: NDArray[np.float32],
    tally: NDArray[np.float64],
    broadcasts: NDArray[np.float64],
    lidar: NDArray[np.float32],
    observations: NDArray[np.float32],
) -> int:
    """Updates what all robots sense; returns the first robot that has reached its goal, then unfinished, or -1.

    Args:
        blocked: the racks [rows, columns].
        robot: radius, lidar range, radio range, reach distance [m], and the number of neighbours that a robot observes.
        poses: x, y, heading [robots, 3].
        velocities: speed, turn rate [robots, 2].
        goals: x, y [robots, 2].
        next_cell: each robot's path field [robots, cells].
        path_distance: each robot's path field [robots, cells].
        carrying: on the way to a station [robots].
        maneuvers: the last decision [robots].
        bounds: smallest and largest observation [2, size].
        tally: updated [robots, 5], see `REMAINING`.
        broadcasts: written [robots, len(BROADCAST)].
        lidar: written [robots, rays].
        observations: written [robots, size].
    """
    radius, lidar_range, radio_range, reach, neighbours = robot
    rows, columns = blocked.shape
    for i in range(len(poses)):
        x, y = poses[i, 0], poses[i, 1]
        wx, wy, cell = _find_waypoint(next_cell[i], rows, columns, x, y)
        remaining = math.sqrt((wx - x) ** 2 + (wy - y) ** 2) + path_distance[i, cell]
        if tally[i, REMAINING] >= 0.0:
            tally[i, PROGRESS] += tally[i, REMAINING] - remaining
        tally[i, REMAINING] = remaining
        tally[i, DISTANCE] += math.sqrt((x - tally[i, LAST_X]) ** 2 + (y - tally[i, LAST_Y]) ** 2)
        tally[i, LAST_X], tally[i, LAST_Y] = x, y
        if (goals[i, 0] - x) ** 2 + (goals[i, 1] - y) ** 2 <= reach * reach:
            return i
        own = broadcasts[i]
        own[BROADCAST.x], own[BROADCAST.y], own[BROADCAST.heading] = x, y, poses[i, 2]
        own[BROADCAST.speed] = velocities[i, 0]
        own[BROADCAST.waypoint_x], own[BROADCAST.waypoint_y] = wx, wy
        own[BROADCAST.carrying] = 1.0 if carrying[i] else 0.0
    scan(blocked, poses, radius, lidar_range, lidar)
    for i in range(len(poses)):
        _write_observation(
            observations[i], bounds, lidar[i], broadcasts, i, velocities[i, 1], goals[i], tally[i, REMAINING],
            maneuvers[i], radio_range, neighbours,
        )  # fmt: skip
    return -1


@kernel
def write_state(
    broadcasts: NDArray[np.float64],
    velocities: NDArray[np.float64],
    goals: NDArray[np.float64],
    tally: NDArray[np.float64],
    time_share: float,
    bounds: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Packs the global state into `out` [robots * len(STATE) + 1], in the order of `state_spec`."""
    for i in range(len(goals)):
        own, row = broadcasts[i], out[len(STATE) * i : len(STATE) * (i + 1)]
        row[STATE.x], row[STATE.y] = own[BROADCAST.x], own[BROADCAST.y]
        row[STATE.cos], row[STATE.sin] = math.cos(own[BROADCAST.heading]), math.sin(own[BROADCAST.heading])
        row[STATE.v], row[STATE.w] = own[BROADCAST.speed], velocities[i, 1]
        row[STATE.goal_x], row[STATE.goal_y] = goals[i, 0], goals[i, 1]
        row[STATE.carrying] = own[BROADCAST.carrying]
        row[STATE.remaining_path] = min(tally[i, REMAINING], PATH_RANGE)
    out[len(out) - 1] = time_share
    for i in range(len(out)):
        out[i] = min(max(out[i], bounds[0, i]), bounds[1, i])
