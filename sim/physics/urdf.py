"""URDF text of the warehouse, the robot and what is rendered, so that shapes and colours are stated once.

Racks and walls are one static body whatever the number of racks: Bullet then keeps one tree of boxes instead of one
body a rack, which is faster, and the 16 shapes that `createCollisionShapeArray` takes are no limit. The robot has two
driven wheels on an axle through its middle and two casters; the origin of its base is the middle of the axle and its
centre of mass.
"""

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.palette import Colour
from sim.scene import RobotConfig

WALL_HEIGHT = 0.6
WALL_THICKNESS = 1.0
CASTER_CLEARANCE = 0.001

_FLOOR = (0.86, 0.87, 0.89)
_RACK = (0.27, 0.38, 0.50)
_SHELF = (0.86, 0.63, 0.36)
_BORDER = (0.36, 0.38, 0.42)
_DARK = (0.13, 0.14, 0.16)
_LIGHT = (0.98, 0.98, 0.97)

CRATE: Colour = (0.80, 0.58, 0.33)
STATION: Colour = (0.62, 0.80, 0.66)


def camera(size: tuple[float, float], aspect: float) -> tuple[list[float], list[float], float]:
    """Return eye, target [m] and vertical field of view [degrees] that show the whole floor, from above and the south.

    For each corner q of the floor, from its middle: |q . right| <= (distance + q . ahead) tan(half angle); so for up.
    """
    width, depth = size
    field_of_view, elevation = 14.0, np.radians(74.0)
    ahead = np.array([0.0, np.cos(elevation), -np.sin(elevation)])
    right = np.array([1.0, 0.0, 0.0])
    up = np.cross(right, ahead)
    middle = np.array([width / 2, depth / 2, 0.0])
    half = np.tan(np.radians(field_of_view / 2))
    rim = 0.4
    corners = np.array(
        [(x, y, z) for x in (-rim, width + rim) for y in (-rim, depth + rim) for z in (0.0, WALL_HEIGHT)]
    )
    q = corners - middle
    across, upward = np.abs(q @ right) / (half * aspect), np.abs(q @ up) / half
    distance = float(np.max(np.maximum(across, upward) - q @ ahead))
    return (middle - distance * ahead).tolist(), middle.tolist(), field_of_view


def wheel_radius(robot: RobotConfig) -> float:
    """Return the radius of the driven wheels, which is the height of the axle above the floor [m]."""
    return min(0.27 * robot.radius, 0.4 * robot.height)


def wheel_separation(robot: RobotConfig) -> float:
    """Return the distance between the points where the driven wheels touch the floor [m]."""
    return 1.3 * robot.radius


def wheel_torque(robot: RobotConfig) -> float:
    """Return the largest torque of a wheel motor [N m]: twice what the acceleration limits need, too little to slip."""
    turning = robot.mass * robot.radius**2 / 2 * robot.max_turn_acceleration / wheel_separation(robot)
    push = robot.mass * robot.max_acceleration / 2 + turning
    return 2 * push * wheel_radius(robot)


def building_urdf(racks: NDArray[np.float64], size: tuple[float, float]) -> str:
    """Return the racks, the floor and the four border walls as one link.

    Args:
        racks: [count, 4] rectangles x0, y0, x1, y1 [m].
        size: width and height of the floor [m].
    """
    width, depth = size
    wall = WALL_THICKNESS
    borders = [
        (-wall, -wall, 0.0, depth + wall),
        (width, -wall, width + wall, depth + wall),
        (0.0, -wall, width, 0.0),
        (0.0, depth, width, depth + wall),
    ]
    rectangles = [tuple(rack) for rack in racks.tolist()]
    parts = [_box_between(rectangle, 0.0, WALL_HEIGHT, "collision") for rectangle in [*borders, *rectangles]]
    parts.append(_box_between((0.0, 0.0, width, depth), -0.1, 0.0, "visual", _FLOOR))
    rim = 0.12
    parts += [
        _box_between(rectangle, -0.1, 0.3, "visual", _BORDER)
        for rectangle in [
            (-rim, -rim, 0.0, depth + rim),
            (width, -rim, width + rim, depth + rim),
            (0.0, -rim, width, 0.0),
            (0.0, depth, width, depth + rim),
        ]
    ]
    for x0, y0, x1, y1 in rectangles:
        parts.append(_box_between((x0, y0, x1, y1), 0.0, WALL_HEIGHT, "visual", _RACK))
        inset = (x0 + 0.12, y0 + 0.12, x1 - 0.12, y1 - 0.12)
        parts.append(_box_between(inset, WALL_HEIGHT, WALL_HEIGHT + 0.06, "visual", _SHELF))
    inertial = '<inertial><mass value="0"/><inertia ixx="0" ixy="0" ixz="0" iyy="0" iyz="0" izz="0"/></inertial>'
    return f'<robot name="building"><link name="building">{inertial}{"".join(parts)}</link></robot>'


def robot_urdf(robot: RobotConfig, colour: Colour) -> str:
    """Return the wheeled robot; its wheels are the joints 0 (left) and 1 (right), turning forward for positive speeds.

    A wheel touches the floor as a sphere: one point, so that the wheel separation is exact and turning doesn't scrub.
    """
    radius, axle = robot.radius, wheel_radius(robot)
    top, bottom = robot.height - axle, -0.5 * axle
    caster = 0.1 * radius
    deck = 0.03
    parts = [_inertial(0.96 * robot.mass, radius, top - bottom)]
    body = _cylinder(radius, top - bottom)
    parts.append(_part("collision", body, (0, 0, (top + bottom) / 2)))
    parts.append(_part("visual", body, (0, 0, (top + bottom) / 2), _DARK))
    # Bullet's renderer shades the top of a cylinder like a cone; eight crossed bars make a flat disc of 16 sides.
    bar = _box(1.8 * radius * math.cos(math.pi / 16), 1.8 * radius * math.sin(math.pi / 16), deck)
    parts += [_part("visual", bar, (0, 0, top + deck / 2), colour, yaw=math.pi / 8 * turn) for turn in range(8)]
    for x in (-0.65 * radius, 0.65 * radius):
        height = caster + CASTER_CLEARANCE - axle
        parts.append(_part("collision", f'<sphere radius="{caster}"/>', (x, 0, height)))
    nose = _box(0.55 * radius, 0.26 * radius, 0.03)
    parts.append(_part("visual", nose, (0.5 * radius, 0, top + deck + 0.015), _LIGHT))
    links = f'<link name="base">{"".join(parts)}</link>'
    for name, side in (("left", 1), ("right", -1)):
        wheel = (
            _inertial(0.02 * robot.mass, axle, axle * 3**0.5)
            + _part("collision", f'<sphere radius="{axle}"/>', (0, 0, 0))
            + _part("visual", _cylinder(axle, 0.04), (0, 0, 0), _DARK, roll=math.pi / 2)
        )
        links += f'<link name="{name}">{wheel}</link>'
        links += (
            f'<joint name="{name}_wheel" type="continuous"><parent link="base"/><child link="{name}"/>'
            f'<axis xyz="0 1 0"/><origin xyz="0 {side * wheel_separation(robot) / 2} 0"/></joint>'
        )
    return f'<robot name="robot">{links}</robot>'


def block_urdf(length: float, width: float, height: float, colour: Colour) -> str:
    """Return a box without collisions, its origin in the middle of its bottom: a crate, or a mark on the floor."""
    part = _inertial(1.0, length, height) + _part("visual", _box(length, width, height), (0, 0, height / 2), colour)
    return f'<robot name="block"><link name="block">{part}</link></robot>'


def load(bullet: ModuleType, client: int, text: str, **options: Any) -> int:
    """Put what URDF `text` describes into physics client `client`; the options are those of `loadURDF`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.urdf"
        path.write_text(text.replace("><", ">\n<"))  # Bullet cuts lines after 1,024 characters
        return int(bullet.loadURDF(str(path), physicsClientId=client, **options))


def _inertial(mass: float, radius: float, height: float) -> str:
    across = mass * (3 * radius**2 + height**2) / 12
    along = mass * radius**2 / 2
    moments = f'<inertia ixx="{across}" ixy="0" ixz="0" iyy="{across}" iyz="0" izz="{along}"/>'
    return f'<inertial><mass value="{mass}"/>{moments}</inertial>'


def _box(length: float, width: float, height: float) -> str:
    return f'<box size="{length} {width} {height}"/>'


def _cylinder(radius: float, length: float) -> str:
    return f'<cylinder radius="{radius}" length="{length}"/>'


def _box_between(rectangle: Sequence[float], bottom: float, top: float, kind: str, colour: Colour | None = None) -> str:
    x0, y0, x1, y1 = rectangle
    return _part(kind, _box(x1 - x0, y1 - y0, top - bottom), ((x0 + x1) / 2, (y0 + y1) / 2, (top + bottom) / 2), colour)


def _part(
    kind: str, shape: str, place: Sequence[float], colour: Colour | None = None, roll: float = 0.0, yaw: float = 0.0
) -> str:
    x, y, z = place
    material = ""
    if colour is not None:
        red, green, blue = colour
        material = f'<material name="{red},{green},{blue}"><color rgba="{red} {green} {blue} 1"/></material>'
    return f'<{kind}><origin xyz="{x} {y} {z}" rpy="{roll} 0 {yaw}"/><geometry>{shape}</geometry>{material}</{kind}>'
