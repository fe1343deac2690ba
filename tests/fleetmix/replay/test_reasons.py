import numpy as np
import pytest

from export.recordings.reader import Event
from fleetmix.replay.motion import motion_of
from fleetmix.replay.reasons import reasons_of
from tests.fleetmix.replay.scenes import decision, every_decision, recording, standing


def first_reason(record) -> str:
    return reasons_of(record, motion_of(record))[0][0].text


def test_a_robot_that_chooses_to_wait_says_for_what_and_by_which_values() -> None:
    waits = {"choice": "stop", "q_values": [3.1, 2.8, 1.0]}
    record = recording(standing(20, (1.5, 3.5), (2.4, 3.5)), every_decision(20, waits, {}))
    assert first_reason(record) == (
        "Waits on its way to pick cell (3, 5): it chose stop (Q 3.10, of go 2.80); robot_1 is 0.9 m away ahead."
    )


@pytest.mark.parametrize(
    ("place", "side"), [((1.5, 4.4), "on its left"), ((0.6, 3.5), "behind"), ((1.5, 2.6), "on its right")]
)
def test_it_says_on_which_side_the_other_is(place: tuple[float, float], side: str) -> None:
    record = recording(standing(8, (1.5, 3.5), place), every_decision(8, {"choice": "stop"}, {}))
    assert f"robot_1 is 0.9 m away {side}." in first_reason(record)


def test_a_robot_that_the_governor_holds_says_so() -> None:
    wanted = np.zeros((8, 1, 2))
    wanted[:, 0, 0] = 1.2
    record = recording(standing(8, (1.5, 3.5)), every_decision(8, {"carrying": True}), wanted=wanted)
    assert first_reason(record) == (
        "Is held by the governor on its way to station (3, 5): go (Q 1.50, of back 1.00) wants 1.2 m/s."
    )


def test_a_robot_that_drives_on_its_way_says_where_to() -> None:
    poses = standing(20, (0.5, 3.5))
    poses[:, 0, 0] += np.arange(20) * 0.1
    record = recording(poses, every_decision(20, {}))
    assert first_reason(record) == "Drives on its way to pick cell (3, 5): go (Q 1.50, of back 1.00)."


def test_a_reason_is_told_when_it_changes() -> None:
    decisions = [decision(0.4 * k, {"choice": "stop" if k < 3 else "back"}) for k in range(5)]
    poses = standing(20, (0.5, 3.5))
    poses[12:, 0, 0] += np.arange(8) * 0.1
    (reasons,) = reasons_of(record := recording(poses, decisions), motion_of(record))
    assert [(round(reason.time, 1), reason.text.split()[0]) for reason in reasons] == [(0.0, "Waits"), (1.2, "Gives")]


def test_a_robot_that_was_stopped_says_why_until_it_drives_again() -> None:
    stopped = Event(0.4, "stops", "robot_0", "emergency_stop"), Event(1.2, "drives", "robot_0", "")
    record = recording(standing(20, (0.5, 3.5)), every_decision(20, {}), *stopped)
    (reasons,) = reasons_of(record, motion_of(record))
    assert reasons[1].text == "Stands: emergency_stop."
    assert not reasons[2].text.startswith("Stands:")
    assert reasons[2].time == pytest.approx(1.2)
