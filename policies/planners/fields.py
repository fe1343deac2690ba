"""Path lengths over the map for robots that drive from cell to cell over sides, never diagonally."""

import heapq

import numpy as np
from numpy.typing import NDArray

from sim.layout import Layout

EAST, NORTH, WEST, SOUTH = range(4)
"""The order of the four cells beside a cell."""


class Fields:
    """The cells beside each cell of a map, and path lengths, each computed once.

    Args:
        layout: the map.
    """

    def __init__(self, layout: Layout) -> None:
        self.around = np.full((layout.blocked.size, 4), -1, np.int64)
        """The free cells beside each free cell, in the order of `EAST` and so on; -1 where there is none [cells, 4]."""
        for cell in layout.free:
            row, column = divmod(cell, layout.columns)
            for side, (r, c) in enumerate(((row, column + 1), (row + 1, column), (row, column - 1), (row - 1, column))):
                if 0 <= r < layout.rows and 0 <= c < layout.columns and not layout.blocked[r, c]:
                    self.around[cell, side] = r * layout.columns + c
        self.beside: list[list[int]] = [[int(cell) for cell in cells if cell >= 0] for cells in self.around]
        """The same without the gaps."""
        self.way_out = self._ways_out()
        """From each cell of a dead end, the length of the way to the junction where it begins [cells], m; else 0."""
        self._kept: dict[int, NDArray[np.float64]] = {}

    def to(self, goal: int) -> NDArray[np.float64]:
        """Return the length of the way from each cell to `goal` [cells], m; infinity where there is none."""
        if goal not in self._kept:
            self._kept[goal] = self._lengths(goal)
        return self._kept[goal]

    def way(self, start: int, goal: int) -> list[int]:
        """Return the cells of a shortest way, `start` and `goal` among them."""
        field, cells = self.to(goal), [start]
        while field[cells[-1]] > 0.0:
            cells.append(min(self.beside[cells[-1]], key=lambda cell: field[cell]))
        return cells

    def _lengths(self, goal: int) -> NDArray[np.float64]:
        lengths = np.full(len(self.beside), np.inf)
        lengths[goal] = 0.0
        queue = [(0.0, goal)]
        while queue:
            length, cell = heapq.heappop(queue)
            for before in self.beside[cell]:
                if length + 1.0 < lengths[before]:
                    lengths[before] = length + 1.0
                    heapq.heappush(queue, (length + 1.0, before))
        return lengths

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
