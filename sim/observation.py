"""What one robot observes, and the global state of the whole warehouse.

Only this file knows the order of the numbers. The simulator compiles `write_observation` and the robot runs it as it
is, so both pack the same numbers from the same sensors. Everything is float32 in SI units; the network divides by
`scale` itself.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.scene import RobotConfig
from sim.vector_spec import Field, VectorSpec

MANEUVERS = ("stop", "go", "slow", "back", "veer_left", "veer_right", "sidestep_left", "sidestep_right")
GOAL_RANGE = 16.0
"""The goal's offset keeps its direction and is limited to this length [m]."""
PATH_RANGE = 32.0
"""The remaining path is limited to this length [m]."""
ROOM_RANGE = 2.0
"""What a robot may drive on its path is cut to this length: more than it takes to stop [m]."""
NEIGHBOUR_RANGE = 4.0
"""Robots that are farther away are not observed, however far the radio reaches: more than two need to stop [m]."""
WAYPOINT_RANGE = 3.0
"""A waypoint is never farther away than this [m]."""


class Broadcast(NamedTuple):
    """Where a broadcast holds its parts: map coordinates [m], heading [rad], speed [m/s], next waypoint [m], 0 or 1."""

    x: int
    y: int
    heading: int
    speed: int
    waypoint_x: int
    waypoint_y: int
    carrying: int


class Neighbour(NamedTuple):
    """Where an observation holds the parts of a neighbour's broadcast, in the observer's frame; all 0 without one."""

    present: int
    x: int
    y: int
    cos: int
    sin: int
    speed: int
    waypoint_x: int
    waypoint_y: int
    carrying: int


class State(NamedTuple):
    """Where the global state holds the parts of a robot, in map coordinates."""

    x: int
    y: int
    cos: int
    sin: int
    v: int
    w: int
    goal_x: int
    goal_y: int
    carrying: int
    remaining_path: int


# Indices by name, which numba compiles as constants; the names are in `_fields`.
BROADCAST = Broadcast(*range(len(Broadcast._fields)))
NEIGHBOUR = Neighbour(*range(len(Neighbour._fields)))
STATE = State(*range(len(State._fields)))


def _field(name: str, shape: tuple[int, ...], unit: str, low: list[float], high: list[float], meaning: str) -> Field:
    repeat = math.prod(shape) // len(low)
    return Field(name, shape, unit, tuple(low) * repeat, tuple(high) * repeat, meaning)


def observation_spec(robot: RobotConfig) -> VectorSpec:
    """Return what one robot observes: no robot number and a fixed size, so that one network serves any fleet."""
    near = min(robot.radio_range, NEIGHBOUR_RANGE)
    reach = near + WAYPOINT_RANGE
    v, w = robot.max_speed, robot.max_turn_rate
    neighbour_low = [0.0, -near, -near, -1.0, -1.0, -v, -reach, -reach, 0.0]
    neighbour_high = [1.0, near, near, 1.0, 1.0, v, reach, reach, 1.0]
    way = [WAYPOINT_RANGE] * 2
    goal = [GOAL_RANGE] * 2
    one_hot = len(MANEUVERS)
    return VectorSpec(
        (
            _field("lidar", (robot.lidar_rays,), "m", [0.0], [robot.lidar_range], "ranges, the first ahead, leftward"),
            _field("waypoint", (2,), "m", [-x for x in way], way, "next waypoint: forward, left"),
            _field("goal", (2,), "m", [-x for x in goal], goal, "goal: forward, left, cut to 16 m"),
            _field("remaining_path", (1,), "m", [0.0], [PATH_RANGE], "length of the path to the goal, cut to 32 m"),
            _field("room", (1,), "m", [0.0], [ROOM_RANGE], "how far it may drive on its path, cut to 2 m"),
            _field("velocity", (2,), "m/s, rad/s", [-v, -w], [v, w], "own forward speed and turn rate"),
            _field("carrying", (1,), "1", [0.0], [1.0], "1 on the way to a station, 0 to a pick cell"),
            _field(
                "neighbours", (robot.neighbours, len(NEIGHBOUR)), "1, m, m/s", neighbour_low, neighbour_high,
                "nearest robots first: " + ", ".join(NEIGHBOUR._fields),
            ),
            _field("last_maneuver", (one_hot,), "1", [0.0], [1.0], "one-hot: " + ", ".join(MANEUVERS)),
        )
    )  # fmt: skip


def state_spec(robot: RobotConfig, robots: int, width: float, height: float) -> VectorSpec:
    """Return the global state: every robot in map coordinates, and the share of the episode that has passed."""
    v, w = robot.max_speed, robot.max_turn_rate
    low = [0.0, 0.0, -1.0, -1.0, -v, -w, 0.0, 0.0, 0.0, 0.0]
    high = [width, height, 1.0, 1.0, v, w, width, height, 1.0, PATH_RANGE]
    return VectorSpec(
        (
            _field("robots", (robots, len(STATE)), "m, 1, m/s, rad/s", low, high, ", ".join(STATE._fields)),
            _field("time", (1,), "1", [0.0], [1.0], "share of the time limit that is over"),
        )
    )


_WAYPOINT, _GOAL, _REMAINING_PATH, _ROOM, _VELOCITY, _CARRYING, _NEIGHBOURS = (
    observation_spec(RobotConfig()).offsets[name] - RobotConfig().lidar_rays
    for name in ("waypoint", "goal", "remaining_path", "room", "velocity", "carrying", "neighbours")
)
"""Where these fields start, counted from the end of the lidar, whatever the robot."""


def write_observation(
    out: NDArray[np.float32],
    bounds: NDArray[np.float32],
    lidar: NDArray[np.float32],
    broadcasts: NDArray[np.float64],
    me: int,
    turn_rate: float,
    goal: NDArray[np.float64],
    remaining_path: float,
    room: float,
    maneuver: int,
    radio_range: float,
    neighbours: int,
) -> None:
    """Pack one robot's sensors into `out` [size], in the order of `observation_spec`.

    Scalar code in the part of Python that numba compiles too; `math`'s functions give the same bits in both.

    Args:
        out: where the observation goes.
        bounds: smallest and largest values [2, size]; what lies outside saturates.
        lidar: ranges [rays], m.
        broadcasts: what the robots broadcast [robots, len(BROADCAST)], this one's own among them.
        me: the row that is this robot's own.
        turn_rate: own turn rate, rad/s.
        goal: x, y of the order's goal in map coordinates, m.
        remaining_path: length of the path to it, m.
        room: how far the robot may drive on it, m.
        maneuver: the last decision.
        radio_range: reach of broadcasts, m; of what is heard, neighbours are those within NEIGHBOUR_RANGE.
        neighbours: how many of the nearest are kept.
    """
    own = broadcasts[me]
    x, y, heading = own[BROADCAST.x], own[BROADCAST.y], own[BROADCAST.heading]
    cos, sin = math.cos(heading), math.sin(heading)
    at = len(lidar)
    out[:at], out[at:] = lidar, 0.0
    dx, dy = own[BROADCAST.waypoint_x] - x, own[BROADCAST.waypoint_y] - y
    out[at + _WAYPOINT], out[at + _WAYPOINT + 1] = cos * dx + sin * dy, cos * dy - sin * dx
    dx, dy = goal[0] - x, goal[1] - y
    share = min(1.0, GOAL_RANGE / max(math.sqrt(dx * dx + dy * dy), 1e-9))
    out[at + _GOAL], out[at + _GOAL + 1] = share * (cos * dx + sin * dy), share * (cos * dy - sin * dx)
    out[at + _REMAINING_PATH], out[at + _ROOM] = remaining_path, room
    out[at + _VELOCITY], out[at + _VELOCITY + 1] = own[BROADCAST.speed], turn_rate
    out[at + _CARRYING] = own[BROADCAST.carrying]
    last, last_index = -1.0, -1  # distance and row of the neighbour written last; ties go by row
    for place in range(neighbours):
        nearest, index = min(radio_range, NEIGHBOUR_RANGE) ** 2, -1
        for other in range(len(broadcasts)):
            dx, dy = broadcasts[other, BROADCAST.x] - x, broadcasts[other, BROADCAST.y] - y
            distance = dx * dx + dy * dy
            if other != me and distance < nearest and (distance > last or (distance == last and other > last_index)):
                nearest, index = distance, other
        if index < 0:
            break
        last, last_index = nearest, index
        that, begin = broadcasts[index], at + _NEIGHBOURS + len(NEIGHBOUR) * place
        seen = out[begin : begin + len(NEIGHBOUR)]
        seen[NEIGHBOUR.present] = 1.0
        dx, dy = that[BROADCAST.x] - x, that[BROADCAST.y] - y
        seen[NEIGHBOUR.x], seen[NEIGHBOUR.y] = cos * dx + sin * dy, cos * dy - sin * dx
        turned = that[BROADCAST.heading] - heading
        seen[NEIGHBOUR.cos], seen[NEIGHBOUR.sin] = math.cos(turned), math.sin(turned)
        seen[NEIGHBOUR.speed] = that[BROADCAST.speed]
        dx, dy = that[BROADCAST.waypoint_x] - x, that[BROADCAST.waypoint_y] - y
        seen[NEIGHBOUR.waypoint_x], seen[NEIGHBOUR.waypoint_y] = cos * dx + sin * dy, cos * dy - sin * dx
        seen[NEIGHBOUR.carrying] = that[BROADCAST.carrying]
    out[len(out) - len(MANEUVERS) + maneuver] = 1.0
    for i in range(len(out)):
        out[i] = min(max(out[i], bounds[0, i]), bounds[1, i])
