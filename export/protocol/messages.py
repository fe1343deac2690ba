"""The messages between a robot's base and its policy process: fixed little-endian layouts, read without trust.

`docs/on-robot.md` has the layouts as tables.
"""

import json
import math
import struct
from dataclasses import asdict
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from export.protocol.broadcasts import (
    BROADCAST_BYTES,
    HEARD_BYTES,
    MOST_HEARD,
    pack_broadcast,
    pack_heard,
    read_broadcast,
    read_heard,
)
from export.protocol.framing import HEADER, Header, Kind, WireError, hash64, open_message, seal
from sim.scene import RobotConfig
from sim.traffic.broadcast import RECORD_SIZE

_SENSORS = struct.Struct("<QQQ7dBB6x")  # map; stop; process; pose, velocity, goal; flags, number of broadcasts
# session, sequence, stamp answered; stop; v, w; mode, reason, maneuver, flags
_COMMAND = struct.Struct("<QQqQ2dBBHB3x")
_STOP = struct.Struct("<QB7x")  # number; whether it is released
_CARRYING, _STOPPED, _TELLS = 1, 2, 4
_COUNT_AT = HEADER.size + _SENSORS.size - 7
"""Where sensors say how many broadcasts follow."""
_SILENT = np.zeros(RECORD_SIZE)


class Mode(IntEnum):
    """What a command asks for."""

    DRIVE = 1
    STOP = 2


class Reason(IntEnum):
    """Why a robot's process asks its base to stop."""

    NONE = 0
    NO_SENSORS = 1
    STALE_SENSORS = 2
    BAD_SENSORS = 3
    BAD_POLICY = 4
    BAD_COMMAND = 5
    OVERRUN = 6
    EMERGENCY_STOP = 7
    OTHER_MAP = 8
    SHUTDOWN = 9


class StopState(NamedTuple):
    """What a base and its process tell each other about emergency stops in every message."""

    number: int
    """Of the stop that is meant; 0 for none."""
    latched: bool
    """Whether it holds; else it was released."""


NO_STOP = StopState(0, False)


class Sensors(NamedTuple):
    """What one robot's base sends it, every control period."""

    header: Header
    map: int
    """`map_hash` of the map that the coordinates belong to."""
    pose: tuple[float, float, float]
    """x, y [m], heading [rad] by odometry, in map coordinates."""
    velocity: tuple[float, float]
    """Forward speed [m/s] and turn rate [rad/s] by odometry."""
    goal: tuple[float, float]
    """x, y of the order's goal, the middle of its cell [m]."""
    carrying: bool
    """On the way to a station."""
    stop: StopState
    """The base's emergency stop."""
    process: int
    """Session of the process that the base obeys; 0 for none."""
    lidar: NDArray[np.float32]
    """Ranges [rays], m."""
    broadcasts: NDArray[np.float64]
    """What the robot heard: the newest broadcast of each other one [count, RECORD_SIZE]."""
    ages: NDArray[np.float64]
    """How long ago each of them was sent [count], s."""


class Command(NamedTuple):
    """What a robot's process answers."""

    header: Header
    answers: Header
    """The header of the sensors that it was computed from."""
    speed: float
    """Forward speed v [m/s]."""
    turn_rate: float
    """Turn rate w [rad/s]."""
    broadcast: NDArray[np.float64] | None
    """What the base's radio sends to the others [RECORD_SIZE]; without one it is silent."""
    mode: Mode
    reason: Reason
    maneuver: int
    """Number of the maneuver."""
    stop: StopState
    """The process's emergency stop."""


class Stop(NamedTuple):
    """An emergency stop, or its release."""

    header: Header
    number: int
    """Of the stop, above 0: a release ends this one and no other."""
    release: bool


def map_hash(text: str) -> int:
    """Return the number that stands for a map, from `Layout.text`."""
    return hash64(text.encode())


class Wire:
    """The messages of one kind of robot, written and read.

    Args:
        robot: its sensors and limits.
        control_period: time between two sensor messages [s].
    """

    def __init__(self, robot: RobotConfig, control_period: float) -> None:
        layouts = [HEADER.format, _SENSORS.format, _COMMAND.format, BROADCAST_BYTES.descr, HEARD_BYTES.itemsize]
        configuration = json.dumps([layouts, asdict(robot), control_period], sort_keys=True)
        self.schema = hash64(configuration.encode())
        self.robot, self.control_period = robot, control_period
        self.rays, self.slots = robot.lidar_rays, max(MOST_HEARD, robot.neighbours)
        self.command_size = HEADER.size + _COMMAND.size + BROADCAST_BYTES.itemsize

    def sensors_size(self, heard: int) -> int:
        """Return the length of sensors with so many broadcasts [bytes]."""
        return HEADER.size + _SENSORS.size + 4 * self.rays + HEARD_BYTES.itemsize * heard

    def pack_sensors(self, robot: int, sensors: Sensors) -> bytes:
        """Return the message, with at most `slots` broadcasts; `robot` is whom it concerns, from `address`."""
        count = len(sensors.broadcasts)
        number, stopped = sensors.stop
        flags = _CARRYING * sensors.carrying | _STOPPED * stopped
        body = _SENSORS.pack(
            sensors.map, number, sensors.process, *sensors.pose, *sensors.velocity, *sensors.goal, flags, count
        )
        body += sensors.lidar.astype("<f4").tobytes() + pack_heard(sensors.broadcasts, sensors.ages)
        return seal(Kind.SENSORS, self.schema, robot, sensors.header, body)

    def read_sensors(self, data: bytes, robot: int) -> Sensors:
        """Return what `pack_sensors` wrote for that robot. Values are not judged here.

        Raises:
            WireError: it is something else.
        """
        heard = min(data[_COUNT_AT], self.slots) if len(data) > _COUNT_AT else 0
        header = open_message(data, Kind.SENSORS, self.sensors_size(heard), self.schema, robot)
        map_, stop, process, *values, flags, count = _SENSORS.unpack_from(data, HEADER.size)
        if flags & ~(_CARRYING | _STOPPED) or count > self.slots:
            raise WireError("content")
        at = HEADER.size + _SENSORS.size
        lidar = np.frombuffer(data, "<f4", self.rays, at)
        return Sensors(
            header,
            map_,
            (values[0], values[1], values[2]),
            (values[3], values[4]),
            (values[5], values[6]),
            bool(flags & _CARRYING),
            StopState(stop, bool(flags & _STOPPED)),
            process,
            lidar,
            *read_heard(data, at + lidar.nbytes, count),
        )

    def pack_command(self, robot: int, command: Command) -> bytes:
        """Return the message; `robot` is whose it is, from `address`."""
        number, stopped = command.stop
        tells = command.broadcast is not None
        body = _COMMAND.pack(
            *command.answers, number, command.speed, command.turn_rate,
            command.mode, command.reason, command.maneuver, _STOPPED * stopped | _TELLS * tells,
        )  # fmt: skip
        body += pack_broadcast(_SILENT if command.broadcast is None else command.broadcast)
        return seal(Kind.COMMAND, self.schema, robot, command.header, body)

    def read_command(self, data: bytes, robot: int) -> Command:
        """Return what `pack_command` wrote for that robot. Its broadcast is not judged here.

        Raises:
            WireError: it is something else, or its speed or turn rate is not finite.
        """
        header = open_message(data, Kind.COMMAND, self.command_size, self.schema, robot)
        session, sequence, stamp, stop, v, w, mode, reason, maneuver, flags = _COMMAND.unpack_from(data, HEADER.size)
        if flags & ~(_STOPPED | _TELLS) or not (math.isfinite(v) and math.isfinite(w)):
            raise WireError("content")
        try:
            intent = Mode(mode), Reason(reason)
        except ValueError:
            raise WireError("content") from None
        answers, state = Header(session, sequence, stamp), StopState(stop, bool(flags & _STOPPED))
        broadcast = read_broadcast(data, HEADER.size + _COMMAND.size) if flags & _TELLS else None
        return Command(header, answers, v, w, broadcast, *intent, maneuver, state)


_STOP_SCHEMA = hash64(f"{HEADER.format} {_STOP.format}".encode())


def pack_stop(robot: int, stop: Stop) -> bytes:
    """Return the message; it needs no schema of the robot, so that anybody can stop any robot."""
    return seal(Kind.STOP, _STOP_SCHEMA, robot, stop.header, _STOP.pack(stop.number, stop.release))


def read_stop(data: bytes, robots: tuple[int, ...]) -> Stop:
    """Return what `pack_stop` wrote for one of the robots.

    Raises:
        WireError: it is something else.
    """
    header = open_message(data, Kind.STOP, HEADER.size + _STOP.size, _STOP_SCHEMA, *robots)
    number, release = _STOP.unpack_from(data, HEADER.size)
    if release > 1 or number == 0:
        raise WireError("content")
    return Stop(header, number, bool(release))
