"""The example of a base, with a real robot's process at the other end."""

import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from examples.base import CONFIG, Robot
from export.fleet.processes import RobotProcesses, free_endpoint
from sim.layout import load_layout, parse_layout
from tests.house import ROOT


class Lines:
    """What a process prints, line by line, with an end to waiting."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.put(line.strip())

    def wait_for(self, wanted: str, seconds: float = 60.0) -> None:
        """Returns at a line that begins so; raises queue.Empty when there is none for that long."""
        while not self._lines.get(timeout=seconds).startswith(wanted):
            pass


@contextmanager
def running_base(endpoint: str) -> Iterator[Lines]:
    command = [sys.executable, "-m", "examples.base", "--listen", endpoint]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield Lines(process)
        finally:
            process.send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_it_is_driven_brakes_without_a_process_and_goes_on(always_go: Path) -> None:
    endpoint = free_endpoint()
    stop = [sys.executable, "-m", "fleetmix", "stop", "robot_0", "--connect", endpoint]
    with running_base(endpoint) as said, RobotProcesses(always_go, ["robot_0"], endpoint) as processes:
        said.wait_for("driven")
        said.wait_for("picked")
        processes.running["robot_0"].kill()
        said.wait_for("no process")
        processes.start("robot_0")
        said.wait_for("driven")
        said.wait_for("delivered")
        stopped = subprocess.run(stop, capture_output=True, text=True, check=True).stdout
        assert "robot_0: stopped (its base)" in stopped
        with pytest.raises(queue.Empty):
            said.wait_for("picked", seconds=8.0)  # the last order took less
        subprocess.run([*stop, "--release"], capture_output=True, check=True)
        said.wait_for("picked")


def test_its_lidar_measures_racks_and_borders() -> None:
    robot = Robot(parse_layout("S...\n#...\n....\n", "room"))
    robot.pose = (0.5, 2.5, 0.0)  # on the station in the upper left corner: ahead 3.5 m of floor, a rack to the right
    scan = robot.scan()
    assert scan.shape == (CONFIG.lidar_rays,)
    np.testing.assert_allclose(scan[[0, 6, 12, 18]], [3.5, 0.5, 0.5, 0.5], atol=0.021)


def test_it_moves_as_its_acceleration_allows() -> None:
    robot = Robot(load_layout("small"))
    x, y, _ = robot.pose
    robot.drive((1.0, 0.0))  # 2 m/s^2 for 0.1 s
    assert robot.velocity == pytest.approx((0.2, 0.0))
    assert robot.pose == pytest.approx((x + 0.02, y, 0.0))
    robot.drive((0.0, 1.0))
    assert robot.velocity == pytest.approx((0.0, 1.0))
