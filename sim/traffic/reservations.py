"""When others are expected in which cells: made of their claims and planned ways, as they were heard.

Scalar code without numba, so that the simulator can compile it (`sim.kernels`) and a robot can run it as it is.
"""

import numpy as np
from numpy.typing import NDArray

from sim.traffic.broadcast import RECORD
from sim.traffic.claimed_way import place_on_claims
from sim.traffic.claims import Rank, rank_of
from sim.traffic.rules import Rules
from sim.traffic.state import Heard, Reservations

ALWAYS, FOREVER = -1e9, 1e9
"""Times before and after all others [s]."""


def reserve(held: Reservations, cell: int, begin: float, end: float) -> None:
    """Add that a cell is held from `begin` to `end` [s]; what does not fit any more is left out."""
    count = held.used[0]
    if count < len(held.cells) and end > begin:
        held.cells[count], held.begins[count], held.ends[count] = cell, begin, end
        held.next[count], held.head[cell] = held.head[cell], count
        held.used[0] = count + 1


def release_all(held: Reservations) -> None:
    """Remove all reservations."""
    for k in range(held.used[0]):
        held.head[held.cells[k]] = -1
    held.used[0] = 0


def reserve_others(held: Reservations, heard: Heard, rank: Rank, columns: int, rules: Rules) -> None:
    """Reserve what all that are heard hold.

    Args:
        held: written.
        heard: what the robot heard.
        rank: the robot's own.
        columns: of the map.
        rules: distances and times.
    """
    for k in range(len(heard.rows)):
        other = heard.records[heard.rows[k]]
        _reserve_other(held, other, -heard.ages[k], rank_of(other) < rank, columns, rules)


def _reserve_other(
    held: Reservations, other: NDArray[np.float64], sent: float, above: bool, columns: int, rules: Rules
) -> None:
    """Reserve what one robot holds, whose broadcast was sent at `sent` [s]; of one not above, what it can't give up.

    The times of its way count from a control period before.
    """
    place, _ = place_on_claims(other, columns, other[RECORD.x], other[RECORD.y])
    last = int(other[RECORD.claim_count]) - 1
    for k in range(last):
        passes = max(sent + (k - place) / rules.speed, 0.0)
        reserve(held, int(other[RECORD.claims + k]), ALWAYS, passes + rules.leave)
    at_end = sent + (last - place) / rules.speed
    timed = int(other[RECORD.timed_count])
    if timed < 2:
        until = FOREVER if above else at_end + rules.patience
        reserve(held, int(other[RECORD.claims + last]), ALWAYS, until)
        return
    told = sent - rules.period
    late = max(at_end - told - other[RECORD.way_times], 0.5 * rules.leg - told - other[RECORD.way_times + 1], 0.0)
    for k in range(timed if above else 1):
        arrives, departs = told + late + other[RECORD.way_times + k], 0.0
        if k + 1 < timed:
            departs = max(told + late + other[RECORD.way_times + k + 1] - rules.leg, arrives)
        else:
            departs = arrives + rules.at_goal
        begins = arrives - rules.enter
        if k == 0:
            begins = ALWAYS
            if not above:
                departs = min(departs, max(arrives, 0.0) + rules.patience)
        reserve(held, int(other[RECORD.way + k]), begins, departs + rules.leave)
