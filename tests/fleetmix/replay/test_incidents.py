import csv
import io

import numpy as np

from export.recordings.reader import Event
from fleetmix.replay.incidents import as_csv, incidents_of
from tests.fleetmix.replay.scenes import every_decision, recording, standing


def test_contacts_name_the_nearest_robot() -> None:
    touch = Event(0.3, "robot_contact", "robot_1", "")
    record = recording(standing(8, (0.5, 3.5), (3.5, 3.5), (4.1, 3.5)), every_decision(8, {}, {}, {}), touch)
    assert [(i.time, i.kind, i.text) for i in incidents_of(record)] == [
        (0.0, "episode", "episode 1 begins (seed 7)"), (0.3, "contact", "robot_1 touches robot_2"),
    ]  # fmt: skip


def test_a_robot_that_stands_for_long_waits_and_then_is_deadlocked() -> None:
    poses = standing(300, (0.5, 3.5))
    poses[:20, 0, 0] += np.arange(20) * 0.1
    poses[20:, 0, 0] += 1.9
    found = [(i.time, i.kind, i.text) for i in incidents_of(recording(poses, every_decision(300, {"choice": "stop"})))]
    assert found[1][:2] == (2.0, "wait") or found[1][:2] == (1.9, "wait")
    assert found[1][2].startswith("robot_0 stands for 28")
    # Less than 0.5 m in 20 s, for the first time when it had 0.4 m to go: 1.5 + 20 s.
    assert [(round(time, 1), kind) for time, kind, _ in found if kind == "deadlock"] == [(21.5, "deadlock")]


def test_standing_across_two_episodes_is_not_one_wait() -> None:
    again = Event(4.0, "episode", "", '{"number": 1, "seed": 8}')
    found = incidents_of(recording(standing(80, (0.5, 3.5)), every_decision(80, {}), again))
    assert [i.kind for i in found] == ["episode", "episode"]


def test_csv_holds_every_incident() -> None:
    record = recording(standing(8, (0.5, 3.5)), every_decision(8, {}), Event(0.2, "delivery", "robot_0", ""))
    rows = list(csv.DictReader(io.StringIO(as_csv(record, incidents_of(record)))))
    assert rows[1] == {"time": "0.2", "kind": "delivery", "robot": "robot_0", "text": "robot_0 delivers"}
