"""The cheapest way from every cell of a map to a goal."""

import heapq
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.guidance import EAST, NORTH, SOUTH, WEST

_STEPS = tuple((dr, dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1) if dr or dc)


@dataclass(frozen=True, eq=False)
class PathField:
    """The cheapest ways to one goal cell, for a robot in any cell. Cells are counted row by row."""

    distance: NDArray[np.float64]
    """Length of the way to the goal from the middle of each cell [cells], m."""
    cost: NDArray[np.float64]
    """What that way costs [cells], m: its length where no edge costs more."""
    next_cell: NDArray[np.int32]
    """The cell that follows on that way [cells]; the goal follows itself."""


def find_ways(blocked: NDArray[np.bool_], costs: NDArray[np.float64], goal: int) -> PathField:
    """Return the cheapest ways to a goal, over the sides and corners of cells (Dijkstra's algorithm).

    Args:
        blocked: whether a rack stands there [rows, columns].
        costs: what it costs to drive over each side of each cell [cells, 4], from `sim.guidance.edge_costs`.
        goal: a free cell.
    """
    rows, columns = blocked.shape
    racks, over_side = blocked.ravel().tolist(), costs.tolist()
    cost, distance = [math.inf] * blocked.size, [math.inf] * blocked.size
    following = list(range(blocked.size))
    cost[goal] = distance[goal] = 0.0
    queue = [(0.0, goal)]
    while queue:
        reached, cell = heapq.heappop(queue)
        if reached > cost[cell]:
            continue
        row, column = divmod(cell, columns)
        for dr, dc in _STEPS:
            if not (0 <= row + dr < rows and 0 <= column + dc < columns):
                continue
            before = cell + dr * columns + dc
            step = _step_cost(racks[before], over_side, before, -dr * columns, -dc)
            if reached + step < cost[before] - 1e-12:
                cost[before], following[before] = reached + step, cell
                distance[before] = distance[cell] + math.hypot(dr, dc)
                heapq.heappush(queue, (reached + step, before))
    field = PathField(np.array(distance), np.array(cost), np.array(following, np.int32))
    for array in (field.distance, field.cost, field.next_cell):
        array.flags.writeable = False
    return field


def _step_cost(is_rack: bool, over_side: list[list[float]], cell: int, up: int, right: int) -> float:
    """Return what a step from a cell costs; `up` and `right` are what it adds to the number of the cell, or 0.

    Over a corner it costs the mean of the two ways round it, shorter by sqrt(2); where one of these is closed, the
    corner would be cut. Out of a rack (a robot, or its odometry, can be off by a little) the way leads straight over a
    side.
    """
    along, across = EAST if right > 0 else WEST, NORTH if up > 0 else SOUTH
    if up == 0 or right == 0:
        return 1.0 if is_rack else over_side[cell][across if right == 0 else along]
    if is_rack:
        return math.inf
    first = over_side[cell][along] + over_side[cell + right][across]
    second = over_side[cell][across] + over_side[cell + up][along]
    return (first + second) / 2.0 / math.sqrt(2.0)
