"""What a robot's process records, from real processes."""

import signal
from pathlib import Path

import numpy as np
import pytest

from export.bundle.manifest import open_bundle
from export.protocol.messages import Reason
from export.recordings.reader import read_recording
from export.runtime import OnnxPolicy
from sim.errors import InputError
from tests.export.robot_bench import GOAL, NAME, START, robot_bench


@pytest.mark.slow
def test_a_robot_records_what_it_sensed_decided_and_why_it_stopped(mlp_bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "robot.mcap"
    with robot_bench(mlp_bundle, "--record", str(file), "--record-scans") as bench:
        for _ in range(12):
            bench.drives()
        bench.refuses(Reason.BAD_SENSORS, pose=(float("nan"), 1.0, 0.0))
        bench.drives(4)
        bench.processes.running[NAME].send_signal(signal.SIGTERM)
        bench.processes.running[NAME].wait(10)
    recording = read_recording(file)
    assert recording.whole
    assert recording.about.robots == (NAME,)
    driven = np.isfinite(recording.poses[:, 0, 0])
    np.testing.assert_allclose(recording.poses[driven, 0], [(*START, 0.5)] * driven.sum(), atol=1e-4)
    assert not driven.all()

    kinds = [(event.kind, event.detail.partition(":")[0]) for event in recording.events if event.kind != "dropped"]
    assert kinds[0] == ("stops", "no_sensors")
    assert ("stops", "bad_sensors") in kinds
    assert kinds[-2:] == [("drives", ""), ("stops", "shutdown")]

    policy = OnnxPolicy.from_bundle(open_bundle(mlp_bundle), NAME)
    assert len(recording.decisions) >= 4
    for decision in recording.decisions:
        (own,) = decision["robots"]
        assert own["goal"] == list(GOAL)
        action = policy.act(np.array(own["observation"], np.float32))
        assert action.name == own["choice"]
        assert action.q_values.tobytes() == np.array(own["q_values"], np.float32).tobytes()
    assert recording.decisions[0]["robots"][0]["fresh"]
    assert not recording.decisions[1]["robots"][0]["fresh"]


@pytest.mark.slow
def test_a_recording_that_has_no_place_is_refused_before_a_command(mlp_bundle: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"record is '.*robot.bag'; valid is the name of a file that ends in .mcap"),
        robot_bench(mlp_bundle, "--record", str(tmp_path / "robot.bag")),
    ):
        pass
