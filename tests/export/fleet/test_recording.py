"""What a base's side records while robots' processes drive."""

from pathlib import Path

import numpy as np
import pytest

from export.fleet.recording import record_fleet
from export.recordings.reader import read_recording
from tests.export.fleet_bench import decide_until, running


@pytest.mark.slow
def test_a_fleet_of_processes_is_recorded_with_its_stops(mlp_bundle: Path, tmp_path: Path) -> None:
    file, said, chosen = tmp_path / "fleet.mcap", list[str](), []
    with running(mlp_bundle, timed=False) as (fleet, processes), record_fleet(fleet, file, "processes", said.append):
        for _ in range(10):
            fleet.decide()
            chosen.append([base.maneuver for base in fleet.bases])
        processes.kill("robot_1")
        decide_until(fleet, lambda: fleet.bases[1].state == "no process")
        fleet.decide()
        driven = fleet.warehouse.poses.copy()
    recording = read_recording(file)
    assert not said
    assert recording.whole
    np.testing.assert_allclose(recording.poses[-1, 0, :2], driven[0, :2], atol=0.2)  # a control period before
    told = [[robot["choice"] for robot in decision["robots"]] for decision in recording.decisions]
    names = recording.about.choices
    assert told[1:11] == [[names[maneuver] for maneuver in maneuvers] for maneuvers in chosen]
    kinds = {(event.kind, event.robot, event.detail) for event in recording.events}
    assert {("drives", "robot_0", ""), ("drives", "robot_1", ""), ("stops", "robot_1", "no process")} <= kinds
    assert {robot for kind, robot, _ in kinds if kind == "process"} == {"robot_0", "robot_1"}
