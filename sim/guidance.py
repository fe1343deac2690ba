"""Guidance: what a map charges for driving along each of its aisles, in each direction.

A factor of 1 costs an edge's length, more makes it a street that is left to those who come the other way. It is advice:
a robot still goes against the lane where the way round is longer than that. One factor for each aisle and direction,
not one for each edge, keeps it readable, and small enough to optimize (Zhang, Jiang, Bhatt, Nikolaidis and Li,
"Guidance Graph Optimization for Lifelong Multi-Agent Path Finding", 2024). Robots carry it with their map, so this file
needs numpy alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EAST, NORTH, WEST, SOUTH = range(4)
SIDES = ("east", "north", "west", "south")
"""The order of the four sides of a cell, and of the directions in which it is left."""
SHORTEST = 3
"""Cells of an aisle at least; shorter ones only join others."""
BY_DENSITY = 4.0
"""The default factor against the lane: 1 and so much for each robot on a free cell ..."""
HIGHEST_BY_DEFAULT = 2.0
"""... up to this."""


class Aisle(NamedTuple):
    """A straight lane of free cells that ends at racks or at the border on both sides."""

    sides: tuple[int, int]
    """The directions in which it is driven: east and west, or north and south."""
    cells: range
    """Its cells from west to east, or from south to north."""


class Guidance(NamedTuple):
    """The factors of a map for fleets of a size."""

    robots: int
    """The smallest fleet that they are for."""
    factors: NDArray[np.float64]
    """What each aisle costs in each of its directions [aisles, 2], 1 and more."""


def find_aisles(blocked: NDArray[np.bool_]) -> tuple[Aisle, ...]:
    """Return the aisles of a map: those along x from the lower edge up, then those along y from left to right.

    Args:
        blocked: whether a rack stands there [rows, columns].
    """
    aisles = []
    columns = blocked.shape[1]
    for sides, lanes, step, apart in (((EAST, WEST), blocked, 1, columns), ((NORTH, SOUTH), blocked.T, columns, 1)):
        for number, lane in enumerate(lanes):
            free = np.flatnonzero(~np.append(lane, True))
            for run in np.split(free, np.flatnonzero(np.diff(free) > 1) + 1):
                if len(run) >= SHORTEST:
                    first, last = number * apart + int(run[0]) * step, number * apart + int(run[-1]) * step
                    aisles.append(Aisle(sides, range(first, last + step, step)))
    return tuple(aisles)


def default_factors(aisles: Sequence[Aisle], robots: int, room: int, columns: int) -> NDArray[np.float64]:
    """Return what the aisles cost where a map does not say it [aisles, 2]: alternating, the more the denser the fleet.

    Against the lane it is 1 + BY_DENSITY * robots / room, at most HIGHEST_BY_DEFAULT; for a robot that is alone 1.

    Args:
        aisles: of the map.
        robots: in the fleet.
        room: free cells of the map.
        columns: of the map.
    """
    against = min(1.0 + BY_DENSITY * robots / room, HIGHEST_BY_DEFAULT) if robots > 1 else 1.0
    return alternating_factors(aisles, columns, against)


def alternating_factors(aisles: Sequence[Aisle], columns: int, against: float) -> NDArray[np.float64]:
    """Return factors that let parallel aisles alternate in direction [aisles, 2].

    The lowest aisle leads east and the leftmost one south, so that the outer ones lead round. Where no other is
    parallel to it, an aisle leads both ways.

    Args:
        aisles: of a map.
        columns: of that map.
        against: the factor against the lane.
    """
    factors = np.ones((len(aisles), 2))
    for along_x in (True, False):
        places = {
            k: aisle.cells[0] // columns if along_x else aisle.cells[0] % columns
            for k, aisle in enumerate(aisles)
            if (aisle.sides[0] == EAST) == along_x
        }
        lanes = sorted(set(places.values()))
        if len(lanes) > 1:
            for k, place in places.items():
                leads_east_or_north = (lanes.index(place) % 2 == 0) == along_x
                factors[k, int(leads_east_or_north)] = against
    return factors


def edge_costs(
    blocked: NDArray[np.bool_], aisles: Sequence[Aisle], factors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what it costs to drive from each cell over each of its sides.

    Args:
        blocked: whether a rack stands there [rows, columns].
        aisles: of that map.
        factors: of each aisle in each direction [aisles, 2].

    Returns:
        In the order of `SIDES` [cells, 4], m: 1 m times the factor; infinity where there is no free cell.
    """
    padded = np.pad(~blocked, 1)
    beside = (padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2], padded[:-2, 1:-1])
    costs = np.stack([np.where(~blocked & free, 1.0, np.inf).ravel() for free in beside], axis=1)
    for aisle, (onward, backward) in zip(aisles, factors, strict=True):
        cells = np.array(aisle.cells)
        costs[cells[:-1], aisle.sides[0]] = onward
        costs[cells[1:], aisle.sides[1]] = backward
    return costs
