import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from export.fleet.processes import RobotProcesses, free_endpoint


@pytest.mark.slow
@pytest.mark.parametrize("end_by", [signal.SIGINT, signal.SIGHUP])
def test_the_fleet_command_hosts_robots_that_come_and_go(mlp_bundle: Path, end_by: signal.Signals) -> None:
    endpoint = free_endpoint()
    host = [sys.executable, "-m", "fleetmix", "fleet", "--bundle", str(mlp_bundle), "--listen", endpoint]
    fleet = subprocess.Popen(
        host, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(end_by, signal.SIG_DFL),  # who runs the tests may ignore it, as nohup does
    )  # fmt: skip
    assert fleet.stdout is not None
    try:
        while "robots connect to" not in (line := fleet.stdout.readline()):
            assert line or fleet.poll() is None
        with RobotProcesses(mlp_bundle, ["robot_0", "robot_1"], endpoint) as processes:
            end = time.monotonic() + 20
            while not all("drives" in processes.output(name) for name in processes.running):
                assert time.monotonic() < end
                time.sleep(0.05)
            said = ""
            while not all(f"{name}: driven" in said for name in processes.running):
                said += fleet.stdout.readline()
        while "robot_0: stands: no process" not in said:
            said += fleet.stdout.readline()
        fleet.send_signal(end_by)
        said += fleet.communicate(timeout=10)[0]
        assert fleet.returncode == 0
        assert "robot_0: obeys process " in said
        assert "0 of 2 robots driven" in said
        assert "2 no process" in said
        assert "robot_1: " in said.splitlines()[-1]
        assert " silent" in said.splitlines()[-1]
        assert "answers_other_sensors" not in said
    finally:
        fleet.kill()
