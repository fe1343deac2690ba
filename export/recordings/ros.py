"""ROS 2 messages from plain numbers, serialized by rosbags, without ROS.

Frames as in REP 105: `map`, and `robot_<i>/base_link` for each robot. Numbers are rounded to 2^-13 (0.12 mm), which
compresses to a third.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_typestore

from sim.layout import Layout

_STORE = get_typestore(Stores.ROS2_JAZZY)
_TYPES: dict[str, Any] = dict(_STORE.types)
_GRID = 8192.0
_NO_COVARIANCE = np.zeros(36)
_WHITE = (1.0, 1.0, 1.0)
Colour = tuple[float, float, float]


def _type(name: str) -> Any:
    return _TYPES[name]


_TIME, _HEADER = _type("builtin_interfaces/msg/Time"), _type("std_msgs/msg/Header")
_POINT, _VECTOR = _type("geometry_msgs/msg/Point"), _type("geometry_msgs/msg/Vector3")
_QUATERNION, _POSE = _type("geometry_msgs/msg/Quaternion"), _type("geometry_msgs/msg/Pose")
_STAMPED, _TWIST = _type("geometry_msgs/msg/PoseStamped"), _type("geometry_msgs/msg/Twist")
_TRANSFORM, _TRANSFORM_STAMPED = _type("geometry_msgs/msg/Transform"), _type("geometry_msgs/msg/TransformStamped")
_MARKER, _RGBA = _type("visualization_msgs/msg/Marker"), _type("std_msgs/msg/ColorRGBA")
_FLAT, _ZERO = _QUATERNION(0.0, 0.0, 0.0, 1.0), _VECTOR(0.0, 0.0, 0.0)


def definition(type_name: str) -> bytes:
    """Return the text of a message type and of those that it holds, as MCAP schemas have it (`ros2msg`)."""
    return str(_STORE.generate_msgdef(type_name, ros_version=2)[0]).encode()


def serialize(message: Any) -> bytes:
    """Return a message as CDR."""
    return bytes(_STORE.serialize_cdr(message, message.__msgtype__))


def deserialize(data: bytes, type_name: str) -> Any:
    """Return the message that `serialize` wrote."""
    return _STORE.deserialize_cdr(data, type_name)


def _rounded(value: float) -> float:
    return round(value * _GRID) / _GRID if math.isfinite(value) else value  # bad sensors are recorded as they came


def _header(stamp: int, frame: str) -> Any:
    return _HEADER(_TIME(stamp // 1_000_000_000, stamp % 1_000_000_000), frame)


def _turn(heading: float) -> Any:
    return _QUATERNION(0.0, 0.0, _rounded(math.sin(heading / 2)), _rounded(math.cos(heading / 2)))


def _pose(x: float, y: float, heading: float = 0.0) -> Any:
    return _POSE(_POINT(_rounded(x), _rounded(y), 0.0), _turn(heading))


def base_frame(robot: str) -> str:
    """Return the name of a robot's own frame."""
    return f"{robot}/base_link"


def text(value: str) -> bytes:
    """Return a String."""
    return serialize(_type("std_msgs/msg/String")(value))


def transforms(stamp: int, robots: Sequence[str], poses: Sequence[Sequence[float]]) -> bytes:
    """Return where robots are, x, y [m], heading [rad] each, as a TFMessage at `stamp` [ns]."""
    of_each = [
        _TRANSFORM_STAMPED(
            _header(stamp, "map"), base_frame(name), _TRANSFORM(_VECTOR(_rounded(x), _rounded(y), 0.0), _turn(heading))
        )
        for name, (x, y, heading) in zip(robots, poses, strict=True)
    ]
    return serialize(_type("tf2_msgs/msg/TFMessage")(of_each))


def _twist(velocity: Sequence[float]) -> Any:
    return _TWIST(_VECTOR(_rounded(velocity[0]), 0.0, 0.0), _VECTOR(0.0, 0.0, _rounded(velocity[1])))


def odometry(stamp: int, robot: str, pose: Sequence[float], velocity: Sequence[float]) -> bytes:
    """Return a robot's pose (x, y [m], heading [rad]) and velocity (m/s, rad/s) as Odometry."""
    where = _type("geometry_msgs/msg/PoseWithCovariance")(_pose(*pose), _NO_COVARIANCE)
    motion = _type("geometry_msgs/msg/TwistWithCovariance")(_twist(velocity), _NO_COVARIANCE)
    return serialize(_type("nav_msgs/msg/Odometry")(_header(stamp, "map"), base_frame(robot), where, motion))


def twist(stamp: int, robot: str, velocity: Sequence[float]) -> bytes:
    """Return a command (m/s, rad/s) as TwistStamped."""
    return serialize(_type("geometry_msgs/msg/TwistStamped")(_header(stamp, base_frame(robot)), _twist(velocity)))


def pose(stamp: int, x: float, y: float) -> bytes:
    """Return a place on the map [m] as PoseStamped."""
    return serialize(_STAMPED(_header(stamp, "map"), _pose(x, y)))


def path(stamp: int, points: Sequence[Sequence[float]]) -> bytes:
    """Return a way over points x, y [m] as Path."""
    header = _header(stamp, "map")
    return serialize(_type("nav_msgs/msg/Path")(header, [_STAMPED(header, _pose(x, y)) for x, y in points]))


def scan(stamp: int, robot: str, ranges: NDArray[np.float32], reach: float, period: float) -> bytes:
    """Return ranges [rays], m, the first ahead and counter-clockwise, as LaserScan; `reach` [m] is the largest."""
    step = 2 * math.pi / len(ranges)
    return serialize(
        _type("sensor_msgs/msg/LaserScan")(
            _header(stamp, base_frame(robot)), 0.0, step * (len(ranges) - 1), step, 0.0, period, 0.0, reach,
            ranges.astype(np.float32), np.zeros(0, np.float32),
        )
    )  # fmt: skip


def occupancy(stamp: int, layout: Layout) -> bytes:
    """Return the map as OccupancyGrid: racks 100, floor 0, cells of 1 m."""
    header = _header(stamp, "map")
    info = _type("nav_msgs/msg/MapMetaData")(header.stamp, 1.0, layout.columns, layout.rows, _pose(0.0, 0.0))
    cells = np.where(layout.blocked, 100, 0).astype(np.int8).ravel()
    return serialize(_type("nav_msgs/msg/OccupancyGrid")(header, info, cells))


def marker(
    stamp: int,
    frame: str,
    name: str,
    number: int,
    kind: str,
    middle: Sequence[float],
    size: Sequence[float],
    colour: Colour = _WHITE,
    points: Sequence[Sequence[float]] = (),
    label: str = "",
    delete: bool = False,
) -> Any:
    """Return one Marker; `kind` is the name of a constant of its type, such as CUBE_LIST; lengths in metres."""
    return _MARKER(
        _header(stamp, frame), name, number, getattr(_MARKER, kind), _MARKER.DELETE if delete else _MARKER.ADD,
        _POSE(_POINT(*map(float, middle)), _FLAT), _VECTOR(*map(float, size)), _RGBA(*colour, 1.0),
        _type("builtin_interfaces/msg/Duration")(0, 0), frame != "map",
        [_POINT(float(x), float(y), float(z)) for x, y, z in points], [], "",
        _type("sensor_msgs/msg/CompressedImage")(_header(stamp, ""), "", np.zeros(0, np.uint8)), [], label, "",
        _type("visualization_msgs/msg/MeshFile")("", np.zeros(0, np.uint8)), False,
    )  # fmt: skip


def markers(shapes: Sequence[Any]) -> bytes:
    """Return markers as MarkerArray."""
    return serialize(_type("visualization_msgs/msg/MarkerArray")(list(shapes)))
