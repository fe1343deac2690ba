"""The floor of a warehouse: racks, stations, pick cells, and the cheapest way from every cell to a goal.

A robot carries its own copy of the map, so this file needs numpy alone.

The first line of a map (`sim.map_text`) is its upper edge; cell (row 0, column 0) of the arrays is the lower left one,
with the origin at its outer corner.
"""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.generator import draw_warehouse, is_generated
from sim.guidance import Aisle, Guidance, default_factors, edge_costs, find_aisles
from sim.guidance_text import guidance_text, read_guidance, require_valid
from sim.map_text import RACK, STATION, read_map_text
from sim.paths import PathField, find_ways

LAYOUTS = Path(__file__).parent / "layouts"


@dataclass(frozen=True, eq=False)
class Layout:
    """A validated grid map."""

    name: str
    """Its name in messages."""
    blocked: NDArray[np.bool_]
    """Whether a rack stands there [rows, columns]; row 0 is the lower edge."""
    stations: tuple[int, ...]
    """The station cells."""
    robots: int = 4
    """Number of robots that the map asks for."""
    guidance: tuple[Guidance, ...] = ()
    """What its aisles cost, for fleets of different sizes, the smallest first."""
    fleet: int = 1
    """The number of robots whose path costs this layout has; `guided` returns it for another."""
    _fields: dict[int, PathField] = field(default_factory=dict, init=False, repr=False)
    _fleets: dict[int, "Layout"] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.blocked.flags.writeable = False
        require_valid(self.guidance, self.aisles, self.blocked.shape, f"layout {self.name}")
        if not self.stations:
            raise InputError(f"layout {self.name}: it has no station; mark at least one cell with 'S'")
        if not self.picks:
            raise InputError(f"layout {self.name}: it has no pick cell; place a rack '#' beside a floor cell '.'")
        distance = self.path_field(self.stations[0]).distance
        unreachable = [cell for cell in self.free if not math.isfinite(distance[cell])]
        if unreachable:
            row, column = divmod(unreachable[0], self.columns)
            raise InputError(
                f"layout {self.name}: {len(unreachable)} cells can't be reached from its first station, such as line "
                f"{self.rows - row}, column {column + 1} of the map; every floor cell must be reachable"
            )

    @property
    def rows(self) -> int:
        """Number of cells along y, also the height of the floor [m]."""
        return int(self.blocked.shape[0])

    @property
    def columns(self) -> int:
        """Number of cells along x, also the width of the floor [m]."""
        return int(self.blocked.shape[1])

    @cached_property
    def free(self) -> tuple[int, ...]:
        """The cells without a rack."""
        return tuple(int(cell) for cell in np.flatnonzero(~self.blocked))

    @cached_property
    def picks(self) -> tuple[int, ...]:
        """The pick cells: floor cells with a rack on one of their four sides."""
        padded = np.pad(self.blocked, 1)
        beside = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
        cells = np.flatnonzero(beside & ~self.blocked)
        return tuple(int(cell) for cell in cells if cell not in self.stations)

    @cached_property
    def aisles(self) -> tuple[Aisle, ...]:
        """Its straight lanes."""
        return find_aisles(self.blocked)

    @cached_property
    def factors(self) -> NDArray[np.float64]:
        """What each aisle costs in each direction for a fleet of `fleet` robots [aisles, 2]."""
        for guidance in reversed(self.guidance):
            if guidance.robots <= self.fleet:
                return guidance.factors
        return default_factors(self.aisles, self.fleet, len(self.free), self.columns)

    @cached_property
    def costs(self) -> NDArray[np.float64]:
        """What it costs to drive from each cell over its east, north, west and south side [cells, 4], m; or infinity.

        For right of way and planners, which go over sides alone.
        """
        costs = edge_costs(self.blocked, self.aisles, self.factors)
        costs.flags.writeable = False
        return costs

    def guided(self, robots: int) -> "Layout":
        """Return the same map with the path costs for a fleet of `robots`, made once and kept."""
        if robots == self.fleet:
            return self
        if robots not in self._fleets:
            self._fleets[robots] = replace(self, fleet=robots)
        return self._fleets[robots]

    def middle(self, cell: int) -> tuple[float, float]:
        """Return the middle of a cell: x, y [m]."""
        row, column = divmod(cell, self.columns)
        return column + 0.5, row + 0.5

    def path_field(self, goal: int) -> PathField:
        """Return the cheapest ways to `goal`, computed once and kept.

        Raises:
            InputError: the goal is not a free cell.
        """
        if goal not in self._fields:
            self._fields[goal] = self.shortest_ways(goal)
        return self._fields[goal]

    def shortest_ways(self, goal: int) -> PathField:
        """Return what `path_field` returns, computed and not kept.

        Raises:
            InputError: the goal is not a free cell.
        """
        if not 0 <= goal < self.blocked.size or self.blocked.flat[goal]:
            raise InputError(f"layout {self.name}: goal cell {goal} is a rack or outside; valid are its free cells")
        return find_ways(self.blocked, self.costs, goal)

    def racks(self) -> NDArray[np.float64]:
        """Return few rectangles that cover exactly the rack cells: x0, y0, x1, y1 [count, 4], m."""
        left = self.blocked.copy()
        rectangles = []
        for row, column in zip(*np.nonzero(self.blocked), strict=True):
            if not left[row, column]:
                continue
            width = int(np.argmin(np.append(left[row, column:], False)))
            height = 1
            while row + height < self.rows and left[row + height, column : column + width].all():
                height += 1
            left[row : row + height, column : column + width] = False
            rectangles.append((column, row, column + width, row + height))
        return np.array(rectangles, dtype=np.float64).reshape(-1, 4)

    def text(self) -> str:
        """Return the map as a file that `load_layout` reads back."""
        cells = np.where(self.blocked, "#", ".")
        cells.flat[list(self.stations)] = "S"
        head = f"type warehouse\nheight {self.rows}\nwidth {self.columns}\nrobots {self.robots}\nmap\n"
        rows = "".join("".join(row) + "\n" for row in cells[::-1])
        return head + rows + guidance_text(self.guidance, self.aisles, self.blocked.shape)


def parse_layout(text: str, name: str) -> Layout:
    """Return the layout that a text draws, for a robot that is alone (`Layout.guided`).

    Raises:
        InputError: rows of unequal length, an unknown character, a wrong header, no station, no pick cell, an
            unreachable cell, or guidance that names no aisle or a factor that is not valid.
    """
    text_of = read_map_text(text, name)
    cells = np.array([list(row) for row in text_of.rows[::-1]])
    stations = tuple(int(cell) for cell in np.flatnonzero(np.isin(cells, list(STATION))))
    blocked = np.isin(cells, list(RACK))
    guidance = read_guidance(text_of.guidance, find_aisles(blocked), blocked.shape, f"layout {name}")
    return Layout(name, blocked, stations, text_of.robots, guidance)


def scene_names() -> tuple[str, ...]:
    """Return the names of the scenes that ship."""
    return tuple(sorted(path.stem for path in LAYOUTS.glob("*.map")))


def load_layout(scene: str | Path) -> Layout:
    """Return the shipped layout of that name, the generated one (`sim.generator`), or the one in a file.

    Raises InputError when there is no such scene or file, or its map is not valid.
    """
    if is_generated(str(scene)):
        return parse_layout(draw_warehouse(str(scene)), str(scene))
    path = LAYOUTS / f"{scene}.map" if str(scene) in scene_names() else Path(scene)
    try:
        if path.is_file():
            return parse_layout(path.read_text(encoding="utf-8"), path.stem)
    except UnicodeDecodeError as error:
        raise InputError(f"scene file {str(path)!r} is no text: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise InputError(f"scene file {str(path)!r} can't be read: {error.strerror}") from error
    raise InputError(
        f"scene {str(scene)!r} is neither a shipped one ({', '.join(scene_names())}), generated:SEED, nor a map file"
    )
