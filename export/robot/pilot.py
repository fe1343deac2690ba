"""From one robot's sensors to the command that its policy and its controller want: everything that a robot computes."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from export.protocol.messages import Reason, Sensors, map_hash
from export.robot.hearing import ENDLESS, TOO_FAST, Hearing
from export.robot.right_of_way import OwnRightOfWay
from export.runtime import OnnxController, OnnxPolicy
from sim.errors import InputError
from sim.layout import Layout
from sim.observation import BROADCAST, MANEUVERS, write_observation
from sim.paths import PathField
from sim.scene import RobotConfig, SceneConfig
from sim.traffic.broadcast import RECORD, RECORD_SIZE, place_now
from sim.waypoint import ARRIVAL, SPARE, find_waypoint, way_to_goal

_START = MANEUVERS.index("stop")
_PATHS = 64
"""Goals whose ways are remembered."""
_TOO_NEAR = 0.5
"""Times the robot's radius: lidar ranges are from its middle, so what it reads is outside of it."""


class RefusedError(Exception):
    """Why there is no command; the robot stops."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class Decision(NamedTuple):
    """What one robot wants to do in the next control period."""

    speed: float
    """Forward speed [m/s]."""
    turn_rate: float
    """Turn rate [rad/s]."""
    broadcast: NDArray[np.float64]
    """What it tells the others [RECORD_SIZE]."""
    maneuver: int
    """Number of the maneuver."""


class Considered(NamedTuple):
    """What led to a decision of the network."""

    number: int
    """Decisions until now."""
    observation: NDArray[np.float32]
    """What the network was given [size]."""
    q_values: NDArray[np.float32]
    """What it made of it [maneuvers]."""
    maneuver: int
    """Number of the maneuver that it chose."""
    fresh: bool
    """Whether it had forgotten the past."""


class Pilot:
    """One robot's computation, with its own map and its own hidden state.

    Args:
        policy: its policy.
        controller: its controller.
        scene: the scene of the policy's training, of which the robot and the periods count.
        layout: the robot's own copy of the map.
        number: the robot's, from `export.protocol.broadcasts.robot_number`.
    """

    def __init__(
        self, policy: OnnxPolicy, controller: OnnxController, scene: SceneConfig, layout: Layout, number: float
    ) -> None:
        self._policy, self._controller = policy, controller
        self._robot: RobotConfig = scene.robot
        self._ticks, self._reach = scene.ticks, scene.reach_distance
        self._keep = self._robot.radius + self._robot.safety_margin + SPARE
        self._layout, self._map = layout, map_hash(layout.text())
        self._ways = lru_cache(_PATHS)(layout.shortest_ways)
        self._bounds = np.stack([policy.spec.low, policy.spec.high])
        self._observation = np.zeros(policy.spec.size, np.float32)
        self._maneuver, self._decided = _START, -1
        claims = scene.right_of_way != "none"
        self._right_of_way = OwnRightOfWay(layout, scene, number) if claims else None
        self._own = np.zeros(RECORD_SIZE)
        self.hearing = Hearing(self._robot, layout.blocked, number, claims)
        """What is believed of the others' broadcasts."""
        self.considered: Considered | None = None
        """The last decision of the network."""

    def decide(self, sensors: Sensors, fresh: bool) -> Decision:
        """Return the command for the next control period.

        Args:
            sensors: what the robot senses.
            fresh: whether the past is to be forgotten: at the start, after every stop, in a new session.

        Raises:
            RefusedError: the sensors, the policy's values or the command are not valid.
        """
        if sensors.map != self._map:
            raise RefusedError(Reason.OTHER_MAP, "the base uses another map: start one of the two with the other's")
        require_valid(sensors, self._robot, self._layout)
        if fresh:
            self._policy.reset()
            self._maneuver, self._decided = _START, -1
        self._observe(sensors)
        decision = sensors.header.sequence // self._ticks
        if decision > self._decided:
            try:
                action = self._policy.act(self._observation)
            except InputError as error:
                raise RefusedError(Reason.BAD_POLICY, str(error)) from error
            number = 1 + (self.considered.number if self.considered else 0)
            self.considered = Considered(
                number, self._observation.copy(), action.q_values, action.maneuver, self._decided < 0
            )
            self._maneuver, self._decided = action.maneuver, decision
        try:
            speed, turn_rate = self._controller.command(self._maneuver, self._observation)
        except InputError as error:
            raise RefusedError(Reason.BAD_COMMAND, str(error)) from error
        return Decision(speed, turn_rate, self._own.copy(), self._maneuver)

    def way(self, sensors: Sensors) -> list[tuple[float, float]]:
        """Return the middles of the cells on the way to the goal, from where the robot is [m]."""
        return way_to_goal(self._path(sensors).next_cell, self._layout.columns, *sensors.pose[:2])

    def _path(self, sensors: Sensors) -> PathField:
        return self._ways(self._goal(sensors))

    def _goal(self, sensors: Sensors) -> int:
        return int(sensors.goal[1]) * self._layout.columns + int(sensors.goal[0])

    def _observe(self, sensors: Sensors) -> None:
        """Pack the observation: what the robot senses, what it hears, and what its right of way makes of that."""
        layout, (x, y, _) = self._layout, sensors.pose
        path, heard = self._path(sensors), self.hearing.listen(sensors)
        wx, wy, rest, cell = find_waypoint(layout.blocked, path.next_cell, self._keep, x, y)
        remaining = math.sqrt((wx - x) ** 2 + (wy - y) ** 2) + rest + float(path.distance[cell])
        if self._right_of_way is None:
            self._own[: len(BROADCAST)] = *sensors.pose, sensors.velocity[0], wx, wy, sensors.carrying
            self._own[RECORD.turn_rate] = sensors.velocity[1]
            lidar, room = sensors.lidar, remaining - self._reach + ARRIVAL
        else:
            room = self._right_of_way.keep(sensors, self._goal(sensors), heard)
            self._own, lidar = self._right_of_way.record, self._right_of_way.seen
        robots = np.vstack([self._own, heard.records])
        for robot, age in zip(robots[1:], heard.ages.tolist(), strict=True):
            robot[RECORD.x], robot[RECORD.y] = place_now(robot, age)
        write_observation(
            self._observation, self._bounds, lidar, robots, 0, sensors.velocity[1], np.array(sensors.goal),
            remaining, room, self._maneuver, self._robot.radio_range, self._robot.neighbours,
        )  # fmt: skip


def require_valid(sensors: Sensors, robot: RobotConfig, layout: Layout) -> None:
    """Refuse sensors that are not finite or can't be; nothing is clamped.

    Raises:
        RefusedError: names the field and its value.
    """
    for name, values in (
        ("pose", sensors.pose),
        ("velocity", sensors.velocity),
        ("goal", sensors.goal),
        ("lidar", sensors.lidar),
    ):
        finite = np.isfinite(values)
        if not finite.all():
            index = int(np.argmin(finite))
            raise RefusedError(Reason.BAD_SENSORS, f"{name}[{index}] is {values[index]}; valid are finite numbers")
    nearest, farthest = _TOO_NEAR * robot.radius, robot.lidar_range * (1 + 1e-5)
    low, high = float(sensors.lidar.min()), float(sensors.lidar.max())
    if low < nearest or high > farthest:
        raise RefusedError(
            Reason.BAD_SENSORS, f"lidar reads {low} to {high}; valid is {nearest} to {robot.lidar_range} m"
        )
    fastest, quickest = TOO_FAST * robot.max_speed, TOO_FAST * robot.max_turn_rate
    for name, value, limit in (
        ("heading", abs(sensors.pose[2]), ENDLESS),
        ("speed", abs(sensors.velocity[0]), fastest),
        ("turn rate", abs(sensors.velocity[1]), quickest),
    ):
        if value > limit:
            raise RefusedError(Reason.BAD_SENSORS, f"{name} is up to {value:g}; valid is at most {limit:g}")
    _require_on_map(sensors, layout)


def _require_on_map(sensors: Sensors, layout: Layout) -> None:
    """Refuse sensors whose pose is off the map, or whose goal is not on a free cell."""
    for name, (x, y) in (("pose", sensors.pose[:2]), ("goal", sensors.goal)):
        if not (0 <= x < layout.columns and 0 <= y < layout.rows):
            raise RefusedError(
                Reason.BAD_SENSORS, f"{name} is ({x}, {y}); valid is within {layout.columns} x {layout.rows} m"
            )
    gx, gy = sensors.goal
    if layout.blocked[int(gy), int(gx)]:
        raise RefusedError(Reason.BAD_SENSORS, f"goal is ({gx}, {gy}), in a rack; valid is a free cell")
