"""What one robot knows while it drives by right of way: its map, what it heard, and what it remembers.

Tuples of arrays, which compiled and plain code read by name.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Chart(NamedTuple):
    """A robot's own map."""

    blocked: NDArray[np.bool_]
    """The racks [rows, columns]."""
    costs: NDArray[np.float64]
    """What it costs to drive over the east, north, west and south side of each cell [cells, 4], m."""
    to_goal: NDArray[np.float64]
    """What the way from each cell to the robot's goal costs [cells], m."""


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


class Memory(NamedTuple):
    """Where a robot's memory holds what it does not tell."""

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
    return Scratch(reservations, np.full(cells, -1, np.int64), np.zeros(cells, np.int64), np.full(cells, np.inf))
