import csv
import io

import numpy as np
import pytest

from export.recordings.reader import Event
from fleetmix.report.heat import as_csv, heat_of
from tests.fleetmix.replay.scenes import every_decision, recording, standing

HOUR = 3600.0


def test_where_a_robot_stands_it_waits() -> None:
    record = recording(standing(100, (3.5, 5.5)), every_decision(100, {}))
    heat = heat_of(record)
    assert heat.waiting.shape == (7, 7)
    assert heat.waiting[5, 3] == heat.waiting.sum() == pytest.approx(HOUR)  # the whole time
    assert heat.flow.sum() == 0


def test_each_step_from_cell_to_cell_counts_once_in_its_direction() -> None:
    poses = standing(40, (0.5, 3.5))
    poses[:, 0, 0] += np.minimum(np.arange(40) * 0.1, 2.0)  # two cells to the east in 2 s, then it stands
    flow = heat_of(recording(poses, every_decision(40, {}))).flow
    per_hour = HOUR / 4
    assert flow[3, 0].tolist() == pytest.approx([per_hour, 0, 0, 0])
    assert flow[3, 1].tolist() == pytest.approx([per_hour, 0, 0, 0])
    assert flow.sum() == pytest.approx(2 * per_hour)


def test_a_new_episode_is_no_way() -> None:
    poses = standing(40, (0.5, 3.5))
    poses[20:, 0, 0] = 1.5
    again = Event(2.0, "episode", "", '{"number": 1, "seed": 8}')
    assert heat_of(recording(poses, every_decision(40, {}), again)).flow.sum() == 0


def test_contacts_and_refusals_are_where_the_robot_was() -> None:
    touch, refused = Event(1.0, "robot_contact", "robot_1", ""), Event(2.0, "refused", "robot_0", "cell (1, 3)")
    record = recording(standing(100, (0.5, 3.5), (3.5, 1.5)), every_decision(100, {}, {}), touch, refused)
    heat = heat_of(record)
    each = HOUR / (2 * 10.0)
    assert heat.contacts[1, 3] == heat.contacts.sum() == pytest.approx(each)
    assert heat.refused[3, 0] == heat.refused.sum() == pytest.approx(each)
    rows = list(csv.DictReader(io.StringIO(as_csv(heat))))
    assert len(rows) == 49
    (row,) = (row for row in rows if float(row["contacts"]))
    assert (row["column"], row["row"]) == ("3", "1")
    assert float(row["contacts"]) == pytest.approx(each)
