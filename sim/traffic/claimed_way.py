"""The polyline through the middles of the cells that a robot has claimed, and where it heads on it.

Scalar code without numba, so that the simulator can compile it (`sim.kernels`) and a robot can run it as it is.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.traffic.broadcast import RECORD
from sim.waypoint import line_is_free

AHEAD = 0.75
"""How far ahead on its way the waypoint lies at most [m]; less by as much as the robot is off the way."""
SHORTER = 0.15
"""By how much the waypoint comes nearer until the line to it is free [m]."""
LOOK = 3
"""A robot is on one of the first so many segments."""


def place_on_claims(record: NDArray[np.float64], columns: int, x: float, y: float) -> tuple[float, float]:
    """Return how far along its claimed way a robot is, counted from the middle of its first cell, and how far off it.

    Args:
        record: the robot's broadcast [RECORD_SIZE].
        columns: of the map.
        x: where the robot is [m].
        y: where the robot is [m].
    """
    count = int(record[RECORD.claim_count])
    cell = int(record[RECORD.claims])
    ax, ay = cell % columns + 0.5, cell // columns + 0.5
    place, off = 0.0, math.sqrt((ax - x) * (ax - x) + (ay - y) * (ay - y))
    for k in range(1, min(count, LOOK + 1)):
        cell = int(record[RECORD.claims + k])
        bx, by = cell % columns + 0.5, cell // columns + 0.5
        share = min(max((x - ax) * (bx - ax) + (y - ay) * (by - ay), 0.0), 1.0)
        dx, dy = ax + share * (bx - ax) - x, ay + share * (by - ay) - y
        distance = math.sqrt(dx * dx + dy * dy)
        if distance < off - 1e-9:
            place, off = k - 1 + share, distance
        ax, ay = bx, by
    return place, off


def point_on_claims(record: NDArray[np.float64], columns: int, place: float) -> tuple[float, float]:
    """Return x, y [m] of the point at `place` on the claimed way [m], which is not beyond its end."""
    last = int(record[RECORD.claim_count]) - 1
    k = min(int(place), last)
    cell = int(record[RECORD.claims + k])
    ax, ay = cell % columns + 0.5, cell // columns + 0.5
    if k == last:
        return ax, ay
    cell = int(record[RECORD.claims + k + 1])
    bx, by = cell % columns + 0.5, cell // columns + 0.5
    return ax + (place - k) * (bx - ax), ay + (place - k) * (by - ay)


def waypoint_on_claims(
    record: NDArray[np.float64],
    blocked: NDArray[np.bool_],
    keep: float,
    end: float,
    place: float,
    off: float,
    x: float,
    y: float,
) -> tuple[float, float]:
    """Return where a robot heads: a point of its claimed way, as far ahead as the line to it is free.

    Args:
        record: the robot's broadcast [RECORD_SIZE].
        blocked: the racks [rows, columns].
        keep: how far off the racks the line has to stay [m].
        end: how far along the way the robot may come [m].
        place: how far along the way it is [m].
        off: how far off the way it is [m].
        x: where it is [m].
        y: where it is [m].
    """
    columns, ahead = blocked.shape[1], AHEAD
    while True:
        px, py = point_on_claims(record, columns, min(place + max(ahead - off, 0.0), end))
        if ahead <= 0.0 or line_is_free(blocked, keep, x, y, px, py):
            return px, py
        ahead -= SHORTER
