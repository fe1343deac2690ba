"""What a robot tells all others within radio range in every control period: one flat record of numbers.

Only this file knows the order of the numbers. Whatever comes over the radio is judged by `fault_of` before anything
reads it. Scalar code without numba, so that the simulator can compile it (`sim.kernels`) and a robot can run it as it
is.
"""

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_CLAIMS = 8
"""Cells that a robot claims at most."""
LONGEST_WAY = 24
"""Cells of a way that are told at most."""


class Record(NamedTuple):
    """Where a broadcast holds its parts: in map coordinates [m, rad, s]; cells are counted row by row.

    It begins with the fields of `sim.observation.Broadcast`.
    """

    x: int
    y: int
    heading: int
    speed: int
    waypoint_x: int
    waypoint_y: int
    carrying: int
    turn_rate: int
    name: int
    """The sender's number, which decides where nothing else does: lower goes first."""
    clock: int
    """The sender's Lamport clock: one more in each control period, and later than all that it has heard."""
    priority: int
    """The one that it acts with: its own, or that of a robot for which it makes way; higher goes first."""
    acts_for: int
    """The name of the robot whose priority that is: its own, or who asks it to make way, or who asks that one."""
    depth: int
    """How many robots further on in such a chain it is: 0 with its own priority."""
    wanted: int
    """The cell that it would claim next and can't, -1 for none: it asks who stands there to make way."""
    claim_count: int
    way_count: int
    timed_count: int
    """How many of the first cells of the way have times; it may not keep to the others."""
    claims: int
    """First of `MOST_CLAIMS` cells, in the order of the way: from where it stands up to where it is going to be."""
    claimed_at: int
    """First of `MOST_CLAIMS` clocks of the sender, one a claim: when it was made."""
    way: int
    """First of `LONGEST_WAY` cells, where it means to go: the first is the last claim."""
    way_times: int
    """First of `LONGEST_WAY` times: how long after it computed this, a control period before it sends it, it is in the
    middle of each [s]."""


_SCALARS = Record._fields.index("claims")
_LISTS = (MOST_CLAIMS, MOST_CLAIMS, LONGEST_WAY, LONGEST_WAY)
RECORD = Record(*range(_SCALARS), *(_SCALARS + sum(_LISTS[:k]) for k in range(len(_LISTS))))
"""Offsets of the parts, which numba compiles as constants."""
RECORD_SIZE = _SCALARS + sum(_LISTS)
"""Numbers of a broadcast."""

LATEST = 2.0**52
"""No clock is later: a double counts that far without gaps. Names and depths are not above it either."""
MOST_PRIORITY = 1e6
"""No priority is larger, nor smaller than its negative."""
FARTHEST_CLAIM = 2.0
"""The middle of the first claim is nearer to its robot than this [m]."""
EARLIEST, LATEST_ON_WAY = -10.0, 600.0
"""Times on a way lie between these [s]: below 0 for a cell that it is late for."""


class Fault(IntEnum):
    """Why a broadcast is refused."""

    NONE = 0
    NOT_FINITE = 1
    """A number is infinite or none at all."""
    POSE = 2
    """The robot is outside the map."""
    CLOCK = 3
    """A clock, a name or a depth is no whole number, out of range or out of order."""
    PRIORITY = 4
    """The priority is out of range."""
    COUNT = 5
    """More claims or cells than fit, no claim at all, or more times than cells."""
    CELL = 6
    """A cell is no whole number, outside the map or a rack."""
    APART = 7
    """Cells that follow each other do not adjoin, or the claims are not where the robot is."""
    TIMES = 8
    """The times of a way are out of range or out of order."""


def is_free_cell(value: float, blocked: NDArray[np.bool_]) -> bool:
    """Return whether a number of a broadcast is a cell of the map [rows, columns] without a rack."""
    rows, columns = blocked.shape
    if not (value >= 0.0 and value < rows * columns and value == math.floor(value)):
        return False
    cell = int(value)
    return not blocked[cell // columns, cell % columns]


def are_beside(a: int, b: int, columns: int) -> bool:
    """Return whether two cells of a map share a side."""
    return abs(a % columns - b % columns) + abs(a // columns - b // columns) == 1


def _is_count(value: float, least: int, most: int) -> bool:
    return value >= least and value <= most and value == math.floor(value)


def _fault_of_list(
    record: NDArray[np.float64], first: int, count: int, before: float, blocked: NDArray[np.bool_]
) -> int:
    """Return what is wrong with `count` cells from `first` on, each beside the one before it; `before` may be -1."""
    columns = blocked.shape[1]
    for k in range(first, first + count):
        if not is_free_cell(record[k], blocked):
            return Fault.CELL
        if before >= 0.0 and not are_beside(int(before), int(record[k]), columns):
            return Fault.APART
        before = record[k]
    return Fault.NONE


def _fault_of_claims(record: NDArray[np.float64], blocked: NDArray[np.bool_]) -> int:
    """Return what is wrong with the claims and the wanted cell of a broadcast whose counts are right."""
    count, columns = int(record[RECORD.claim_count]), blocked.shape[1]
    fault = _fault_of_list(record, RECORD.claims, count, -1.0, blocked)
    if fault != Fault.NONE:
        return fault
    first, end = int(record[RECORD.claims]), int(record[RECORD.claims + count - 1])
    dx, dy = first % columns + 0.5 - record[RECORD.x], first // columns + 0.5 - record[RECORD.y]
    if dx * dx + dy * dy > FARTHEST_CLAIM * FARTHEST_CLAIM:
        return Fault.APART
    before = 0.0
    for k in range(RECORD.claimed_at, RECORD.claimed_at + count):
        at = record[k]
        if not (at >= before and at <= record[RECORD.clock] and at == math.floor(at)):
            return Fault.CLOCK
        before = at
    wanted = record[RECORD.wanted]
    if wanted == -1.0:
        return Fault.NONE
    if not is_free_cell(wanted, blocked):
        return Fault.CELL
    return Fault.NONE if are_beside(end, int(wanted), columns) else Fault.APART


def _fault_of_way(record: NDArray[np.float64], blocked: NDArray[np.bool_]) -> int:
    """Return what is wrong with the way of a broadcast whose counts and claims are right."""
    count = int(record[RECORD.way_count])
    if count > 0 and record[RECORD.way] != record[RECORD.claims + int(record[RECORD.claim_count]) - 1]:
        return Fault.CELL if not is_free_cell(record[RECORD.way], blocked) else Fault.APART
    fault = _fault_of_list(record, RECORD.way, count, -1.0, blocked)
    if fault != Fault.NONE:
        return fault
    before = EARLIEST
    for k in range(RECORD.way_times, RECORD.way_times + int(record[RECORD.timed_count])):
        if not (record[k] >= before and record[k] <= LATEST_ON_WAY):
            return Fault.TIMES
        before = record[k]
    return Fault.NONE


def fault_of(record: NDArray[np.float64], blocked: NDArray[np.bool_]) -> int:
    """Return why a broadcast is refused, `Fault.NONE` where it is not.

    Args:
        record: the broadcast [RECORD_SIZE].
        blocked: the racks of the receiver's own map [rows, columns].
    """
    for k in range(RECORD_SIZE):
        if not math.isfinite(record[k]):
            return Fault.NOT_FINITE
    rows, columns = blocked.shape
    x, y = record[RECORD.x], record[RECORD.y]
    if not (x >= 0.0 and x < columns and y >= 0.0 and y < rows):
        return Fault.POSE
    for k in (RECORD.name, RECORD.clock, RECORD.acts_for, RECORD.depth):
        if not (record[k] >= 0.0 and record[k] <= LATEST and record[k] == math.floor(record[k])):
            return Fault.CLOCK
    if abs(record[RECORD.priority]) > MOST_PRIORITY:
        return Fault.PRIORITY
    if not (
        _is_count(record[RECORD.claim_count], 1, MOST_CLAIMS) and _is_count(record[RECORD.way_count], 0, LONGEST_WAY)
    ):
        return Fault.COUNT
    if not _is_count(record[RECORD.timed_count], 0, int(record[RECORD.way_count])):
        return Fault.COUNT
    fault = _fault_of_claims(record, blocked)
    return fault if fault != Fault.NONE else _fault_of_way(record, blocked)


def place_now(record: NDArray[np.float64], age: float) -> tuple[float, float]:
    """Return x, y [m] of a robot that has gone straight on at its speed since it told where it was, `age` ago [s]."""
    way, heading = record[RECORD.speed] * age, record[RECORD.heading]
    return record[RECORD.x] + way * math.cos(heading), record[RECORD.y] + way * math.sin(heading)
