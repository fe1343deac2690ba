"""Walls from the ranges of a lidar: hits are joined, and walls are prolonged to the corners between two rays."""

import math

import numpy as np
from numpy.typing import NDArray

from sim.kernels import kernel
from sim.limits import LIMIT

ROUNDING = 2e-6
"""What the sensors are rounded to, at most [m]."""
FAR = 1e3
"""Farther than any sensor sees [m]."""


@kernel
def _joined(a: float, b: float, twice_cos: float, limits: NDArray[np.float64]) -> bool:
    """Whether two neighbouring rays hit what can be taken for one wall, since no robot fits between the hits."""
    gap = 2.0 * (limits[LIMIT.radius] + limits[LIMIT.safety_margin])
    farthest = float(limits[LIMIT.lidar_range]) - ROUNDING
    return max(a, b) < farthest and a * a + b * b - a * b * twice_cos < float(gap * gap)


@kernel
def _add_wall(
    ax: float, ay: float, bx: float, by: float, reach: float, walls: NDArray[np.float64], count: int
) -> tuple[int, float]:
    """Append the wall from a to b if it is within reach; return the new count, and how far away the wall is [m]."""
    ex, ey = bx - ax, by - ay
    inverse = 1.0 / max(ex * ex + ey * ey, 1e-12)
    along = min(max(-(ax * ex + ay * ey) * inverse, 0.0), 1.0)
    distance = math.sqrt((ax + along * ex) ** 2 + (ay + along * ey) ** 2)
    if distance < reach:
        walls[0, count], walls[1, count], walls[2, count], walls[3, count], walls[4, count] = ax, ay, ex, ey, inverse
        count += 1
    return count, distance


@kernel
def find_walls(
    lidar: NDArray[np.float32], limits: NDArray[np.float64], reach: float, walls: NDArray[np.float64]
) -> tuple[int, float]:
    """Write the walls within reach [5, count]: start x, y, extent x, y, 1 / length^2.

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
        if min(here, there) - limits[LIMIT.radius] - limits[LIMIT.safety_margin] > reach:
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
        if here < limits[LIMIT.lidar_range] - ROUNDING:
            bends = joined or recedes > 0.0
            count, distance = _add_wall(ax, ay, kx if bends else ax, ky if bends else ay, reach, walls, count)
            nearest = min(nearest, distance)
        if joined or emerges > 0.0:
            count, distance = _add_wall(kx, ky, bx, by, reach, walls, count)
            nearest = min(nearest, distance)
    return count, nearest
