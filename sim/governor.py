"""The command nearest to the wanted one that hits nothing: the robot's last word, whatever the network says.

The governor foresees the arc that the robot would sweep: one control period towards a command, then full braking. It
takes the first clear one of a row of candidates, from the wanted command over slower ones to braking in the arc that
the robot is on, which it found clear one period ago: so there is always a way out. It interpolates between candidates,
so that the command never jumps.

Racks: the lidar's hits are joined to walls, and walls are prolonged to the corners between two rays. Robots: they move,
and all decide at once. Each pair splits the free space between the lines on which the two would brake by the half-plane
in its middle, which both find from the same broadcasts (the buffered Voronoi cells of Zhou et al., "Fast, On-line
Collision Avoidance for Dynamic Vehicles Using Buffered Voronoi Cells", 2017). A robot that is already too near to
something may do all that does not bring it nearer.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.kernels import fastmath_kernel, kernel
from sim.observation import NEIGHBOUR

RADIUS, MAX_SPEED, MAX_TURN, ACCELERATION, TURN_ACCELERATION, RANGE, GAIN, MARGIN, PERIOD = range(9)
"""The order of the array of limits."""
BLENDS = 4
"""Candidates from the wanted speed to full braking, in equal steps."""
BRAKE_SAMPLES = (0.15, 0.35, 0.6, 1.0)
"""Where the arc is checked: after the control period, and at these shares of the braking time."""
CREEP_SPEED = 0.3
"""Below this speed the margin towards racks shrinks, lest a robot gets stuck at a corner that it can pass [m/s]."""
CREEP_MARGIN = 0.7
"""Share of the margin that is left at a standstill."""
ENOUGH = 0.1
"""Clearance beyond which more makes no difference [m]."""
ROUNDING = 2e-6
"""What the sensors are rounded to, at most [m]."""
FAR = 1e3
"""Farther than any sensor sees [m]."""


@kernel
def _joined(a: float, b: float, twice_cos: float, limits: NDArray[np.float64]) -> bool:
    """Whether two neighbouring rays hit what can be taken for one wall, since no robot fits between the hits."""
    gap = 2.0 * (limits[RADIUS] + limits[MARGIN])
    return max(a, b) < float(limits[RANGE]) - ROUNDING and a * a + b * b - a * b * twice_cos < float(gap * gap)


@kernel
def _add_wall(
    ax: float, ay: float, bx: float, by: float, reach: float, walls: NDArray[np.float64], count: int
) -> tuple[int, float]:
    """Appends the wall from a to b if it is within reach; returns the new count, and how far away the wall is [m]."""
    ex, ey = bx - ax, by - ay
    inverse = 1.0 / max(ex * ex + ey * ey, 1e-12)
    along = min(max(-(ax * ex + ay * ey) * inverse, 0.0), 1.0)
    distance = math.sqrt((ax + along * ex) ** 2 + (ay + along * ey) ** 2)
    if distance < reach:
        walls[0, count], walls[1, count], walls[2, count], walls[3, count], walls[4, count] = ax, ay, ex, ey, inverse
        count += 1
    return count, distance


@kernel
def _walls(
    lidar: NDArray[np.float32], limits: NDArray[np.float64], reach: float, walls: NDArray[np.float64]
) -> tuple[int, float]:
    """Writes the walls within reach [5, count]: start x, y, extent x, y, 1 / length^2.

    Between two rays a wall bends at a knee: at the corner where the walls on either side meet; or half-way along a wall
    that recedes before the next ray; or in the middle of a flat wall. The inverse range u of a straight wall is a
    sinusoid of the angle, so at equal steps u2 = 2 cos(step) u1 - u0.

    Returns:
        How many there are, and how far away the nearest is [m].
    """
    rays = len(lidar)
    step = 2.0 * math.pi / rays
    step_cos, step_sin, half_cos, half_sin = math.cos(step), math.sin(step), math.cos(0.5 * step), math.sin(0.5 * step)
    twice_cos = 2.0 * step_cos
    next_cos, next_sin = 1.0, 0.0
    count, nearest = 0, FAR
    for i in range(rays):
        cos, sin = next_cos, next_sin
        next_cos, next_sin = cos * step_cos - sin * step_sin, sin * step_cos + cos * step_sin
        before, here = float(lidar[i - 1]), float(lidar[i])
        there, after = float(lidar[i + 1 - rays]), float(lidar[i + 2 - rays])
        if min(here, there) - limits[RADIUS] - limits[MARGIN] > reach:
            continue
        u_here, u_there = 1.0 / max(here, 1e-3), 1.0 / max(there, 1e-3)
        # How much nearer the prolonged wall would be than what the ray on the other side of the knee hits.
        recedes, emerges = 0.0, 0.0
        if _joined(before, here, twice_cos, limits):
            recedes = max(twice_cos * u_here - 1.0 / max(before, 1e-3) - u_there, 0.0)
        if _joined(there, after, twice_cos, limits):
            emerges = max(twice_cos * u_there - 1.0 / max(after, 1e-3) - u_here, 0.0)
        knee_cos, knee_sin, left = half_cos, half_sin, half_sin
        if recedes > 0.0 and emerges > 0.0:
            share = emerges / (recedes + emerges)
            knee_cos, knee_sin, left = math.cos(share * step), math.sin(share * step), math.sin((1.0 - share) * step)
        knee = step_sin / (u_here * left + u_there * knee_sin + max(emerges * left, recedes * knee_sin))
        kx, ky = knee * (cos * knee_cos - sin * knee_sin), knee * (sin * knee_cos + cos * knee_sin)
        ax, ay, bx, by = here * cos, here * sin, there * next_cos, there * next_sin
        joined = _joined(here, there, twice_cos, limits)
        if here < limits[RANGE] - ROUNDING:
            bends = joined or recedes > 0.0
            count, distance = _add_wall(ax, ay, kx if bends else ax, ky if bends else ay, reach, walls, count)
            nearest = min(nearest, distance)
        if joined or emerges > 0.0:
            count, distance = _add_wall(kx, ky, bx, by, reach, walls, count)
            nearest = min(nearest, distance)
    return count, nearest


@kernel
def _offset(px: float, py: float, ax: float, ay: float, ex: float, ey: float) -> tuple[float, float]:
    """The vector from point p to the nearest point of the line from a to a + e."""
    along = ((px - ax) * ex + (py - ay) * ey) / max(ex * ex + ey * ey, 1e-12)
    along = min(max(along, 0.0), 1.0)
    return ax + along * ex - px, ay + along * ey - py


@kernel
def _half_plane(
    neighbour: NDArray[np.float32], braking: float, limits: NDArray[np.float64], plane: NDArray[np.float64]
) -> None:
    """Writes the side that is mine, normal x, y and bound: my centre p has to keep normal . p <= bound.

    Both brake on straight lines, mine from (0, 0) to (braking, 0). The plane lies midway between their nearest points.
    """
    x, y, speed = float(neighbour[NEIGHBOUR.x]), float(neighbour[NEIGHBOUR.y]), float(neighbour[NEIGHBOUR.speed])
    stop = speed * abs(speed) / (2.0 * limits[ACCELERATION])
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
    bound = nx * middle_x + ny * middle_y - limits[RADIUS] - 0.5 * limits[MARGIN]
    plane[0], plane[1], plane[2] = nx, ny, max(bound, ROUNDING)


@kernel
def _half_planes(
    neighbours: NDArray[np.float32], braking: float, limits: NDArray[np.float64], planes: NDArray[np.float64]
) -> tuple[int, float]:
    """Writes the half-plane of each robot that is present; returns how many there are, and the smallest bound [m]."""
    present, bound = 0, FAR
    for neighbour in neighbours:
        if neighbour[NEIGHBOUR.present] > 0.5:
            _half_plane(neighbour, braking, limits, planes[present])
            bound = min(bound, planes[present, 2])
            present += 1
    return present, bound


@kernel
def _arc(v0: float, w0: float, v: float, w: float, limits: NDArray[np.float64], arc: NDArray[np.float64]) -> int:
    """Writes where the centre is [5, 2] after one period from (v0, w0) to a reachable (v, w), and while it brakes.

    Returns how many of them to check: one where nothing is left to brake.
    """
    period, acceleration = limits[PERIOD], limits[ACCELERATION]
    heading = w * period - (w - w0) * abs(w - w0) / limits[TURN_ACCELERATION] * 0.5
    length = v * period - (v - v0) * abs(v - v0) / acceleration * 0.5
    x, y = length * math.cos(0.5 * heading), length * math.sin(0.5 * heading)
    arc[0, 0], arc[0, 1] = x, y
    if v == 0.0:
        return 1
    braking = abs(v) / acceleration
    before = 0.0
    for i, share in enumerate(BRAKE_SAMPLES):
        middle = 0.5 * (before + share)
        length = v * braking * (share - before) * (1.0 - middle)
        angle = heading + w * braking * middle
        x, y = x + length * math.cos(angle), y + length * math.sin(angle)
        arc[i + 1, 0], arc[i + 1, 1] = x, y
        before = share
    return len(arc)


@fastmath_kernel
def _clearance(
    arc: NDArray[np.float64], walls: NDArray[np.float64], count: int, keep: float, planes: NDArray[np.float64]
) -> float:
    """What the arc can spare [m] if it has to `keep` off the walls and on its side of the planes; below 0: blocked."""
    square, spare = FAR * FAR, ENOUGH
    for i in range(len(arc)):
        x, y = arc[i, 0], arc[i, 1]
        for j in range(count):
            px, py, ex, ey = walls[0, j] - x, walls[1, j] - y, walls[2, j], walls[3, j]
            along = min(max(-(px * ex + py * ey) * walls[4, j], 0.0), 1.0)
            px, py = px + along * ex, py + along * ey
            square = min(square, px * px + py * py)
        for j in range(len(planes)):
            spare = min(spare, planes[j, 2] - planes[j, 0] * x - planes[j, 1] * y)
    return min(spare, math.sqrt(square) - keep)


@kernel
def govern(
    v_wanted: float,
    w_wanted: float,
    lidar: NDArray[np.float32],
    velocity: NDArray[np.float32],
    neighbours: NDArray[np.float32],
    limits: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Writes the command nearest to the wanted one that hits nothing; arguments as in `sim.controller.control`."""
    v0, w0 = float(velocity[0]), float(velocity[1])
    dv, dw = limits[ACCELERATION] * limits[PERIOD], limits[TURN_ACCELERATION] * limits[PERIOD]
    v_wanted, w_wanted = min(max(v_wanted, v0 - dv), v0 + dv), min(max(w_wanted, w0 - dw), w0 + dw)
    if v0 == 0.0 and v_wanted == 0.0:  # it only turns, which brings no disc nearer to anything
        out[0], out[1] = 0.0, w_wanted
        return
    v_brake = v0 - min(max(v0, -dv), dv)

    fastest = max(abs(v0), abs(v_wanted))
    stop = fastest * limits[PERIOD] + fastest * fastest / (2.0 * limits[ACCELERATION])
    walls, planes, arc = np.empty((5, 2 * len(lidar))), np.empty((len(neighbours), 3)), np.empty((5, 2))
    count, nearest = _walls(lidar, limits, limits[RADIUS] + limits[MARGIN] + ENOUGH + stop, walls)
    present, bound = _half_planes(neighbours, v0 * abs(v0) / (2.0 * limits[ACCELERATION]), limits, planes)
    # No arc is longer than `stop`, so it ends before whatever is farther away.
    if min(bound, nearest - limits[RADIUS] - limits[MARGIN]) > stop + ROUNDING:
        out[0], out[1] = v_brake + (v_wanted - v_brake), w_wanted
        return

    spare_before, v_before, w_before = 0.0, 0.0, 0.0
    for i in range(BLENDS + 2):
        v = v_brake + max(0.0, 1.0 - i / BLENDS) * (v_wanted - v_brake)
        w = w_wanted if i <= BLENDS else w0
        places = _arc(v0, w0, v, w, limits, arc)
        share = 1.0 - (1.0 - CREEP_MARGIN) * max(0.0, 1.0 - abs(v) / CREEP_SPEED)
        keep = min(limits[RADIUS] + share * limits[MARGIN], nearest - ROUNDING)
        spare = _clearance(arc[:places], walls, count, keep, planes[:present])
        clear = spare >= 0.0
        if clear and i > 0:
            blend = spare / (spare - spare_before)
            v, w = v + blend * (v_before - v), w + blend * (w_before - w)
        out[0], out[1] = v, w
        if clear:
            return
        spare_before, v_before, w_before = spare, v, w
