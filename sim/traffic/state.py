"""What one robot knows while it drives by right of way: its map, what it heard, and what it remembers.

Tuples of arrays, which compiled and plain code read by name.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Chart(NamedTuple):
    """A robot's own map, and what it has learned of it."""

    blocked: NDArray[np.bool_]
    """The racks [rows, columns]."""
    costs: NDArray[np.float64]
    """What it costs to drive over the east, north, west and south side of each cell [cells, 4], m."""
    to_goal: NDArray[np.float64]
    """What the way from each cell to the robot's goal costs, round the closed cells [cells], m."""
    closed: NDArray[np.bool_]
    """Which cells have been taken for long by what nobody tells of [cells]."""
    watched: NDArray[np.float64]
    """Cells that are seen taken by what nobody tells of [MOST_WATCHED, len(WATCHED)]."""


def new_chart(blocked: NDArray[np.bool_], costs: NDArray[np.float64]) -> Chart:
    """Return the chart of a robot that has learned nothing yet; the costs to its goal are to be written."""
    cells = blocked.size
    watched = np.full((MOST_WATCHED, len(Watched._fields)), -1.0)
    return Chart(blocked, costs, np.zeros(cells), np.zeros(cells, np.bool_), watched)


class Heard(NamedTuple):
    """The latest broadcasts of the robots that are heard.

    When it is sent, a broadcast tells where the robot is then, and what it computed in the control period before.
    """

    records: NDArray[np.float64]
    """Broadcasts [rows, RECORD_SIZE], those of others among them."""
    rows: NDArray[np.int64]
    """Which of them are heard [count]."""
    ages: NDArray[np.float64]
    """How long ago each of those was sent [count], s."""


class Watched(NamedTuple):
    """Where a row of watched cells holds its parts."""

    cell: int
    """-1 for none."""
    first: int
    """When it was seen taken first [s]."""
    last: int
    """When it was seen taken last [s]."""


WATCHED = Watched(*range(len(Watched._fields)))
MOST_WATCHED = 16
"""Cells that are watched at once."""


class Memory(NamedTuple):
    """Where a robot's memory holds what it does not tell."""

    now: int
    """Its own time, from its start [s]."""
    goal: int
    """The cell that it was sent to, -1 at first."""
    planned_at: int
    """The clock at its last plan."""
    refused: int
    """For how many periods its claim has been refused."""
    stuck_until: int
    """Up to which clock it goes before others, because it found no way."""
    room: int
    """How far it may drive now [m]."""
    wary_until: int
    """Up to when it drives slowly, because it has seen what nobody tells of; in its own time [s]."""
    listens: int
    """For how many periods it still listens before its first claim."""
    waits: int
    """For how many periods it has waited to enter the next cell that it has claimed."""
    plans: int
    """How many plans it has made."""
    priority: int
    """By how much it goes before others, set from outside; 0 for a robot like all others."""


MEMORY = Memory(*range(len(Memory._fields)))


class Reservations(NamedTuple):
    """Which cells others are expected to hold, and when: a linked list for each cell."""

    cells: NDArray[np.int64]
    begins: NDArray[np.float64]
    """[s] from now."""
    ends: NDArray[np.float64]
    """[s] from now."""
    next: NDArray[np.int64]
    """The next entry of the same cell, -1 for none."""
    head: NDArray[np.int64]
    """The first entry of each cell, -1 for none [cells]."""
    used: NDArray[np.int64]
    """How many entries there are [1]."""


class Scratch(NamedTuple):
    """Memory for one computation, which leaves it as it was."""

    reservations: Reservations
    newest: NDArray[np.int64]
    """-1 [cells]."""
    marks: NDArray[np.int64]
    """0 [cells]."""
    costs: NDArray[np.float64]
    """Infinity [cells]."""
    nowhere: NDArray[np.bool_]
    """False [cells]."""


MOST_RESERVATIONS = 2048


def new_scratch(cells: int) -> Scratch:
    """Return scratch memory for a map of so many cells."""
    many = MOST_RESERVATIONS
    reservations = Reservations(
        cells=np.zeros(many, np.int64),
        begins=np.zeros(many),
        ends=np.zeros(many),
        next=np.zeros(many, np.int64),
        head=np.full(cells, -1, np.int64),
        used=np.zeros(1, np.int64),
    )
    return Scratch(
        reservations, np.full(cells, -1, np.int64), np.zeros(cells, np.int64), np.full(cells, np.inf),
        np.zeros(cells, np.bool_),
    )  # fmt: skip
