"""The floor of a warehouse: racks, stations, pick cells, and the shortest way from every cell to a goal.

A robot carries its own copy of the map, so this file needs numpy alone.

One character is a cell of 1 m: `#` rack, `.` floor, `S` station; in MovingAI maps `@ T O W` are racks and `G` is floor.
The first line of a map is its upper edge; cell (row 0, column 0) of the arrays is the lower left one, with the origin
at its outer corner.
"""

import heapq
import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.generator import draw_warehouse, is_generated

LAYOUTS = Path(__file__).parent / "layouts"
RACK, FLOOR, STATION = "#@TOW", ".G", "S"
MOST_CELLS = 250_000
"""Cells of a map: 500 x 500 m."""
HEADER = ("type", "height", "width", "robots")
_STEPS = tuple((dr, dc, math.hypot(dr, dc)) for dr in (-1, 0, 1) for dc in (-1, 0, 1) if dr or dc)


@dataclass(frozen=True, eq=False)
class PathField:
    """The shortest ways to one goal cell, for a robot in any cell. Cells are counted row by row."""

    distance: NDArray[np.float64]
    """Length of the way to the goal from the middle of each cell [cells], m."""
    next_cell: NDArray[np.int32]
    """The cell that follows on that way [cells]; the goal follows itself."""


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
    _fields: dict[int, PathField] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.blocked.flags.writeable = False
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

    def middle(self, cell: int) -> tuple[float, float]:
        """Return the middle of a cell: x, y [m]."""
        row, column = divmod(cell, self.columns)
        return column + 0.5, row + 0.5

    def path_field(self, goal: int) -> PathField:
        """Return the shortest ways to `goal`, computed once and kept.

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
        distance = np.full(self.blocked.size, np.inf)
        following = np.arange(self.blocked.size, dtype=np.int32)
        distance[goal] = 0.0
        queue = [(0.0, goal)]
        while queue:
            reached, cell = heapq.heappop(queue)
            if reached > distance[cell]:
                continue
            for before, step in self._cells_before(cell):
                if reached + step < distance[before] - 1e-12:
                    distance[before] = reached + step
                    following[before] = cell
                    heapq.heappush(queue, (reached + step, before))
        distance.flags.writeable = following.flags.writeable = False
        return PathField(distance, following)

    def _cells_before(self, cell: int) -> list[tuple[int, float]]:
        """Return the cells from which one step leads to `cell`, and the length of that step [m].

        No corner is cut. Out of a rack (a robot, or its odometry, can be off by a little) the way leads straight over
        a side.
        """
        row, column = divmod(cell, self.columns)
        before = []
        for dr, dc, step in _STEPS:
            r, c = row + dr, column + dc
            if not (0 <= r < self.rows and 0 <= c < self.columns):
                continue
            diagonal = dr != 0 and dc != 0
            corner_cut = diagonal and (self.blocked[row, c] or self.blocked[r, column])
            forbidden = diagonal if self.blocked[r, c] else self.blocked[row, column] or corner_cut
            if not forbidden:
                before.append((r * self.columns + c, step))
        return before

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
        return head + "".join("".join(row) + "\n" for row in cells[::-1])


def _split_header(lines: list[str], name: str) -> tuple[dict[str, str], list[str]]:
    """Return the settings above the line `map` and the lines below it; without that line, no settings, all lines."""
    header: dict[str, str] = {}
    if "map" not in lines:
        return header, lines
    start = lines.index("map")
    for number, line in enumerate(lines[:start], 1):
        key, _, value = line.partition(" ")
        if key in header:
            raise InputError(f"layout {name}: header line {number} says {key} once more; valid is to say it once")
        if key not in HEADER:
            raise InputError(f"layout {name}: header line {number} is {line!r}; valid are {', '.join(HEADER)}")
        header[key] = value.strip()
    return header, lines[start + 1 :]


def parse_layout(text: str, name: str) -> Layout:
    """Return the layout that a text draws, with a MovingAI header (and, in it, `robots N`) or without.

    Raises:
        InputError: rows of unequal length, an unknown character, a wrong header, no station, no pick cell, or an
            unreachable cell.
    """
    lines = re.split("\r\n|\r|\n", text.removeprefix("\ufeff").rstrip().lstrip("\r\n"))
    header, rows = _split_header([line.rstrip(" \t") for line in lines], name)
    if sum(map(len, rows)) > MOST_CELLS:
        raise InputError(f"layout {name}: it has {sum(map(len, rows))} cells; valid are at most {MOST_CELLS}")
    if not any(rows):
        raise InputError(f"layout {name}: the map is empty; valid are lines of '#', '.' and 'S'")
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise InputError(
                f"layout {name}: map line {number} has {len(row)} cells and line 1 has {len(rows[0])}; "
                "valid are rows of equal length"
            )
        for column, character in enumerate(row, 1):
            if character not in RACK + FLOOR + STATION:
                raise InputError(
                    f"layout {name}: map line {number}, column {column} is {character!r}; valid are '#' (or @ T O W) "
                    "rack, '.' (or G) floor, 'S' station"
                )
    for key, size in (("height", len(rows)), ("width", len(rows[0]))):
        if key in header and header[key] != str(size):
            raise InputError(f"layout {name}: its header says {key} {header[key]!r}, but its map has {size}")
    robots = header.get("robots", "4")
    if not re.fullmatch("0*[1-9][0-9]{0,4}", robots, re.ASCII):
        raise InputError(
            f"layout {name}: its header says robots {robots[:20]!r}; valid is a whole number from 1 to 99999"
        )
    cells = np.array([list(row) for row in rows[::-1]])
    stations = tuple(int(cell) for cell in np.flatnonzero(np.isin(cells, list(STATION))))
    return Layout(name, np.isin(cells, list(RACK)), stations, int(robots))


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
