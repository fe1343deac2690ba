"""What a base's radio sends, whatever its process does."""

import numpy as np

from export.fleet.voice import Voice
from sim.traffic.broadcast import RECORD, Fault, fault_of
from tests.export.robot_bench import LAYOUT, some_broadcast

PLACE = LAYOUT.middle(LAYOUT.picks[0])
POSE, VELOCITY = (*PLACE, 0.5), (0.3, -0.1)


def spoken(voice: Voice) -> np.ndarray:
    record = voice.broadcast(POSE, VELOCITY, True, LAYOUT)
    assert record is not None
    return record


def test_before_its_process_answers_a_robot_stays_where_it_is() -> None:
    record = spoken(Voice(3.0))
    assert fault_of(record, LAYOUT.blocked) == Fault.NONE
    assert record[RECORD.claims] == LAYOUT.picks[0]
    assert (record[RECORD.claim_count], record[RECORD.way_count], record[RECORD.wanted]) == (1.0, 0.0, -1.0)


def test_it_tells_what_the_process_claims_and_where_it_is_now() -> None:
    voice = Voice(3.0)
    told = some_broadcast(clock=9.0, heading=1.0)
    voice.answered(told)
    record = spoken(voice)
    assert record[[RECORD.x, RECORD.y, RECORD.heading]].tolist() == list(POSE)
    assert record[[RECORD.speed, RECORD.turn_rate]].tolist() == list(VELOCITY)
    assert record[RECORD.carrying] == 1.0
    np.testing.assert_array_equal(record[RECORD.clock :], told[RECORD.clock :])
    assert told[RECORD.heading] == 1.0  # it has not been changed


def test_a_process_can_not_speak_for_another_robot() -> None:
    voice = Voice(3.0)
    voice.answered(some_broadcast(name=1.0))
    assert spoken(voice)[RECORD.name] == 3.0


def test_a_robot_that_stands_because_something_is_wrong_is_silent() -> None:
    voice = Voice(3.0)
    voice.answered(some_broadcast())
    voice.answered(None)
    assert voice.broadcast(POSE, VELOCITY, False, LAYOUT) is None
    voice.answered(some_broadcast(clock=11.0))
    assert spoken(voice)[RECORD.clock] == 11.0


def test_in_a_new_session_it_stays_where_it_is_again() -> None:
    voice = Voice(3.0)
    voice.answered(some_broadcast(clock=11.0))
    voice.begin()
    assert spoken(voice)[RECORD.clock] == 0.0
