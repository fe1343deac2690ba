"""Where a robot that is asked to make way goes: the nearest cell that nobody needs.

Scalar code without numba, so that the simulator can compile it (`sim.kernels`) and a robot can run it as it is.
"""

import heapq
import math

import numpy as np
from numpy.typing import NDArray

from sim.traffic.broadcast import RECORD
from sim.traffic.claims import Rank, end_of, rank_of
from sim.traffic.state import Chart, Heard, Scratch
from sim.traffic.ways import cell_beside

FARTHEST = 80
"""Cells that are looked at."""
CLAIMED = 2.0
"""What a cell costs more that a robot of lower priority has claimed: it has to be asked to make way too [m]."""
ASIDE = 0.05
"""What each metre costs more that leads away from the goal."""
LEAST = 0.1
"""No step costs less [m]."""
_LATER, _CLOSED, _NO_STAY = 1, 2, 4


def _mark(scratch: Scratch, heard: Heard, asker: int, rank: Rank, clear: bool) -> None:
    """Mark what all that are heard have claimed, and the way of who asks; or clear these marks again."""
    for row in heard.rows:
        other = heard.records[row]
        above = row == asker or rank_of(other) < rank
        for k in range(int(other[RECORD.claim_count])):
            cell = int(other[RECORD.claims + k])
            scratch.marks[cell] = 0 if clear else scratch.marks[cell] | (_CLOSED if above else _LATER)
        for k in range(int(other[RECORD.way_count]) if row == asker else 0):
            cell = int(other[RECORD.way + k])
            scratch.marks[cell] = 0 if clear else scratch.marks[cell] | _NO_STAY


def find_way_off(record: NDArray[np.float64], heard: Heard, asker: int, chart: Chart, scratch: Scratch) -> int:
    """Return the cell that a robot claims next to make way, -1 where it can't.

    The way leads to the nearest cell that nobody has claimed, off the way of who asks, through no cell that a robot
    above it has claimed (Dijkstra's algorithm).

    Args:
        record: the robot's broadcast [RECORD_SIZE].
        heard: what it heard.
        asker: the row of who asks.
        chart: its map.
        scratch: memory.
    """
    _mark(scratch, heard, asker, rank_of(record), False)
    start, columns = end_of(record), chart.blocked.shape[1]
    reached, queue, looked, found = [(start, -1)], [(0.0, 0)], 0, -1
    scratch.costs[start] = 0.0
    while len(queue) > 0 and looked < FARTHEST:
        cost, node = heapq.heappop(queue)
        cell, first = reached[node]
        if cost > scratch.costs[cell]:
            continue
        looked += 1
        if cell != start and scratch.marks[cell] == 0:
            found = first
            break
        for side in range(4):
            if not math.isfinite(chart.costs[cell, side]):
                continue
            to = cell_beside(cell, side, columns)
            if scratch.marks[to] & _CLOSED:
                continue
            step = 1.0 + (CLAIMED if scratch.marks[to] & _LATER else 0.0)
            step = max(step + ASIDE * (chart.to_goal[to] - chart.to_goal[cell]), LEAST)
            if cost + step < scratch.costs[to]:
                scratch.costs[to] = cost + step
                reached.append((to, to if cell == start else first))
                heapq.heappush(queue, (cost + step, len(reached) - 1))
    for cell, _ in reached:
        scratch.costs[cell] = math.inf
    _mark(scratch, heard, asker, rank_of(record), True)
    return found
