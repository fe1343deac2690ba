"""The cheapest way of one robot through space and time, around what others have reserved.

Safe interval path planning (Phillips and Likhachev, "SIPP: Safe Interval Path Planning for Dynamic Environments",
2011): of a cell and one of its free intervals only the earliest arrival matters, and the cheapest, where the map's
guidance charges for some ways; so the search goes over those, and not over the ticks of a clock.

A robot holds a cell from `ENTER` before it is in its middle until `LEAVE` after it sets off from there, and no two hold
a cell at once. ENTER + LEAVE is more than the time from middle to middle, so two robots can't change places either.
"""

import heapq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.kernels import kernel

ENTER = 0.45
"""From when on a robot holds a cell: so long before it is in its middle [s] ..."""
LEAVE = 0.45
"""... and until when: so long after it sets off from there [s]."""
STAY = 1.0
"""How long a robot is taken to stay at the end of its way, where nobody knows where it is sent next [s]."""
UNFINISHED = 0.5
"""What it costs more to wait out the window than to be on the way at its end [s]."""
FOREVER = 1e9
_SAME = 1e-9

Node = tuple[int, float, int, int, int, int, float]
"""A cell, when, how the robot comes there, the free interval, whether the goal was reached, the node before, and the
tolls up to there."""


class Grid(NamedTuple):
    """The map as the search needs it."""

    around: NDArray[np.int64]
    """The cells beside each cell, -1 where there is none [cells, 4]."""
    tolls: NDArray[np.float64]
    """What the map's guidance charges for going there, beyond the time that it takes [cells, 4], s."""
    way_out: NDArray[np.float64]
    """From each cell of a dead end, the cells up to where it begins [cells]: a robot has to come out of there too."""
    turns: NDArray[np.float64]
    """What it costs to drive to each side (columns), by how the robot comes (rows): driving to a side (4 rows), or
    standing along x or along y [6, 4], s."""
    leg: float
    """Time from the middle of a cell to the next at full speed [s]."""


class Trip(NamedTuple):
    """What one robot has to plan."""

    start: int
    """The cell where its plan begins."""
    begin: float
    """When it is there [s]."""
    facing: int
    """How it comes there: a row of `Grid.turns`."""
    goal: int
    """The cell that it is sent to."""
    window_end: float
    """Beyond this time nothing is reserved [s]."""


class Held(NamedTuple):
    """Who holds each cell when, by the beginnings. Only the cell of a robot that found no way may be held twice."""

    begins: NDArray[np.float64]
    """[cells, intervals], s."""
    ends: NDArray[np.float64]
    """[cells, intervals], s."""
    robots: NDArray[np.int64]
    """[cells, intervals]."""
    counts: NDArray[np.int64]
    """How many intervals there are [cells]."""


def nothing_held(cells: int, intervals: int) -> Held:
    """Return reservations without any, with room for so many intervals of each cell."""
    shape = (cells, intervals)
    return Held(np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64), np.zeros(cells, np.int64))


@kernel
def hold(held: Held, cell: int, begin: float, end: float, robot: int) -> None:
    """Reserve a cell for a robot from `begin` to `end` [s]; what is one too many for the table is left out."""
    k = held.counts[cell]
    if k >= held.begins.shape[1]:
        return
    while k > 0 and held.begins[cell, k - 1] > begin:
        held.begins[cell, k], held.ends[cell, k] = held.begins[cell, k - 1], held.ends[cell, k - 1]
        held.robots[cell, k] = held.robots[cell, k - 1]
        k -= 1
    held.begins[cell, k], held.ends[cell, k], held.robots[cell, k] = begin, end, robot
    held.counts[cell] += 1


@kernel
def hold_way(
    held: Held, cells: NDArray[np.int64], times: NDArray[np.float64], count: int, until: float, leg: float, robot: int
) -> None:
    """Reserve a way: `count` cells and when the robot is in their middles; the first from now on, the last `until`."""
    for k in range(count):
        begin = times[k] - ENTER if k > 0 else -FOREVER
        hold(held, cells[k], begin, times[k + 1] - leg + LEAVE if k + 1 < count else until, robot)


@kernel
def release(held: Held, robot: int) -> None:
    """Give up all that a robot has reserved."""
    for cell in range(len(held.counts)):
        kept = 0
        for k in range(held.counts[cell]):
            if held.robots[cell, k] != robot:
                held.begins[cell, kept], held.ends[cell, kept] = held.begins[cell, k], held.ends[cell, k]
                held.robots[cell, kept] = held.robots[cell, k]
                kept += 1
        held.counts[cell] = kept


@kernel
def search(
    trip: Trip,
    grid: Grid,
    field: NDArray[np.float64],
    held: Held,
    cells: NDArray[np.int64],
    times: NDArray[np.float64],
) -> tuple[int, float, bool]:
    """Find the cheapest way to the goal and, if that is a dead end, out of it again, or as far as the window reaches.

    A* over states (cell, free interval, direction, whether the goal has been reached); the first state taken from the
    queue that may end the way is the best. The cost is the time of arrival and the tolls on the way; of a state all
    arrivals are followed that are earlier or cheaper than those before.

    Args:
        trip: what to plan.
        grid: the map.
        field: what the way from each cell to the goal costs [cells], m.
        held: what the others have reserved.
        cells: the way, written [longest], the start first.
        times: when the robot is in the middle of each, written [longest], s.

    Returns:
        How many cells the way has, 0 if there is none; its cost [s]: when it would be at the goal, and out, if nobody
        were in the way after the window, and its tolls; and whether it stays at the end of its way until the window is
        over.
    """
    first = 0  # it is there, so what is held from before has to end by itself
    while first < held.counts[trip.start] and held.begins[trip.start, first] <= trip.begin:
        first += 1
    nodes = [(trip.start, trip.begin, trip.facing, first, 0, -1, 0.0)]
    best = np.full((2, len(grid.around), 4, held.begins.shape[1] + 1, 2), FOREVER)  # arrival, and with its tolls
    queue = [(trip.begin, 0)]
    while len(queue) > 0:
        cost, node = heapq.heappop(queue)
        if node < 0:
            return _unwind(nodes, -node - 1, cells, times), cost, True
        cell, time, facing, gap, done, before, toll = nodes[node]
        if before >= 0:
            earliest, cheapest = best[done, cell, facing, gap]
            if earliest < time - _SAME and cheapest < time + toll - _SAME:
                continue
        until = held.begins[cell, gap] if gap < held.counts[cell] else FOREVER
        done = max(done, int(cell == trip.goal))
        arrived = done == 1 and grid.way_out[cell] == 0.0 and time + STAY <= until
        if arrived or time >= trip.window_end:
            return _unwind(nodes, node, cells, times), cost, False
        if until >= trip.window_end + LEAVE:
            left = (grid.way_out[cell] if done else field[cell] + grid.way_out[trip.goal]) * grid.leg
            heapq.heappush(queue, (trip.window_end + left + toll + UNFINISHED, -node - 1))
        for side in range(4):
            if grid.around[cell, side] >= 0:
                _expand(node, side, until, done, trip, grid, field, held, nodes, best, queue)
    return 0, FOREVER, False


@kernel
def _expand(
    node: int,
    side: int,
    until: float,
    done: int,
    trip: Trip,
    grid: Grid,
    field: NDArray[np.float64],
    held: Held,
    nodes: list[Node],
    best: NDArray[np.float64],
    queue: list[tuple[float, int]],
) -> None:
    """Queue the arrivals in the cell on one side of a node's cell: one in each free interval that can be met."""
    cell, time, facing, _, _, _, toll = nodes[node]
    toll += grid.tolls[cell, side]
    to = grid.around[cell, side]
    earliest, latest = time + grid.leg + grid.turns[facing, side], until - LEAVE + grid.leg
    left = (grid.way_out[to] if done else field[to] + grid.way_out[trip.goal]) * grid.leg
    free_from = -FOREVER
    for gap in range(held.counts[to] + 1):
        if gap > 0:
            free_from = max(free_from, held.ends[to, gap - 1])
        free_to = held.begins[to, gap] if gap < held.counts[to] else FOREVER
        arrival = max(earliest, free_from + ENTER)
        if arrival > latest:
            return
        known = best[done, to, side, gap]
        if arrival + LEAVE <= free_to and (arrival < known[0] - _SAME or arrival + toll < known[1] - _SAME):
            known[0], known[1] = min(known[0], arrival), min(known[1], arrival + toll)
            nodes.append((to, arrival, side, gap, done, node, toll))
            heapq.heappush(queue, (arrival + toll + left, len(nodes) - 1))


@kernel
def _unwind(nodes: list[Node], node: int, cells: NDArray[np.int64], times: NDArray[np.float64]) -> int:
    """Write the way that leads to a node; return how many cells it has, at most as many as fit."""
    count, at = 0, node
    while at >= 0:
        count, at = count + 1, nodes[at][5]
    at = count
    while node >= 0:
        at -= 1
        if at < len(cells):
            cells[at], times[at] = nodes[node][0], nodes[node][1]
        node = nodes[node][5]
    return min(count, len(cells))
