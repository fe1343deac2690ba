"""Warehouses drawn by a seed: blocks of racks, aisles and cross aisles, dead ends, stations on some of the sides.

A scene of the name `generated:SEED` is such a warehouse, the same one wherever that name is read; settings may follow,
as in `generated:7:robots=16:aisle=1-2`. Valid by construction: the floor is a grid of aisles inside a ring that is
never closed, and a dead end closes a piece of an aisle on one side alone, never an aisle across.
"""

import itertools
import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError

GENERATED = "generated"
"""What the names of these scenes begin with."""
SIDES = ("below", "above", "left", "right")
Range = tuple[int, int]
"""The smallest and the largest value, both included."""


@dataclass(frozen=True)
class WarehouseRanges:
    """What a warehouse is drawn from, evenly within each range."""

    robots: Range = (2, 32)
    """Robots that it is drawn for."""
    room: Range = (7, 20)
    """Free cells for each of them, at least."""
    block_length: Range = (2, 10)
    """Length of a block of racks, along its aisles [cells]."""
    block_depth: Range = (1, 3)
    """Depth of a block, from aisle to aisle [cells]."""
    aisle: Range = (1, 3)
    """Width of each aisle along the blocks, up to a width that is drawn first [cells]."""
    cross_aisle: Range = (1, 3)
    """Width of each aisle across them, likewise [cells]."""
    dead_ends: Range = (0, 30)
    """Share of the pieces of aisle that are closed on one side [%]."""
    sides: Range = (1, 4)
    """Sides of the floor that have stations."""
    spacing: Range = (2, 6)
    """From one station to the next along a side [cells]."""
    size: Range = (3, 100)
    """Length of each side of the floor [cells]."""

    def __post_init__(self) -> None:
        for name, (least, most) in _LIMITS.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise InputError(
                    f"{name} of a generated warehouse is {_shown((low, high))}; valid is a whole number from {least} "
                    f"to {most}, or two of them as LOW-HIGH"
                )


_LIMITS: dict[str, Range] = {
    "robots": (1, 1000), "room": (2, 1000), "block_length": (1, 50), "block_depth": (1, 50), "aisle": (1, 9),
    "cross_aisle": (1, 9), "dead_ends": (0, 100), "sides": (1, 4), "spacing": (1, 50), "size": (3, 500),
}  # fmt: skip


def _shown(limits: Range) -> str:
    return str(limits[0]) if limits[0] == limits[1] else f"{limits[0]}-{limits[1]}"


def is_generated(scene: str) -> bool:
    """Return whether a scene's name asks for a generated warehouse."""
    return scene.partition(":")[0] == GENERATED


def read_ranges(scene: str) -> tuple[int | None, WarehouseRanges]:
    """Return what the name of a generated scene says: its seed, None where it leaves that open, and the ranges.

    Raises:
        InputError: a word is neither a seed nor a setting, or its value makes no sense.
    """
    _, *words = scene.split(":")
    seed, given = None, dict[str, Range]()
    for place, word in enumerate(words):
        name, _, value = word.partition("=")
        if place == 0 and re.fullmatch("[0-9]{1,18}", word, re.ASCII):
            seed = int(word)
            continue
        bounds = re.fullmatch("([0-9]{1,6})(?:-([0-9]{1,6}))?", value, re.ASCII)
        if name not in _LIMITS or name in given or bounds is None:
            raise InputError(
                f"scene {scene!r} has {word!r}; valid is {GENERATED}:SEED, and after it, apart by ':', NAME=VALUE or "
                f"NAME=LOW-HIGH, once each, of {', '.join(_LIMITS)}"
            )
        given[name] = (int(bounds[1]), int(bounds[2] or bounds[1]))
    try:
        return seed, replace(WarehouseRanges(), **given)
    except InputError as error:
        raise InputError(f"scene {scene!r}: {error}") from error


def with_seed(scene: str, seed: int, robots: Range) -> str:
    """Return the name of the generated scene of that seed, for so many robots; its other settings stay."""
    _, *words = scene.split(":")
    kept = [word for word in words if "=" in word and not word.startswith("robots=")]
    return ":".join([GENERATED, str(seed), f"robots={_shown(robots)}", *kept])


def draw_warehouse(scene: str) -> str:
    """Return the map of a generated scene, as text with a header.

    Raises:
        InputError: the name has no seed or isn't valid, or no floor within its size has room for its robots.
    """
    seed, ranges = read_ranges(scene)
    if seed is None:
        raise InputError(f"scene {scene!r} has no seed; valid is {GENERATED}:SEED, a whole number from 0 up")
    return _Draft(np.random.default_rng(seed), ranges, scene).text()


class _Draft:
    """A warehouse while it is drawn: two axes, each a chain of gaps and blocks, then what stands on their grid."""

    def __init__(self, random: np.random.Generator, ranges: WarehouseRanges, scene: str) -> None:
        self._random, self._ranges = random, ranges
        self._robots = self._draw(ranges.robots)
        self._room = self._draw(ranges.room)
        self._blocks = self._draw(ranges.block_depth), self._draw(ranges.block_length)  # along x, along y
        self._stations = sorted(random.permutation(4)[: self._draw(ranges.sides)].tolist())
        self._spacing = self._draw(ranges.spacing)
        self._dead_ends = self._draw(ranges.dead_ends) / 100
        ranges = replace(ranges, aisle=self._narrowed(ranges.aisle), cross_aisle=self._narrowed(ranges.cross_aisle))
        self._ranges = ranges
        self._slant = random.uniform(0.6, 1.7)  # of width and height, roughly
        self._turned = bool(random.integers(2))
        # The ring: as wide as an aisle, and a row for the stations where there are any.
        self._gaps = tuple([self._gap(axis, side) for side in (0, 1)] for axis in (0, 1))
        self._grow(scene)

    def _draw(self, limits: Range) -> int:
        return int(self._random.integers(limits[0], limits[1] + 1))

    def _narrowed(self, limits: Range) -> Range:
        """Draw how wide this warehouse's aisles are at most, so that some have narrow ones alone."""
        return limits[0], self._draw(limits)

    def _gap(self, axis: int, side: int | None = None) -> int:
        """Draw the width of an aisle that crosses an axis, 0 for x and 1 for y; `side` for that part of the ring."""
        width = self._draw((self._ranges.aisle, self._ranges.cross_aisle)[axis])
        return width + (side is not None and (2 - 2 * axis + side) in self._stations)

    def _length(self, axis: int) -> int:
        return sum(self._gaps[axis]) + self._blocks[axis] * (len(self._gaps[axis]) - 1)

    def _grow(self, scene: str) -> None:
        """Add blocks along the axis that is too short until there is room, at most as far as the size allows."""
        low, high = self._ranges.size
        while self._free() < self._room * self._robots or min(self._length(0), self._length(1)) < low:
            added = [self._gap(axis) for axis in (0, 1)]
            fits = [self._length(axis) + self._blocks[axis] + added[axis] <= high for axis in (0, 1)]
            first = int(self._length(0) > self._slant * self._length(1))
            axis = first if fits[first] else 1 - first
            if not fits[axis]:
                break
            self._gaps[axis].insert(-1, added[axis])
        else:
            if max(self._length(0), self._length(1)) <= high:
                return
        raise InputError(
            f"scene {scene!r}: {self._robots} robots with {self._room} free cells each, blocks of "
            f"{self._blocks[0]} x {self._blocks[1]} cells and the aisles around them can't be placed within size={high}"
            "; valid are fewer robots, less room, shorter blocks, narrower aisles or a larger size"
        )

    def _free(self) -> int:
        """Return the cells without a rack, if every aisle may be closed on one side."""
        across, along = (len(gaps) - 1 for gaps in self._gaps)
        racks = across * along * self._blocks[0] * self._blocks[1]
        closed = sum(self._gaps[0][1:-1]) * along if self._dead_ends else 0
        return self._length(0) * self._length(1) - racks - closed

    def _starts(self, axis: int) -> list[int]:
        """Return where the blocks along an axis begin."""
        gaps = self._gaps[axis][:-1]
        return [sum(gaps[: i + 1]) + i * self._blocks[axis] for i in range(len(gaps))]

    def _cells(self) -> NDArray[np.str_]:
        """Return the characters of the map [rows, columns], row 0 below."""
        width, height = self._blocks
        cells = np.full((self._length(1), self._length(0)), ".")
        columns, rows = self._starts(0), self._starts(1)
        for row in rows:
            for column in columns:
                cells[row : row + height, column : column + width] = "#"
            for column, following in itertools.pairwise(columns):
                if self._random.random() < self._dead_ends:
                    cells[row + self._random.choice((0, height - 1)), column + width : following] = "#"
        for side in self._stations:
            edge = (cells[0], cells[-1], cells[:, 0], cells[:, -1])[side]
            offset = int(self._random.integers(min(self._spacing, len(edge))))
            edge[offset :: self._spacing] = "S"
        return cells.T if self._turned else cells

    def text(self) -> str:
        """Return the map as text with a header."""
        cells = self._cells()
        head = f"type warehouse\nheight {len(cells)}\nwidth {cells.shape[1]}\nrobots {self._robots}\nmap\n"
        return head + "".join("".join(row) + "\n" for row in cells[::-1])
