"""Path costs over the map for robots that drive from cell to cell over sides, never diagonally."""

import heapq

import numpy as np
from numpy.typing import NDArray

from sim.layout import Layout


class Fields:
    """The cells beside each cell of a map, and path costs under its guidance, each computed once.

    Args:
        layout: the map.
    """

    def __init__(self, layout: Layout) -> None:
        steps = np.array([1, layout.columns, -1, -layout.columns])
        self.around = np.where(np.isfinite(layout.costs), np.arange(len(layout.costs))[:, None] + steps, -1)
        """The free cells beside each free cell, in the order of `sim.guidance.SIDES`; -1 for none [cells, 4]."""
        self.costs: list[list[float]] = layout.costs.tolist()
        """What it costs to go to each of them [cells][4], m; infinity where there is none."""
        self.extra = np.where(self.around >= 0, layout.costs - 1.0, 0.0)
        """What that is beyond its length [cells, 4], m; 0 where there is none."""
        self.beside: list[list[int]] = [[int(cell) for cell in cells if cell >= 0] for cells in self.around]
        """The same without the gaps."""
        self.way_out = self._ways_out()
        """From each cell of a dead end, the length of the way to the junction where it begins [cells], m; else 0."""
        self._kept: dict[int, NDArray[np.float64]] = {}

    def to(self, goal: int) -> NDArray[np.float64]:
        """Return what the cheapest way from each cell to `goal` costs [cells], m; infinity where there is none."""
        if goal not in self._kept:
            self._kept[goal] = self._costs_to(goal)
        return self._kept[goal]

    def best_first(self, cell: int, goal: int) -> list[int]:
        """Return the cells beside a cell, by what the way to the goal costs that begins there."""
        field, costs = self.to(goal), self.costs[cell]
        sides = [(costs[side] + field[to], side) for side, to in enumerate(self.around[cell].tolist()) if to >= 0]
        return [int(self.around[cell, side]) for _, side in sorted(sides)]

    def way(self, start: int, goal: int) -> list[int]:
        """Return the cells of a cheapest way, `start` and `goal` among them."""
        cells = [start]
        while cells[-1] != goal:
            cells.append(self.best_first(cells[-1], goal)[0])
        return cells

    def _costs_to(self, goal: int) -> NDArray[np.float64]:
        field = np.full(len(self.beside), np.inf)
        field[goal] = 0.0
        queue = [(0.0, goal)]
        while queue:
            cost, cell = heapq.heappop(queue)
            if cost > field[cell]:
                continue
            for side, before in enumerate(self.around[cell].tolist()):
                further = cost + self.costs[before][(side + 2) % 4]  # from there back over the opposite side
                if before >= 0 and further < field[before]:
                    field[before] = further
                    heapq.heappush(queue, (further, before))
        return field

    def _ways_out(self) -> NDArray[np.float64]:
        out = np.zeros(len(self.beside))
        for end in (cell for cell, beside in enumerate(self.beside) if len(beside) == 1):
            lane, before = [end], -1
            while len(self.beside[lane[-1]]) <= 2:
                further = [cell for cell in self.beside[lane[-1]] if cell != before]
                if not further:
                    return out  # one lane without a junction: there is no out
                before = lane[-1]
                lane.append(further[0])
            out[lane] = np.arange(len(lane) - 1, -1, -1)
        return out
