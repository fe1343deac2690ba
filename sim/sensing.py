"""Every robot's sensors in one compiled call: the simulator's side of what each robot computes for itself.

The waypoint and the observation come from the very functions that a robot runs (`find_waypoint`, `write_observation`),
compiled here.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.kernels import callable_in_kernels, kernel
from sim.layout import Layout
from sim.lidar import scan
from sim.observation import BROADCAST, MANEUVERS, PATH_RANGE, STATE, observation_spec, state_spec, write_observation
from sim.scene import SceneConfig
from sim.waypoint import ARRIVAL, SPARE, find_waypoint, line_is_free, rack_gap


class Travel(NamedTuple):
    """Where a robot's record of its travel holds its parts [m]."""

    remaining: int
    """Path left to the goal; below 0 the goal is new."""
    progress: int
    """By how much that got shorter in this decision."""
    distance: int
    """Distance covered in this episode."""
    last_x: int
    """Where the robot was last."""
    last_y: int


TRAVEL = Travel(*range(len(Travel._fields)))

for helper in (rack_gap, line_is_free):
    callable_in_kernels(helper)
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
        self.travel = np.zeros((n, len(TRAVEL)))
        """What each robot has covered and has left, in the order of `TRAVEL` [robots, 5]."""
        self.observations = np.zeros((n, spec.size), np.float32)
        """What each robot observes [robots, size]."""
        self.broadcasts = np.zeros((n, len(BROADCAST)))
        """What each robot broadcasts, in the order of `BROADCAST` [robots, len(BROADCAST)]."""
        self.lidar = np.zeros((n, robot.lidar_rays), np.float32)
        """Ranges [robots, rays], m."""
        self.next_cell = np.zeros((n, cells), np.int32)
        """The cell that follows each on the way to each robot's goal [robots, cells]."""
        self._path_distance = np.zeros((n, cells))
        keep = robot.radius + robot.safety_margin + SPARE
        settings = (robot.radius, keep, robot.lidar_range, robot.radio_range, scene.reach_distance, robot.neighbours)
        self._arguments = (
            layout.blocked, settings, poses, velocities, self.goals, self.next_cell, self._path_distance, carrying,
            self.maneuvers, np.stack([spec.low, spec.high]), self.travel, self.broadcasts,
            self.lidar, self.observations,
        )  # fmt: skip

    def start(self, poses: NDArray[np.float64]) -> None:
        """Begin an episode at `poses` [robots, 3]."""
        self.maneuvers.fill(MANEUVERS.index("stop"))
        self.travel[:, TRAVEL.progress] = self.travel[:, TRAVEL.distance] = 0.0
        self.travel[:, TRAVEL.last_x], self.travel[:, TRAVEL.last_y] = poses[:, 0], poses[:, 1]

    def send(self, robot: int, goal: int) -> None:
        """Send a robot to a goal cell."""
        path = self._layout.path_field(goal)
        self.goals[robot] = self._layout.middle(goal)
        self.next_cell[robot] = path.next_cell
        self._path_distance[robot] = path.distance
        self.travel[robot, TRAVEL.remaining] = -1.0

    def update(self) -> int:
        """Read all sensors; return -1, or a robot at its goal: then send it to another one and update again."""
        arrived: int = sense(*self._arguments)
        return arrived

    def state(self, time_share: float) -> NDArray[np.float32]:
        """Return the global state as `state_spec` describes it; `time_share` of the episode has passed."""
        out = np.empty(self._state_bounds.shape[1], np.float32)
        write_state(self.broadcasts, self._velocities, self.goals, self.travel, time_share, self._state_bounds, out)
        return out


@kernel
def sense(
    blocked: NDArray[np.bool_],
    robot: tuple[float, float, float, float, float, int],
    poses: NDArray[np.float64],
    velocities: NDArray[np.float64],
    goals: NDArray[np.float64],
    next_cell: NDArray[np.int32],
    path_distance: NDArray[np.float64],
    carrying: NDArray[np.bool_],
    maneuvers: NDArray[np.int64],
    bounds: NDArray[np.float32],
    travel: NDArray[np.float64],
    broadcasts: NDArray[np.float64],
    lidar: NDArray[np.float32],
    observations: NDArray[np.float32],
) -> int:
    """Update what all robots sense; return -1, or the first robot at its goal, those after it not yet updated.

    Args:
        blocked: the racks [rows, columns].
        robot: radius, distance that ways keep off racks, lidar range, radio range, reach distance [m], and the number
            of neighbours that a robot observes.
        poses: x, y, heading [robots, 3].
        velocities: speed, turn rate [robots, 2].
        goals: x, y [robots, 2].
        next_cell: each robot's path field [robots, cells].
        path_distance: each robot's path field [robots, cells].
        carrying: on the way to a station [robots].
        maneuvers: the last decision [robots].
        bounds: smallest and largest observation [2, size].
        travel: updated [robots, 5], in the order of `TRAVEL`.
        broadcasts: written [robots, len(BROADCAST)].
        lidar: written [robots, rays].
        observations: written [robots, size].
    """
    radius, keep, lidar_range, radio_range, reach, neighbours = robot
    for i in range(len(poses)):
        x, y = poses[i, 0], poses[i, 1]
        wx, wy, rest, cell = _find_waypoint(blocked, next_cell[i], keep, x, y)
        remaining = math.sqrt((wx - x) ** 2 + (wy - y) ** 2) + rest + path_distance[i, cell]
        way = travel[i]
        if way[TRAVEL.remaining] >= 0.0:
            way[TRAVEL.progress] += way[TRAVEL.remaining] - remaining
        way[TRAVEL.remaining] = remaining
        way[TRAVEL.distance] += math.sqrt((x - way[TRAVEL.last_x]) ** 2 + (y - way[TRAVEL.last_y]) ** 2)
        way[TRAVEL.last_x], way[TRAVEL.last_y] = x, y
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
            observations[i], bounds, lidar[i], broadcasts, i, velocities[i, 1], goals[i], travel[i, TRAVEL.remaining],
            travel[i, TRAVEL.remaining] - reach + ARRIVAL, maneuvers[i], radio_range, neighbours,
        )  # fmt: skip
    return -1


@kernel
def write_state(
    broadcasts: NDArray[np.float64],
    velocities: NDArray[np.float64],
    goals: NDArray[np.float64],
    travel: NDArray[np.float64],
    time_share: float,
    bounds: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Pack the global state into `out` [robots * len(STATE) + 1], in the order of `state_spec`."""
    for i in range(len(goals)):
        own, row = broadcasts[i], out[len(STATE) * i : len(STATE) * (i + 1)]
        row[STATE.x], row[STATE.y] = own[BROADCAST.x], own[BROADCAST.y]
        row[STATE.cos], row[STATE.sin] = math.cos(own[BROADCAST.heading]), math.sin(own[BROADCAST.heading])
        row[STATE.v], row[STATE.w] = own[BROADCAST.speed], velocities[i, 1]
        row[STATE.goal_x], row[STATE.goal_y] = goals[i, 0], goals[i, 1]
        row[STATE.carrying] = own[BROADCAST.carrying]
        row[STATE.remaining_path] = min(travel[i, TRAVEL.remaining], PATH_RANGE)
    out[len(out) - 1] = time_share
    for i in range(len(out)):
        out[i] = min(max(out[i], bounds[0, i]), bounds[1, i])
