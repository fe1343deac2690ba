"""What a recording draws: racks, stations, robots with their names, and the crates that they carry, as ROS markers."""

from typing import Any

from export.recordings import ros
from sim.layout import Layout
from sim.palette import colour

_RACK, _STATION, _CRATE, _LABEL = (0.45, 0.50, 0.56), (0.40, 0.70, 0.55), (0.80, 0.58, 0.33), (0.95, 0.95, 0.95)
_RACK_HEIGHT = 0.6
"""Low enough that robots are seen behind it [m]."""


def building(stamp: int, layout: Layout) -> list[Any]:
    """Return the racks and the stations."""
    drawn = []
    for number, (x0, y0, x1, y1) in enumerate(layout.racks().tolist()):
        middle, size = (0.5 * (x0 + x1), 0.5 * (y0 + y1), 0.5 * _RACK_HEIGHT), (x1 - x0, y1 - y0, _RACK_HEIGHT)
        drawn.append(ros.marker(stamp, "map", "racks", number, "CUBE", middle, size, _RACK))
    stations = [(*layout.middle(cell), 0.0) for cell in layout.stations]
    drawn.append(ros.marker(stamp, "map", "stations", 0, "CUBE_LIST", (0, 0, 0), (0.9, 0.9, 0.01), _STATION, stations))
    return drawn


def robot(stamp: int, name: str, number: int, radius: float, height: float) -> list[Any]:
    """Return a robot's body, its front and its number, which move with its frame."""
    frame = ros.base_frame(name)
    size, own = (2 * radius, 2 * radius, height), colour(number)
    front = (0.6 * radius, 0.0, height + 0.01)
    return [
        ros.marker(stamp, frame, "robots", number, "CYLINDER", (0, 0, height / 2), size, own),
        ros.marker(stamp, frame, "fronts", number, "CUBE", front, (0.5 * radius, 0.1, 0.02), (1.0, 1.0, 1.0)),
        ros.marker(
            stamp, frame, "numbers", number, "TEXT_VIEW_FACING", (0, 0, height + 0.5), (0.4, 0.4, 0.4), _LABEL,
            label=name.rpartition("_")[2],
        ),
    ]  # fmt: skip


def crate(stamp: int, name: str, number: int, radius: float, height: float, carried: bool) -> Any:
    """Return the crate on top of a robot, or the marker that takes it away."""
    side = 0.85 * radius
    middle = (-0.3 * radius, 0, height + 0.4 * side)
    frame = ros.base_frame(name)
    return ros.marker(
        stamp, frame, "crates", number, "CUBE", middle, (side, side, 0.8 * side), _CRATE, delete=not carried
    )
