"""Cheapest ways over the sides of cells, as robots drive by right of way.

Scalar code without numba, so that the simulator can compile it (`sim.kernels`) and a robot can run it as it is.
"""

import heapq
import math

import numpy as np
from numpy.typing import NDArray


def cell_beside(cell: int, side: int, columns: int) -> int:
    """Return the cell on one side of a cell: 0 east, 1 north, 2 west, 3 south."""
    if side % 2 == 0:
        return cell + 1 - side
    return cell + (2 - side) * columns


def side_towards(cell: int, to: int, columns: int) -> int:
    """Return on which side of a cell the cell `to` beside it lies."""
    if to == cell + 1:
        return 0
    if to == cell - 1:
        return 2
    return 1 if to == cell + columns else 3


def fill_costs_to(
    goal: int, costs: NDArray[np.float64], columns: int, closed: NDArray[np.bool_], out: NDArray[np.float64]
) -> None:
    """Write what the way from each cell to `goal` costs (Dijkstra's algorithm); infinity where there is none.

    Args:
        goal: the cell.
        costs: of each side of each cell [cells, 4], m.
        columns: of the map.
        closed: cells through which no way leads [cells]; infinity there, but where the goal itself is one.
        out: written [cells], m.
    """
    for cell in range(len(out)):
        out[cell] = math.inf
    out[goal] = 0.0
    queue = [(0.0, goal)]
    while len(queue) > 0:
        reached, cell = heapq.heappop(queue)
        if reached > out[cell]:
            continue
        for side in range(4):
            if not math.isfinite(costs[cell, side]):  # a side is open from both cells or from none
                continue
            before = cell_beside(cell, side, columns)
            cost = reached + costs[before, (side + 2) % 4]
            if cost < out[before] and not closed[before]:
                out[before] = cost
                heapq.heappush(queue, (cost, before))


def next_cell_to(goal_costs: NDArray[np.float64], costs: NDArray[np.float64], cell: int, columns: int) -> int:
    """Return the cell that follows on the cheapest way to the goal; the cell itself at the goal, or where none leads.

    Args:
        goal_costs: from `fill_costs_to` [cells], m.
        costs: of each side of each cell [cells, 4], m.
        cell: where the way begins.
        columns: of the map.
    """
    if goal_costs[cell] == 0.0:
        return cell
    best, following = math.inf, cell
    for side in range(4):
        if math.isfinite(costs[cell, side]):
            beside = cell_beside(cell, side, columns)
            cost = costs[cell, side] + goal_costs[beside]
            if cost < best:
                best, following = cost, beside
    return following
