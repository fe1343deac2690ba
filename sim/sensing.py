"""Every robot's sensors in one compiled call: the simulator's side of what each robot computes for itself.

The waypoint and the observation come from the very functions that a robot runs (`find_waypoint`, `write_observation`),
compiled here.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.kernels import callable_in_kernels, kernel
from sim.layout import Layout
from sim.lidar import scan
from sim.observation import BROADCAST, MANEUVERS, observation_spec, state_spec
from sim.observing import observe, observe_heard, write_state
from sim.scene import SceneConfig
from sim.traffic.broadcast import RECORD, RECORD_SIZE
from sim.traffic.fleet import Traffic
from sim.traffic.state import MEMORY
from sim.travel import TRAVEL
from sim.waypoint import ARRIVAL, SPARE, find_waypoint, line_is_free, rack_gap

for helper in (rack_gap, line_is_free):
    callable_in_kernels(helper)
_find_waypoint = kernel(find_waypoint)


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
        self._poses, self._velocities, self._robot = poses, velocities, robot
        self.goals = np.zeros((n, 2))
        """Where each robot is sent: x, y [robots, 2], m."""
        self.maneuvers = np.zeros(n, np.int64)
        """The last decision [robots], set from outside."""
        self.travel = np.zeros((n, len(TRAVEL)))
        """What each robot has covered and has left, in the order of `TRAVEL` [robots, 5]."""
        self.observations = np.zeros((n, spec.size), np.float32)
        """What each robot observes [robots, size]."""
        self.traffic = None if scene.right_of_way == "none" else Traffic(layout, scene)
        """The robots' right of way."""
        self.records = np.zeros((n, RECORD_SIZE)) if self.traffic is None else self.traffic.records
        """What each robot broadcasts [robots, RECORD_SIZE]; without right of way the first part alone."""
        self.lidar = np.zeros((n, robot.lidar_rays), np.float32)
        """Ranges [robots, rays], m."""
        self.next_cell = np.zeros((n, cells), np.int32)
        """The cell that follows each on the way to each robot's goal [robots, cells]."""
        self._path_distance = np.zeros((n, cells))
        keep = robot.radius + robot.safety_margin + SPARE
        self._rooms = np.zeros(n)
        self._travel_arguments = (
            layout.blocked, (keep, scene.reach_distance), self.traffic is None, poses, velocities, self.goals,
            self.next_cell, self._path_distance, carrying, self.travel, self.records, self._rooms,
        )  # fmt: skip
        settings = (robot.radio_range, robot.neighbours)
        self._observe_arguments = (
            settings, poses, self.goals, self.maneuvers, np.stack([spec.low, spec.high]), self.travel, self.records,
            self._rooms, self.lidar if self.traffic is None else self.traffic.seen, self.observations,
        )  # fmt: skip

    @property
    def broadcasts(self) -> NDArray[np.float64]:
        """What each robot broadcasts, in the order of `BROADCAST` [robots, len(BROADCAST)]."""
        return self.records[:, : len(BROADCAST)]

    def start(self, poses: NDArray[np.float64], seed: int) -> None:
        """Begin an episode at `poses` [robots, 3]; the seed decides what the radio loses."""
        self.maneuvers.fill(MANEUVERS.index("stop"))
        self.travel[:, TRAVEL.progress] = self.travel[:, TRAVEL.distance] = 0.0
        self.travel[:, TRAVEL.last_x], self.travel[:, TRAVEL.last_y] = poses[:, 0], poses[:, 1]
        if self.traffic is not None:
            self.traffic.start(poses, seed)

    def send(self, robot: int, goal: int) -> None:
        """Send a robot to a goal cell."""
        path = self._layout.path_field(goal)
        self.goals[robot] = self._layout.middle(goal)
        self.next_cell[robot] = path.next_cell
        self._path_distance[robot] = path.distance
        self.travel[robot, TRAVEL.remaining] = -1.0
        if self.traffic is not None:
            self.traffic.send(robot, goal)

    def update(self) -> int:
        """Read all sensors; return -1, or a robot at its goal: then send it to another one and update again."""
        arrived: int = travel_on(*self._travel_arguments)
        if arrived >= 0:
            return arrived
        scan(self._layout.blocked, self._poses, self._robot.radius, self._robot.lidar_range, self.lidar)
        if self.traffic is None:
            observe(*self._observe_arguments)
        else:
            self.traffic.update(self.lidar)
            self._rooms[:] = self.traffic.memory[:, MEMORY.room]
            observe_heard(*self._observe_arguments, self.traffic.radio)
        return -1

    def state(self, time_share: float) -> NDArray[np.float32]:
        """Return the global state as `state_spec` describes it; `time_share` of the episode has passed."""
        out = np.empty(self._state_bounds.shape[1], np.float32)
        write_state(self.records, self._velocities, self.goals, self.travel, time_share, self._state_bounds, out)
        return out


@kernel
def travel_on(
    blocked: NDArray[np.bool_],
    distances: tuple[float, float],
    tells_waypoint: bool,
    poses: NDArray[np.float64],
    velocities: NDArray[np.float64],
    goals: NDArray[np.float64],
    next_cell: NDArray[np.int32],
    path_distance: NDArray[np.float64],
    carrying: NDArray[np.bool_],
    travel: NDArray[np.float64],
    records: NDArray[np.float64],
    rooms: NDArray[np.float64],
) -> int:
    """Update where all robots are and head; return -1, or the first robot at its goal, those after it not yet updated.

    Args:
        blocked: the racks [rows, columns].
        distances: what ways keep off racks, and at which a goal counts as reached [m].
        tells_waypoint: whether this waypoint is broadcast; else the one of the period before, by right of way.
        poses: x, y, heading [robots, 3].
        velocities: speed, turn rate [robots, 2].
        goals: x, y [robots, 2].
        next_cell: each robot's path field [robots, cells].
        path_distance: each robot's path field [robots, cells].
        carrying: on the way to a station [robots].
        travel: updated [robots, 5], in the order of `TRAVEL`.
        records: pose, speeds, order and perhaps waypoint are written [robots, RECORD_SIZE].
        rooms: how far each robot may drive on its path, written [robots], m.
    """
    keep, reach = distances
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
        rooms[i] = remaining - reach + ARRIVAL
        own = records[i]
        own[RECORD.x], own[RECORD.y], own[RECORD.heading] = x, y, poses[i, 2]
        own[RECORD.speed], own[RECORD.turn_rate] = velocities[i, 0], velocities[i, 1]
        if tells_waypoint:
            own[RECORD.waypoint_x], own[RECORD.waypoint_y] = wx, wy
        own[RECORD.carrying] = 1.0 if carrying[i] else 0.0
    return -1
