"""What robots claim and who refuses it, from the broadcasts that a decision was recorded with."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.traffic.broadcast import RECORD


def rights_of_way(records: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return for each robot what it claims and, if it may not go on, which cell it waits for and who holds that.

    Args:
        records: broadcasts [robots, RECORD_SIZE].
    """
    claims = [_cells(record, RECORD.claims, RECORD.claim_count) for record in records]
    told: list[dict[str, Any]] = []
    for i, record in enumerate(records):
        own: dict[str, Any] = {"claims": claims[i], "priority": round(float(record[RECORD.priority]), 3)}
        asked, way = int(record[RECORD.wanted]), way_of(record)
        wanted = asked if asked >= 0 else (way[1] if len(way) > 1 else -1)  # else the next cell of its way
        holder = _holder(records, claims, i, wanted)
        if asked >= 0 or holder >= 0:
            own["wanted_cell"] = wanted
        if holder >= 0:
            own["refused_by"] = holder
        told.append(own)
    return told


def way_of(record: NDArray[np.float64]) -> list[int]:
    """Return the cells on the way that a robot tells, from where its claims end."""
    return _cells(record, RECORD.way, RECORD.way_count)


def _cells(record: NDArray[np.float64], first: int, count: int) -> list[int]:
    return [int(cell) for cell in record[first : first + int(record[count])]]


def _holder(records: NDArray[np.float64], claims: list[list[int]], robot: int, cell: int) -> int:
    """Return who claims a cell, else who asks for it with the highest priority; -1 where nobody does."""
    if cell < 0:
        return -1
    others = [other for other in range(len(claims)) if other != robot]
    holding = [other for other in others if cell in claims[other]]
    asking = [other for other in others if int(records[other, RECORD.wanted]) == cell]
    return (
        -1 if cell < 0 else max(holding or asking, key=lambda other: float(records[other, RECORD.priority]), default=-1)
    )
