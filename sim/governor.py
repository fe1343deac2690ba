"""The command closest to the desired one whose stopping arc is collision-free, whatever the network says.

The governor predicts the arc that the robot would sweep: one control period towards a command, then full braking. It
takes the first collision-free one of a row of candidates, from the desired command over slower ones to braking along
the arc that the robot is on, which was collision-free one period ago: so there is always one. It interpolates between
candidates, so that the command changes continuously.

Racks: walls from the lidar (`sim.walls`). Robots: they move, and all decide at once. Each pair splits the free space
between the lines on which the two would brake by the half-plane in its middle, which both find from the same broadcasts
(the buffered Voronoi cells of Zhou et al., "Fast, On-line Collision Avoidance for Dynamic Vehicles Using Buffered
Voronoi Cells", 2017). A robot that is already too near to something may do all that does not bring it nearer.

The same as an ONNX graph, function by function: `export.graphs.controller`.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim.kernels import fastmath_kernel, kernel
from sim.limits import LIMIT
from sim.observation import NEIGHBOUR
from sim.walls import FAR, ROUNDING, find_walls

CANDIDATES = ((1.0, 1.0), (0.75, 1.0), (0.5, 1.0), (0.25, 1.0), (0.0, 1.0), (0.0, 0.0))
"""In the order in which they are tried: the share of the way from braking to the desired speed, and whether the robot
turns as desired (1) or goes on turning as it does (0)."""
BRAKING = tuple((end - start, 0.5 * (start + end)) for start, end in pairwise((0.0, 0.15, 0.35, 0.6, 1.0)))
"""The parts of the arc while braking, as shares of the braking time: how long each is, and its middle."""
POINTS = 1 + len(BRAKING)
"""Where an arc is checked: at the end of the control period, and of each part."""
CREEP_SPEED = 0.3
"""Below this speed the margin towards racks shrinks, so that no robot gets stuck at a corner that it can pass [m/s]."""
CREEP_MARGIN = 0.7
"""Share of the margin that is left at a standstill."""
ENOUGH = 0.1
"""Clearance beyond which more makes no difference [m]."""


@kernel
def _offset(px: float, py: float, ax: float, ay: float, ex: float, ey: float) -> tuple[float, float]:
    """Return the vector from point p to the nearest point of the line from a to a + e."""
    along = ((px - ax) * ex + (py - ay) * ey) / max(ex * ex + ey * ey, 1e-12)
    along = min(max(along, 0.0), 1.0)
    return ax + along * ex - px, ay + along * ey - py


@kernel
def _half_plane(
    neighbour: NDArray[np.float32], braking: float, limits: NDArray[np.float64], plane: NDArray[np.float64]
) -> None:
    """Write the robot's own side, normal x, y and bound: its centre p has to keep normal . p <= bound.

    Both brake on straight lines, the robot from (0, 0) to (braking, 0). The plane lies midway between their nearest
    points.
    """
    x, y, speed = float(neighbour[NEIGHBOUR.x]), float(neighbour[NEIGHBOUR.y]), float(neighbour[NEIGHBOUR.speed])
    stop = speed * abs(speed) / (2.0 * limits[LIMIT.max_acceleration])
    ex, ey = stop * float(neighbour[NEIGHBOUR.cos]), stop * float(neighbour[NEIGHBOUR.sin])
    # Two lines that do not cross are nearest to each other at one of their four ends.
    best, nx, ny, middle_x, middle_y = FAR, 1.0, 0.0, 0.0, 0.0
    for end in range(4):
        if end < 2:
            px, py = end * braking, 0.0
            dx, dy = _offset(px, py, x, y, ex, ey)
        else:
            qx, qy = x + (end - 2) * ex, y + (end - 2) * ey
            dx, dy = _offset(qx, qy, 0.0, 0.0, braking, 0.0)
            px, py, dx, dy = qx + dx, qy + dy, -dx, -dy
        distance = math.sqrt(dx * dx + dy * dy)
        if distance < best:
            best, nx, ny = distance, dx / max(distance, 1e-9), dy / max(distance, 1e-9)
            middle_x, middle_y = px + 0.5 * dx, py + 0.5 * dy
    bound = nx * middle_x + ny * middle_y - limits[LIMIT.radius] - 0.5 * limits[LIMIT.safety_margin]
    plane[0], plane[1], plane[2] = nx, ny, max(bound, ROUNDING)


@kernel
def _half_planes(
    neighbours: NDArray[np.float32], braking: float, limits: NDArray[np.float64], planes: NDArray[np.float64]
) -> tuple[int, float]:
    """Write the half-plane of each robot that is present; return how many there are, and the smallest bound [m]."""
    present, bound = 0, FAR
    for neighbour in neighbours:
        if neighbour[NEIGHBOUR.present] > 0.5:
            _half_plane(neighbour, braking, limits, planes[present])
            bound = min(bound, planes[present, 2])
            present += 1
    return present, bound


@kernel
def _arc(v0: float, w0: float, v: float, w: float, limits: NDArray[np.float64], arc: NDArray[np.float64]) -> int:
    """Write where the centre is [POINTS, 2] after one period from (v0, w0) to a reachable (v, w), and while it brakes.

    Returns:
        How many of the points to check: one where nothing is left to brake.
    """
    period, acceleration = limits[LIMIT.control_period], limits[LIMIT.max_acceleration]
    heading = w * period - (w - w0) * abs(w - w0) / limits[LIMIT.max_turn_acceleration] * 0.5
    length = v * period - (v - v0) * abs(v - v0) / acceleration * 0.5
    x, y = length * math.cos(0.5 * heading), length * math.sin(0.5 * heading)
    arc[0, 0], arc[0, 1] = x, y
    if v == 0.0:
        return 1
    braking = abs(v) / acceleration
    for i, (share, middle) in enumerate(BRAKING):
        length = v * braking * share * (1.0 - middle)
        angle = heading + w * braking * middle
        x, y = x + length * math.cos(angle), y + length * math.sin(angle)
        arc[i + 1, 0], arc[i + 1, 1] = x, y
    return len(arc)


@fastmath_kernel
def _clearance(
    arc: NDArray[np.float64], walls: NDArray[np.float64], count: int, keep: float, planes: NDArray[np.float64]
) -> float:
    """Return how far the arc stays beyond `keep` from the walls and off the planes [m]; below 0 it is not free."""
    square, clearance = FAR * FAR, ENOUGH
    for i in range(len(arc)):
        x, y = arc[i, 0], arc[i, 1]
        for j in range(count):
            px, py, ex, ey = walls[0, j] - x, walls[1, j] - y, walls[2, j], walls[3, j]
            along = min(max(-(px * ex + py * ey) * walls[4, j], 0.0), 1.0)
            px, py = px + along * ex, py + along * ey
            square = min(square, px * px + py * py)
        for j in range(len(planes)):
            clearance = min(clearance, planes[j, 2] - planes[j, 0] * x - planes[j, 1] * y)
    return min(clearance, math.sqrt(square) - keep)


@kernel
def _first_free(
    velocity: tuple[float, float],
    desired: tuple[float, float],
    v_brake: float,
    walls: NDArray[np.float64],
    count: int,
    nearest: float,
    planes: NDArray[np.float64],
    limits: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write the first collision-free candidate, blended with the one before it; the last one if none is free."""
    (v0, w0), (v_desired, w_desired) = velocity, desired
    radius, margin, arc = limits[LIMIT.radius], limits[LIMIT.safety_margin], np.empty((POINTS, 2))
    clearance_before, v_before, w_before = 0.0, 0.0, 0.0
    for i, (share, turns) in enumerate(CANDIDATES):
        v = v_brake + share * (v_desired - v_brake)
        w = w_desired if turns > 0.0 else w0
        points = _arc(v0, w0, v, w, limits, arc)
        creep = 1.0 - (1.0 - CREEP_MARGIN) * max(0.0, 1.0 - abs(v) / CREEP_SPEED)
        keep = min(radius + creep * margin, nearest - ROUNDING)
        clearance = _clearance(arc[:points], walls, count, keep, planes)
        free = clearance >= 0.0
        if free and i > 0:
            blend = clearance / (clearance - clearance_before)
            v, w = v + blend * (v_before - v), w + blend * (w_before - w)
        out[0], out[1] = v, w
        if free:
            return
        clearance_before, v_before, w_before = clearance, v, w


@kernel
def govern(
    v_desired: float,
    w_desired: float,
    lidar: NDArray[np.float32],
    velocity: NDArray[np.float32],
    neighbours: NDArray[np.float32],
    limits: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write the command closest to the desired one whose stopping arc is collision-free.

    Arguments as in `sim.controller.control`.
    """
    v0, w0 = float(velocity[0]), float(velocity[1])
    acceleration, period = limits[LIMIT.max_acceleration], limits[LIMIT.control_period]
    dv, dw = acceleration * period, limits[LIMIT.max_turn_acceleration] * period
    v_desired, w_desired = min(max(v_desired, v0 - dv), v0 + dv), min(max(w_desired, w0 - dw), w0 + dw)
    if v0 == 0.0 and v_desired == 0.0:  # it only turns, which brings no disc nearer to anything
        out[0], out[1] = 0.0, w_desired
        return
    v_brake = v0 - min(max(v0, -dv), dv)

    fastest = max(abs(v0), abs(v_desired))
    stop = fastest * period + fastest * fastest / (2.0 * acceleration)
    reach = limits[LIMIT.radius] + limits[LIMIT.safety_margin] + ENOUGH + stop
    walls, planes = np.empty((5, 2 * len(lidar))), np.empty((len(neighbours), 3))
    count, nearest = find_walls(lidar, limits, reach, walls)
    present, bound = _half_planes(neighbours, v0 * abs(v0) / (2.0 * acceleration), limits, planes)
    # No arc is longer than `stop`, so it ends before whatever is farther away.
    if min(bound, nearest - limits[LIMIT.radius] - limits[LIMIT.safety_margin]) > stop + ROUNDING:
        out[0], out[1] = v_brake + (v_desired - v_brake), w_desired
        return
    _first_free((v0, w0), (v_desired, w_desired), v_brake, walls, count, nearest, planes[:present], limits, out)
