"""The polyline through the middles of the cells that a robot has claimed, and where it heads on it.

Scalar code without numba, so that the simulator can compile it (`sim.kernels`) and a robot can run it as it is.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.traffic.broadcast import RECORD
from sim.traffic.claims import last_to_enter
from sim.traffic.rules import Rules
from sim.traffic.state import MEMORY, Chart, Heard
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


def head_on(
    record: NDArray[np.float64],
    memory: NDArray[np.float64],
    goal: int,
    chart: Chart,
    heard: Heard,
    rules: Rules,
) -> None:
    """Write the waypoint and the room: up to the last cell that may be entered.

    Args:
        record: the robot's broadcast; the waypoint is written [RECORD_SIZE].
        memory: the room is written [len(MEMORY)].
        goal: the cell that it is sent to.
        chart: its map.
        heard: what it heard.
        rules: distances and times.
    """
    x, y = record[RECORD.x], record[RECORD.y]
    place, off = place_on_claims(record, chart.blocked.shape[1], x, y)
    last = last_to_enter(record, heard, rules.settled)
    end = int(record[RECORD.claim_count]) - 1
    waits = last < min(math.floor(place + 0.5) + 1, end)
    memory[MEMORY.waits] = memory[MEMORY.waits] + 1.0 if waits else 0.0
    room = (last - place if end > 0 else off) - rules.stop_short + (rules.close_up if last < end else 0.0)
    if int(record[RECORD.claims + last]) == goal:
        room = max(room + rules.stop_short - rules.stop_before_goal, 0.01)
    memory[MEMORY.room] = min(room, rules.wary_room) if memory[MEMORY.now] < memory[MEMORY.wary_until] else room
    record[RECORD.waypoint_x], record[RECORD.waypoint_y] = waypoint_on_claims(
        record, chart.blocked, rules.keep, float(end), place, off, x, y
    )
