"""The emergency stop by its command, on bases and processes."""

import subprocess
import sys
from pathlib import Path

import pytest

import fleetmix
from export.fleet.processes import free_endpoint
from export.fleet.server import Fleet
from tests.export.fleet_bench import LAYOUT, decide_until, running


def emergency_stop(fleet: Fleet, endpoint: str, *arguments: str) -> str:
    """Runs the command while the fleet goes on; returns what it printed."""
    command = [sys.executable, "-m", "fleetmix", "stop", "--connect", endpoint, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    decide_until(fleet, lambda: process.poll() is not None)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    return said


@pytest.mark.slow
def test_the_command_stops_one_robot_or_all_until_it_releases_them(mlp_bundle: Path) -> None:
    with running(mlp_bundle) as (fleet, processes):
        endpoint = processes.endpoint
        first, second = (base.latch for base in fleet.bases)
        assert emergency_stop(fleet, endpoint, "robot_1") == "robot_1: stopped (its base)\n"
        assert (first.stopped, second.stopped) == (False, True)
        decide_until(fleet, lambda: fleet.bases[1].reasons["emergency_stop"] > 2)  # its process knows, too
        decide_until(fleet, lambda: abs(fleet.warehouse.velocities[1]).max() == 0.0, 2.0)
        assert emergency_stop(fleet, endpoint) == "robot_0: stopped (its base)\nrobot_1: stopped (its base)\n"
        processes.kill("robot_1")
        processes.start("robot_1")
        decide_until(fleet, lambda: fleet.bases[1].present)
        assert (first.stopped, second.stopped) == (True, True)  # a restart releases nothing
        assert emergency_stop(fleet, endpoint, "robot_0", "--release") == "robot_0: released (its base)\n"
        assert (first.stopped, second.stopped) == (False, True)
        emergency_stop(fleet, endpoint, "--release")
        answered = fleet.bases[1].reasons["emergency_stop"]
        fleet.decide()
        fleet.decide()
        assert fleet.bases[1].reasons["emergency_stop"] <= answered + 1


@pytest.mark.slow
def test_a_stop_outlives_a_restart_of_the_bases(mlp_bundle: Path) -> None:
    with running(mlp_bundle) as (fleet, processes):
        emergency_stop(fleet, processes.endpoint, "robot_0")
        decide_until(fleet, lambda: fleet.bases[0].reasons["emergency_stop"] > 2)  # its process knows, too
        fleet.close()
        with Fleet(fleet.scene, LAYOUT, fleet._session, True) as again:
            again.begin(4)
            assert not again.bases[0].latch.stopped
            decide_until(again, lambda: all(base.present for base in again.bases))
            assert [base.latch.stopped for base in again.bases] == [True, False]
            assert again.warehouse.velocities[0].tolist() == [0.0, 0.0]
            assert emergency_stop(again, processes.endpoint, "--release") == (
                "robot_0: released (its base)\nrobot_1: released (its base)\n"
            )
            answered = again.bases[0].reasons["emergency_stop"]
            again.decide()
            again.decide()
            assert again.bases[0].reasons["emergency_stop"] <= answered + 1


@pytest.mark.slow
def test_a_stop_that_reaches_nobody_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        fleetmix.main(["stop", "robot_1", "--connect", free_endpoint()])
    assert stop.value.code == 2
    assert "nobody at tcp/127.0.0.1:" in capsys.readouterr().err
