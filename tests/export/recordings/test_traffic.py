import numpy as np
from numpy.typing import NDArray

from export.recordings.traffic import rights_of_way, way_of
from sim.traffic.broadcast import RECORD, RECORD_SIZE

Numbers = NDArray[np.float64]


def record(
    claims: list[int], way: tuple[int, ...] = (), wanted: int = -1, priority: float = 0.0
) -> NDArray[np.float64]:
    told = np.zeros(RECORD_SIZE)
    told[RECORD.claim_count], told[RECORD.way_count] = len(claims), len(way)
    told[RECORD.claims : RECORD.claims + len(claims)] = claims
    told[RECORD.way : RECORD.way + len(way)] = way
    told[RECORD.wanted], told[RECORD.priority] = wanted, priority
    return told


def test_a_robot_whose_next_cell_is_claimed_waits_for_it() -> None:
    first, second = rights_of_way(np.stack([record([4, 5], way=(5, 6, 7)), record([6, 16])]))
    assert first == {"claims": [4, 5], "priority": 0.0, "wanted_cell": 6, "refused_by": 1}
    assert second == {"claims": [6, 16], "priority": 0.0}


def test_who_asks_for_a_cell_says_so_whoever_holds_it() -> None:
    alone, *_ = rights_of_way(np.stack([record([4], wanted=5), record([9])]))
    assert (alone["wanted_cell"], alone.get("refused_by")) == (5, None)


def test_of_two_who_ask_the_higher_is_named() -> None:
    told = rights_of_way(np.stack([record([4], wanted=5), record([6], wanted=5), record([15], wanted=5, priority=2.0)]))
    assert told[0]["refused_by"] == 2
    assert told[2]["refused_by"] in (0, 1)


def test_a_way_begins_at_the_last_claim() -> None:
    assert way_of(record([4, 5], way=(5, 6, 7))) == [5, 6, 7]
