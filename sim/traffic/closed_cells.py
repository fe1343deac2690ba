"""What a robot sees that nobody tells of: it keeps twice the distance, and drives round what stands there for long.

A lidar return that neither the map nor a robot that is heard explains may be a robot without radio. Of the free way up
to it the robot takes half, so that two that see each other by lidar alone need not stop at once: both stop in time. And
it drives slowly for a while, as it may meet the other again behind a corner.
Where such returns stay in one cell for `CLOSED_AFTER`, the cell is closed for the robot's own paths, until it sees
through it or has not seen it for `REMEMBERED`.

Scalar code without numba, so that the simulator can compile it (`sim.kernels`) and a robot can run it as it is.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.traffic.broadcast import RECORD, place_now
from sim.traffic.rules import Rules
from sim.traffic.state import WATCHED, Chart, Heard
from sim.waypoint import rack_gap

TOLERANCE = 0.12
"""How far a return may lie from what explains it [m]."""
CHANGES = 1.0
"""Half of what a robot may have accelerated meanwhile, besides half of the way that it was going to go [m/s^2]."""
BEHIND = 0.15
"""The middle of what is seen is taken to be so far behind its surface [m]."""
SEEN_THROUGH = 0.4
"""A cell is empty where a ray reaches so far beyond its middle [m] ..."""
NEAR_MIDDLE = 0.15
"""... and passes it within this distance [m]: so that it would have met a robot there."""
CLOSED_AFTER = 10.0
"""A cell is closed when it has been seen taken for so long [s] ..."""
GAP = 2.0
"""... with no longer gap than this between two sights [s]."""
REMEMBERED = 120.0
"""A closed cell is tried again when it was not seen for so long [s]."""


def judge_lidar(
    record: NDArray[np.float64],
    lidar: NDArray[np.float32],
    chart: Chart,
    heard: Heard,
    now: float,
    rules: Rules,
    out: NDArray[np.float32],
) -> bool:
    """Write the ranges to drive by [rays], m: to what is not explained, half of the free way counts.

    Args:
        record: the robot's broadcast, with its pose of now [RECORD_SIZE].
        lidar: ranges [rays], m.
        chart: its map; the cells that it watches are updated.
        heard: what it heard.
        now: its own time [s].
        rules: distances and times.
        out: written [rays], m.

    Returns:
        Whether there is anything that is not explained.
    """
    x, y, heading = record[RECORD.x], record[RECORD.y], record[RECORD.heading]
    blocked, step, strange = chart.blocked, 2.0 * math.pi / len(lidar), False
    for ray in range(len(lidar)):
        reach = float(lidar[ray])
        out[ray] = lidar[ray]
        if reach >= rules.lidar_range - 1e-3:
            continue
        cos, sin = math.cos(heading + ray * step), math.sin(heading + ray * step)
        hit_x, hit_y = x + reach * cos, y + reach * sin
        if rack_gap(blocked, hit_x, hit_y) <= TOLERANCE * TOLERANCE or _is_heard(hit_x, hit_y, heard, rules):
            continue
        strange = True
        out[ray] = rules.radius + 0.5 * max(reach - rules.radius, 0.0)
        row, column = math.floor(hit_y + BEHIND * sin), math.floor(hit_x + BEHIND * cos)
        if 0 <= row < blocked.shape[0] and 0 <= column < blocked.shape[1] and not blocked[row, column]:
            _watch(chart.watched, float(row * blocked.shape[1] + column), now)
    return strange


def _is_heard(x: float, y: float, heard: Heard, rules: Rules) -> bool:
    """Return whether a robot that is heard stands where the lidar sees something at (x, y)."""
    for k in range(len(heard.rows)):
        other, age = heard.records[heard.rows[k]], heard.ages[k]
        at_x, at_y = place_now(other, age)
        reach = rules.radius + TOLERANCE + 0.5 * abs(other[RECORD.speed]) * age + CHANGES * age * age
        if (at_x - x) * (at_x - x) + (at_y - y) * (at_y - y) <= reach * reach:
            return True
    return False


def _watch(watched: NDArray[np.float64], cell: float, now: float) -> None:
    """Note that a cell is seen taken, where there is a place left for it."""
    place = -1
    for k in range(len(watched)):
        if watched[k, WATCHED.cell] == cell:
            first, last = watched[k, WATCHED.first], watched[k, WATCHED.last]
            if now - last > GAP and last - first < CLOSED_AFTER:
                watched[k, WATCHED.first] = now
            watched[k, WATCHED.last] = now
            return
        if watched[k, WATCHED.cell] < 0.0:
            place = k
    if place >= 0:
        watched[place, WATCHED.cell] = cell
        watched[place, WATCHED.first] = watched[place, WATCHED.last] = now


def close_cells(record: NDArray[np.float64], lidar: NDArray[np.float32], chart: Chart, now: float) -> bool:
    """Close the cells that have been taken for long, open those that are empty; return whether any changed.

    Args:
        record: the robot's broadcast [RECORD_SIZE].
        lidar: ranges [rays], m.
        chart: its map, updated.
        now: its own time [s].
    """
    changed, columns = False, chart.blocked.shape[1]
    for watch in chart.watched:
        cell = int(watch[WATCHED.cell])
        if cell < 0:
            continue
        shut, unseen = watch[WATCHED.last] - watch[WATCHED.first] >= CLOSED_AFTER, now - watch[WATCHED.last]
        if unseen > (REMEMBERED if shut else GAP) or (unseen > 0.0 and _sees_through(record, lidar, columns, cell)):
            watch[WATCHED.cell] = -1.0
            shut = False
        if chart.closed[cell] != shut:
            chart.closed[cell], changed = shut, True
    return changed


def _sees_through(record: NDArray[np.float64], lidar: NDArray[np.float32], columns: int, cell: int) -> bool:
    """Return whether a ray that passes near the middle of a cell reaches well beyond it."""
    dx, dy = cell % columns + 0.5 - record[RECORD.x], cell // columns + 0.5 - record[RECORD.y]
    distance = math.sqrt(dx * dx + dy * dy)
    bearing = (math.atan2(dy, dx) - record[RECORD.heading]) / (2.0 * math.pi) * len(lidar)
    ray = math.floor(bearing + 0.5)
    aside = distance * math.sin(abs(bearing - ray) * 2.0 * math.pi / len(lidar))
    return aside < NEAR_MIDDLE and float(lidar[ray % len(lidar)]) > distance + SEEN_THROUGH
