"""The simulated radio between the robots of a fleet: its range, and what it loses and delays."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.kernels import callable_in_kernels, kernel
from sim.traffic import broadcast
from sim.traffic.broadcast import RECORD, RECORD_SIZE, Fault, fault_of
from sim.traffic.rules import FORGET

HISTORY = 32
"""Control periods for which a broadcast is on the air or remembered at most."""
_NEVER = -1

for _helper in (
    broadcast.is_free_cell, broadcast.are_beside, broadcast._is_count, broadcast._fault_of_list,
    broadcast._fault_of_claims, broadcast._fault_of_way, broadcast.place_now,
):  # fmt: skip
    callable_in_kernels(_helper)
_fault_of = kernel(fault_of)


class Radio(NamedTuple):
    """What is on the air, in arrays that live as long as the simulation."""

    sent: NDArray[np.float64]
    """All broadcasts of the last `HISTORY` control periods, in turn [HISTORY * robots, RECORD_SIZE]."""
    arrived: NDArray[np.int64]
    """In which period the latest broadcast was sent that each robot (rows) heard of each (columns), -1 for none."""
    rows: NDArray[np.int64]
    """Which rows of `sent` each robot has heard last of the others [robots, counts]."""
    ages: NDArray[np.float64]
    """How long ago each of these was sent [robots, counts], s."""
    counts: NDArray[np.int64]
    """Of how many robots that is [robots]."""
    due: NDArray[np.int64]
    """In which period each broadcast is heard by each (rows) of each (columns) [HISTORY, robots, robots]."""
    mute: NDArray[np.bool_]
    """Whose radio is dead: it neither sends nor hears [robots]."""
    refused: NDArray[np.int64]
    """How many broadcasts of each robot were refused by those that heard them [robots]."""


def new_radio(robots: int) -> Radio:
    """Return the silent radio of a fleet."""
    n = robots
    return Radio(
        sent=np.zeros((HISTORY * n, RECORD_SIZE)),
        arrived=np.full((n, n), _NEVER),
        rows=np.zeros((n, n), np.int64),
        ages=np.zeros((n, n)),
        counts=np.zeros(n, np.int64),
        due=np.full((HISTORY, n, n), _NEVER),
        mute=np.zeros(n, np.bool_),
        refused=np.zeros(n, np.int64),
    )


def silence(radio: Radio) -> None:
    """Forget all that is on the air, and let all radios work."""
    radio.arrived.fill(_NEVER)
    radio.due.fill(_NEVER)
    radio.counts.fill(0)
    radio.mute.fill(False)
    radio.refused.fill(0)


@kernel
def send(
    records: NDArray[np.float64],
    blocked: NDArray[np.bool_],
    radio: Radio,
    period: int,
    radio_range: float,
    lost: NDArray[np.bool_],
    late: NDArray[np.int64],
) -> None:
    """Let all robots broadcast to those within range; what can't be is refused by all that hear it.

    Args:
        records: what each robot broadcasts [robots, RECORD_SIZE].
        blocked: the racks [rows, columns].
        radio: updated.
        period: number of the control period.
        radio_range: reach of broadcasts [m].
        lost: which broadcasts are lost on the way to whom (rows) from whom (columns) [robots, robots].
        late: by how many periods they are heard later [robots, robots].
    """
    n = len(records)
    for j in range(n):
        radio.sent[period % HISTORY * n + j] = records[j]
        refused = _fault_of(records[j], blocked) != Fault.NONE
        radio.refused[j] += 1 if refused else 0
        for i in range(n):
            dx, dy = records[i, RECORD.x] - records[j, RECORD.x], records[i, RECORD.y] - records[j, RECORD.y]
            heard = dx * dx + dy * dy < radio_range * radio_range and not (radio.mute[i] or radio.mute[j])
            heard = heard and i != j and not refused and not lost[i, j]
            radio.due[period % HISTORY, i, j] = period + late[i, j] if heard else _NEVER


@kernel
def listen(radio: Radio, period: int, length: float) -> None:
    """Write what each robot has heard last of the others.

    Args:
        radio: updated.
        period: number of the control period.
        length: of a control period [s].
    """
    n = len(radio.counts)
    for i in range(n):
        count = 0
        for j in range(n):
            for at in range(period, max(radio.arrived[i, j], period - HISTORY), -1):
                due = radio.due[at % HISTORY, i, j]
                if due != _NEVER and due <= period:
                    radio.arrived[i, j] = at
                    break
            at = radio.arrived[i, j]
            if at != _NEVER and period - at <= FORGET:
                radio.rows[i, count], radio.ages[i, count] = at % HISTORY * n + j, (period - at) * length
                count += 1
        radio.counts[i] = count
