"""Where a robot heads next: a point on the way to its goal, as far ahead as the straight line to it is free.

The way is the polyline through the middles of the cells of a path field. Steering for a point a little ahead on it
rounds the corners (Coulter, "Implementation of the Pure Pursuit Path Tracking Algorithm", 1992), and a line that is
free keeps the governor from stopping a robot at the corner of a rack. Scalar code without numba, so that the simulator
can compile it (`sim.kernels`) and a robot can run it as it is.
"""

import math

import numpy as np
from numpy.typing import NDArray

AHEAD = 0.8
"""How far ahead on the way the waypoint lies at most [m]; less by as much as the robot is off the way."""
SHORTER = 0.1
"""By how much the waypoint comes nearer until the line to it is free [m]."""
STEP = 0.1
"""A line is checked at points that are no farther apart than this [m]."""
ARRIVAL = 0.02
"""A robot brakes for a place that lies this far inside of the distance at which its goal counts as reached [m]."""
SPARE = 0.01
"""By how much more than the governor's distance a line keeps off the racks [m]."""


def rack_gap(blocked: NDArray[np.bool_], x: float, y: float) -> float:
    """Return the squared distance from (x, y) to the nearest rack or border [m^2], at most 1; 0 inside of one."""
    rows, columns = blocked.shape
    row, column = math.floor(y), math.floor(x)
    nearest = 1.0
    for r in range(row - 1, row + 2):
        for c in range(column - 1, column + 2):
            if r < 0 or c < 0 or r >= rows or c >= columns or blocked[r, c]:
                dx, dy = max(c - x, 0.0, x - c - 1.0), max(r - y, 0.0, y - r - 1.0)
                nearest = min(nearest, dx * dx + dy * dy)
    return nearest


def line_is_free(blocked: NDArray[np.bool_], keep: float, x: float, y: float, to_x: float, to_y: float) -> bool:
    """Return whether the line from (x, y) keeps `keep` off all racks [m], or as far off as where it starts."""
    square = min(keep * keep, rack_gap(blocked, x, y) - 1e-6)
    dx, dy = to_x - x, to_y - y
    count = math.floor(math.sqrt(dx * dx + dy * dy) / STEP) + 1
    for k in range(1, count + 1):  # noqa: SIM110, numba compiles no generator
        if rack_gap(blocked, x + dx * k / count, y + dy * k / count) < square:
            return False
    return True


def find_waypoint(
    blocked: NDArray[np.bool_], next_cell: NDArray[np.int32], keep: float, x: float, y: float
) -> tuple[float, float, float, int]:
    """Return where a robot at (x, y) heads next.

    Args:
        blocked: the racks [rows, columns].
        next_cell: the cell that follows each cell on the way to the goal [cells]; the goal follows itself.
        keep: how far off the racks the robot's centre has to stay [m].
        x: where the robot is [m].
        y: where the robot is [m].

    Returns:
        x, y of the waypoint [m]; the metres from it along the way to the middle of a cell; and that cell.
    """
    rows, columns = blocked.shape
    cell = min(max(math.floor(y), 0), rows - 1) * columns + min(max(math.floor(x), 0), columns - 1)
    start, foot, off = int(cell), 0.0, math.inf  # the nearest place on the way: from which cell, which share, how far
    for _ in range(2):
        following = int(next_cell[cell])
        ax, ay = cell % columns + 0.5, cell // columns + 0.5
        ex, ey = following % columns + 0.5 - ax, following // columns + 0.5 - ay
        share = min(max(((x - ax) * ex + (y - ay) * ey) / max(ex * ex + ey * ey, 1e-9), 0.0), 1.0)
        dx, dy = ax + share * ex - x, ay + share * ey - y
        distance = math.sqrt(dx * dx + dy * dy)
        if distance < off - 1e-9:
            start, foot, off = cell, share, distance
        cell = following
    ahead = AHEAD
    while True:
        cell, share, left = start, foot, max(ahead - off, 0.0)
        while True:
            following = int(next_cell[cell])
            ax, ay = cell % columns + 0.5, cell // columns + 0.5
            ex, ey = following % columns + 0.5 - ax, following // columns + 0.5 - ay
            length = math.sqrt(ex * ex + ey * ey)
            if following == cell or left <= (1.0 - share) * length:
                break
            left -= (1.0 - share) * length
            cell, share = following, 0.0
        share = min(share + left / max(length, 1e-9), 1.0)
        wx, wy = ax + share * ex, ay + share * ey
        if ahead <= 0.0 or line_is_free(blocked, keep, x, y, wx, wy):
            return wx, wy, (1.0 - share) * length, following
        ahead -= SHORTER


def way_to_goal(next_cell: NDArray[np.int32], columns: int, x: float, y: float) -> list[tuple[float, float]]:
    """Return the place x, y and the middles of the cells on the way to the goal [m], on a map of so many columns."""
    cell, way = int(y) * columns + int(x), [(x, y)]
    for _ in range(len(next_cell)):
        row, column = divmod(cell, columns)
        way.append((column + 0.5, row + 0.5))
        if next_cell[cell] == cell:
            break
        cell = int(next_cell[cell])
    return way
