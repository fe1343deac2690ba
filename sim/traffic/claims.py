"""Claims: who may be in a cell. They alone keep robots from waiting for each other in a circle.

A cell in which another's claims end can't be claimed; one that another will leave can, but may be entered only when all
who claimed it earlier have left it. The order of two claims on a cell is (clock, name). So claims made earlier never
wait for later ones. What is heard is a period old, so two robots can claim a cell at once: the lower of (priority,
name) withdraws before anyone enters. Asking a robot to make way passes on the priority of who asks (priority
inheritance: Okumura et al., "Priority Inheritance with Backtracking for Iterative Multi-agent Path Finding", 2022).

Scalar code without numba, so that the simulator can compile it (`sim.kernels`) and a robot can run it as it is.
"""

import numpy as np
from numpy.typing import NDArray

from sim.traffic.broadcast import MOST_CLAIMS, RECORD
from sim.traffic.rules import Rules
from sim.traffic.state import MEMORY, Heard

NEVER = -1e6
"""A clock before all others."""

Rank = tuple[float, float, float, float]
"""Who goes first, the lowest: minus the priority, for whom a robot acts, how far on in that chain, and its name."""


def rank_of(record: NDArray[np.float64]) -> Rank:
    """Return the rank that a robot told."""
    return -record[RECORD.priority], record[RECORD.acts_for], record[RECORD.depth], record[RECORD.name]


def end_of(record: NDArray[np.float64]) -> int:
    """Return the last cell that a robot has claimed."""
    return int(record[RECORD.claims + int(record[RECORD.claim_count]) - 1])


def begin(record: NDArray[np.float64], memory: NDArray[np.float64], name: float, cell: int, rules: Rules) -> None:
    """Start anew: a robot that stands in a cell, with no past.

    Args:
        record: its broadcast, written [RECORD_SIZE].
        memory: written [len(MEMORY)].
        name: its own.
        cell: where it is.
        rules: distances and times.
    """
    record[:] = 0.0
    memory[:] = 0.0
    record[RECORD.name] = name
    memory[MEMORY.goal], memory[MEMORY.planned_at], memory[MEMORY.stuck_until] = -1.0, NEVER, NEVER
    memory[MEMORY.listens] = rules.listen
    record[RECORD.acts_for] = name
    record[RECORD.claim_count], record[RECORD.claims], record[RECORD.wanted] = 1.0, cell, -1.0


def leave_cells(record: NDArray[np.float64], columns: int, x: float, y: float, left: float) -> None:
    """Give up the first claims, as far as the robot at (x, y) is at least `left` from the middle of the cell [m]."""
    count = int(record[RECORD.claim_count])
    gone = 0
    while gone < count - 1:
        cell = int(record[RECORD.claims + gone])
        dx, dy = cell % columns + 0.5 - x, cell // columns + 0.5 - y
        if dx * dx + dy * dy < left * left:
            break
        gone += 1
    if gone == 0:
        return
    for k in range(count - gone):
        record[RECORD.claims + k] = record[RECORD.claims + k + gone]
        record[RECORD.claimed_at + k] = record[RECORD.claimed_at + k + gone]
    record[RECORD.claim_count] = count - gone


def withdraw(record: NDArray[np.float64], heard: Heard, entered: int) -> bool:
    """Give up claims on cells where the claims of another end who goes first; return whether there were any.

    Args:
        record: the robot's broadcast, with the rank that it told last; changed [RECORD_SIZE].
        heard: what it heard.
        entered: the last of its claims that it has entered.
    """
    count = int(record[RECORD.claim_count])
    for k in range(entered + 1, count):
        for row in heard.rows:
            other = heard.records[row]
            last = int(other[RECORD.claim_count]) - 1
            if other[RECORD.claims + last] != record[RECORD.claims + k]:
                continue
            at, other_at = record[RECORD.claimed_at + k], other[RECORD.claimed_at + last]
            if other_at < at or (other_at == at and rank_of(other) < rank_of(record)):
                record[RECORD.claim_count] = k
                return True
    return False


def find_asker(record: NDArray[np.float64], heard: Heard, priority: float) -> int:
    """Return the row of the first that asks for the cell where a robot's claims end, -1 for none, and take its rank.

    Args:
        record: the robot's broadcast; the rank to act with is written [RECORD_SIZE].
        heard: what it heard.
        priority: its own; who is not above that asks in vain.
    """
    end, asker, name = end_of(record), -1, record[RECORD.name]
    rank = (-priority, name, 0.0, name)
    for row in heard.rows:
        if heard.records[row, RECORD.wanted] == end:
            other = rank_of(heard.records[row])
            if other < rank:
                rank, asker = (other[0], other[1], other[2] + 1.0, name), row
    record[RECORD.priority], record[RECORD.acts_for], record[RECORD.depth] = -rank[0], rank[1], rank[2]
    return asker


def may_claim(record: NDArray[np.float64], heard: Heard, cell: int) -> bool:
    """Return whether a robot may claim a cell: nobody's claims end there, and nobody above it asks for it.

    A claim that is only just out may be withdrawn, so the one before it counts as an end too.

    Args:
        record: the robot's broadcast [RECORD_SIZE].
        heard: what it heard.
        cell: beside the end of its claims.
    """
    for row in heard.rows:
        other = heard.records[row]
        last = int(other[RECORD.claim_count]) - 1
        settled = last
        while settled > 0 and other[RECORD.claimed_at + settled] >= other[RECORD.clock]:
            settled -= 1
        for k in range(settled, last + 1):
            if other[RECORD.claims + k] == cell:
                return False
        if other[RECORD.wanted] == cell and rank_of(other) < rank_of(record):
            return False
    return True


def claim(record: NDArray[np.float64], cell: int) -> None:
    """Add a cell to the claims, and take it off the way where it is the next cell there; another way is dropped."""
    count = int(record[RECORD.claim_count])
    record[RECORD.claims + count], record[RECORD.claimed_at + count] = cell, record[RECORD.clock]
    record[RECORD.claim_count] = count + 1
    timed = int(record[RECORD.timed_count])
    if timed < 2 or record[RECORD.way + 1] != cell:
        record[RECORD.way_count] = record[RECORD.timed_count] = 0.0
        return
    for k in range(timed - 1):
        record[RECORD.way + k] = record[RECORD.way + k + 1]
        record[RECORD.way_times + k] = record[RECORD.way_times + k + 1]
    record[RECORD.way_count] = record[RECORD.timed_count] = timed - 1


def last_to_enter(record: NDArray[np.float64], heard: Heard, settled: int) -> int:
    """Return the last claim that the robot may enter: it is settled, and all who claimed the cell earlier have left.

    Args:
        record: the robot's broadcast [RECORD_SIZE].
        heard: what it heard.
        settled: for how many periods a claim has to have been out.
    """
    last = 0
    for k in range(1, min(int(record[RECORD.claim_count]), MOST_CLAIMS)):
        cell, at = record[RECORD.claims + k], record[RECORD.claimed_at + k]
        if record[RECORD.clock] - at < settled:
            break
        for row in heard.rows:
            other = heard.records[row]
            for m in range(int(other[RECORD.claim_count])):
                if other[RECORD.claims + m] != cell:
                    continue
                other_at = other[RECORD.claimed_at + m]
                if other_at < at or (other_at == at and other[RECORD.name] < record[RECORD.name]):
                    return last
        last = k
    return last
