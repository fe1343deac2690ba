"""The earliest way of one robot through the next seconds, around what it heard of the others.

Safe interval path planning (Phillips and Likhachev, "SIPP: Safe Interval Path Planning for Dynamic Environments",
2011), within a window (Silver, "Cooperative Pathfinding", 2005): of a cell and one of its free intervals only the
earliest arrival matters. To stay in a cell until the window is over is a way too.

Scalar code without numba, so that the simulator can compile it (`sim.kernels`) and a robot can run it as it is.
"""

import heapq
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.traffic.broadcast import LONGEST_WAY, RECORD
from sim.traffic.reservations import ALWAYS, FOREVER
from sim.traffic.rules import Rules
from sim.traffic.state import Chart, Reservations, Scratch
from sim.traffic.ways import cell_beside

MOST_NODES = 512
"""Nodes of a search at most: the way to the best one that is reached then is taken."""
_SAME = 1e-9

Node = tuple[int, float, float, int, float, int, int, float]
"""Cell, when, until when it is free, side it goes to, when its free interval begins, node before, older node of the
same cell, costs so far but for the time."""


class Trip(NamedTuple):
    """What has to be planned."""

    start: int
    """The cell where the way begins."""
    begin: float
    """When the robot is there [s]."""
    side: int
    """Over which side of a cell it goes there, -1 where it stands."""
    goal: int
    """The cell that it is sent to."""


def free_interval(held: Reservations, cell: int, begin: float) -> tuple[float, float]:
    """Return when the free interval of a cell that begins at `begin` ends, and when the next one begins [s]."""
    end, following = FOREVER, FOREVER
    k = held.head[cell]
    while k >= 0:
        if held.ends[k] > begin + _SAME and held.begins[k] < end:
            end, following = held.begins[k], held.ends[k]
        k = held.next[k]
    longer = following < FOREVER
    while longer:
        longer = False
        k = held.head[cell]
        while k >= 0:
            if held.begins[k] <= following + _SAME and held.ends[k] > following + _SAME:
                following, longer = held.ends[k], True
            k = held.next[k]
    return end, following


def _free_at_start(held: Reservations, trip: Trip, leave: float) -> float:
    """Return until when the start is free [s]: what is held there already can't be helped."""
    end = FOREVER
    k = held.head[trip.start]
    while k >= 0:
        if held.ends[k] > trip.begin + _SAME:
            end = min(end, max(held.begins[k], trip.begin + leave + 0.05))
        k = held.next[k]
    return end


def plan_way(chart: Chart, trip: Trip, scratch: Scratch, rules: Rules, record: NDArray[np.float64]) -> int:
    """Write the earliest way to the goal, or as far as the window reaches, into a robot's broadcast.

    Args:
        chart: the robot's map.
        trip: what to plan.
        scratch: its reservations are those of the others.
        rules: distances and times.
        record: way and times are written [RECORD_SIZE].

    Returns:
        How many cells the way has, the start first; 0 if there is none.
    """
    until = _free_at_start(scratch.reservations, trip, rules.leave)
    nodes = [(trip.start, trip.begin, until, trip.side, ALWAYS, -1, -1, 0.0)]
    closed = [False]
    scratch.newest[trip.start] = 0
    columns = chart.blocked.shape[1]
    queue = [(trip.begin + chart.to_goal[trip.start] * rules.leg, 0)]
    found = -1
    while len(queue) > 0:
        _, node = heapq.heappop(queue)
        if node < 0:
            found = -node - 1
            break
        if closed[node]:
            continue
        closed[node] = True
        cell, time, until = nodes[node][:3]
        if cell == trip.goal or time >= rules.window or len(nodes) > MOST_NODES:
            found = node
            break
        if until >= FOREVER:
            left = nodes[node][7] + chart.to_goal[cell] * rules.leg
            heapq.heappush(queue, (max(time, rules.window) + left, -node - 1))
        for side in range(4):
            if math.isfinite(chart.costs[cell, side]) and not chart.closed[cell_beside(cell, side, columns)]:
                _expand(node, side, chart, scratch, rules, nodes, closed, queue)
    for known in nodes:
        scratch.newest[known[0]] = -1
    return _write_way(nodes, found, record)


def _expand(
    node: int,
    side: int,
    chart: Chart,
    scratch: Scratch,
    rules: Rules,
    nodes: list[Node],
    closed: list[bool],
    queue: list[tuple[float, int]],
) -> None:
    """Queue the arrivals in the cell on one side of a node's cell: one in each free interval that can be met."""
    cell, time, until, before = nodes[node][:4]
    to = cell_beside(cell, side, chart.blocked.shape[1])
    turn = rules.turn_back if before >= 0 and (side + 2) % 4 == before else 0.0
    spent = nodes[node][7] + (chart.costs[cell, side] - 1.0) * rules.leg
    begin = ALWAYS
    while True:
        end, following = free_interval(scratch.reservations, to, begin)
        departs, longer = time, turn
        wait = begin + rules.enter - rules.leg - turn - time
        if wait > 0.0:
            departs, longer = time + wait, turn + min(wait, rules.set_off)
        arrives = departs + rules.leg + longer
        sets_off = arrives - rules.leg
        if (
            sets_off + rules.leave <= until + _SAME
            and arrives <= end
            and not _is_known(to, begin, arrives, scratch, nodes, closed)
        ):
            nodes.append((to, arrives, end, side, begin, node, scratch.newest[to], spent))
            closed.append(False)
            scratch.newest[to] = len(nodes) - 1
            heapq.heappush(queue, (arrives + chart.to_goal[to] * rules.leg + spent, len(nodes) - 1))
        if following >= FOREVER or sets_off + rules.leave > until:
            return
        begin = following


def _is_known(cell: int, begin: float, arrives: float, scratch: Scratch, nodes: list[Node], closed: list[bool]) -> bool:
    """Return whether a node of this cell and interval is as early; those that are later need no more visit."""
    k = scratch.newest[cell]
    while k >= 0:
        if nodes[k][4] == begin:
            if nodes[k][1] <= arrives + _SAME:
                return True
            closed[k] = True
        k = nodes[k][6]
    return False


def _write_way(nodes: list[Node], found: int, record: NDArray[np.float64]) -> int:
    """Write the way to a node into a broadcast; return how many cells it has, at most as many as fit."""
    count, node = 0, found
    while node >= 0:
        count, node = count + 1, nodes[node][5]
    at, node = count, found
    while node >= 0:
        at -= 1
        if at < LONGEST_WAY:
            record[RECORD.way + at], record[RECORD.way_times + at] = nodes[node][0], nodes[node][1]
        node = nodes[node][5]
    count = min(count, LONGEST_WAY)
    record[RECORD.way_count] = record[RECORD.timed_count] = count
    return count
