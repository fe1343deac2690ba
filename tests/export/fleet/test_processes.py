import time
from pathlib import Path

import psutil
import pytest

from export.fleet.processes import RobotProcesses, free_endpoint
from export.graphs.bundle_writer import write_bundle
from sim.errors import InputError
from sim.scene import SceneConfig
from tests.export.conftest import GRU, make_agent, make_metadata


@pytest.mark.slow
def test_no_process_is_left(mlp_bundle: Path) -> None:
    with RobotProcesses(mlp_bundle, ["robot_0"], free_endpoint()) as processes:
        pid = processes.running["robot_0"].pid
    assert not psutil.pid_exists(pid)


@pytest.mark.slow
def test_robots_with_parameters_of_their_own_run_their_own_files(tmp_path: Path) -> None:
    scene = SceneConfig(layout="crossing", robots=2)
    bundle = write_bundle(make_agent(GRU, scene), make_metadata(GRU, scene), tmp_path / "bundle", 2).path
    with RobotProcesses(bundle, ["robot_2"], free_endpoint()) as processes:
        end = time.monotonic() + 10
        while processes.running["robot_2"].poll() is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        with pytest.raises(InputError, match="robot 'robot_2' is not in the bundle; valid are robot_0, robot_1"):
            processes.require_running()
