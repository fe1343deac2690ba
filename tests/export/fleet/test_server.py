"""A simulated warehouse and a real process for every robot in it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

import fleetmix
from export.fleet.onnx_policy import OnnxFleetPolicy
from export.fleet.processes import RobotProcesses, free_endpoint
from export.fleet.server import Fleet, in_radio_range
from export.graphs.bundle_writer import write_bundle
from export.protocol import transport
from policies.evaluate import run_episode
from sim.env import WarehouseEnv
from sim.errors import InputError
from sim.layout import load_layout
from sim.scene import DriveModel, SceneConfig, robot_names
from tests.export.conftest import GRU, MLP, SCENE, make_agent, make_metadata

LAYOUT = load_layout(SCENE.layout)
PERIOD = SCENE.control_period


@contextmanager
def running(
    bundle: Path, drive: DriveModel = "velocity", timed: bool = True, seconds: float = 20.0
) -> Iterator[tuple[Fleet, RobotProcesses]]:
    """A fleet and its processes, all connected."""
    endpoint = free_endpoint()
    scene = replace(SCENE, drive=drive, time_limit=seconds)
    names = robot_names(scene.robots)
    with (
        transport.open_session(listen=endpoint) as session,
        Fleet(scene, LAYOUT, session, timed) as fleet,
        RobotProcesses(bundle, names, endpoint, *([] if timed else ["--lock-step"])) as processes,
    ):
        fleet.wait_for_robots(30, processes.require_running)
        fleet.begin(3)
        yield fleet, processes


def decide_until(fleet: Fleet, condition, seconds: float = 10.0) -> int:
    """Lets decisions pass until the condition holds; returns how many."""
    for passed in range(round(seconds / fleet.scene.decision_period)):
        if condition():
            return passed
        fleet.decide()
    raise AssertionError("it never came true")


@pytest.mark.slow
@pytest.mark.parametrize("drive", ["velocity", "wheels"])
def test_in_lock_step_an_episode_is_bit_equal_to_one_in_a_single_process(bundle: Path, drive: DriveModel) -> None:
    there: list[np.ndarray] = []
    with running(bundle, drive, timed=False) as (fleet, _):
        tick = fleet.warehouse.tick
        fleet.warehouse.tick = lambda commands: (tick(commands), there.append(fleet.warehouse.poses.copy()))  # type: ignore[method-assign,assignment,func-returns-value]
        played = fleet.run_episode(3)
        assert all(not base.dropped and not base.reasons for base in fleet.bases)
    onnx = OnnxFleetPolicy(bundle, SCENE.robots)
    env = WarehouseEnv(replace(SCENE, drive=drive), layout=LAYOUT, controller=onnx.control)
    here: list[np.ndarray] = []
    step = env._warehouse.tick
    env._warehouse.tick = lambda commands: (step(commands), here.append(env._warehouse.poses.copy()))  # type: ignore[method-assign,assignment,func-returns-value]
    assert run_episode(env, onnx, 3) == played
    env.close()
    np.testing.assert_array_equal(np.array(there), np.array(here))
    assert np.ptp(np.array(here)[..., :2], axis=0).max() > 0.3  # they did drive


@pytest.mark.slow
def test_drive_with_processes_prints_the_table_of_drive(mlp_bundle: Path, tmp_path: Path) -> None:
    tables = []
    for name, more in (("one", []), ("many", ["--processes"])):
        file = tmp_path / name
        fleetmix.main(["drive", str(mlp_bundle), "--episodes", "2", "--json", str(file), *more])
        tables.append(json.loads(file.read_text()))
    assert [row["policy"] for row in tables[1]] == ["always-go", "QMIX, ONNX, processes", "solo bound"]
    for here, there in zip(*tables, strict=True):
        assert {**here, "policy": ""} == {**there, "policy": ""}


@pytest.mark.slow
def test_a_killed_process_stops_its_robot_and_no_other_and_joins_again(mlp_bundle: Path) -> None:
    with running(mlp_bundle) as (fleet, processes):
        first, second = fleet.bases
        fleet.decide()
        processes.kill("robot_0")
        killed = fleet.periods
        fleet.decide()
        assert first.reasons["silent"] >= fleet.scene.ticks - 1  # braked from the next control period on
        assert fleet.periods - killed == fleet.scene.ticks
        assert not first.present
        speed = abs(fleet.warehouse.velocities[0, 0])
        assert speed <= SCENE.robot.max_speed - 0.3 * SCENE.robot.max_acceleration + 1e-6
        decide_until(fleet, lambda: abs(fleet.warehouse.velocities[0]).max() == 0.0, 2.0)
        place = fleet.warehouse.poses[0].copy()
        answered = second.answers
        fleet.decide()
        np.testing.assert_array_equal(fleet.warehouse.poses[0], place)
        assert second.answers >= answered + fleet.scene.ticks - 1
        processes.start("robot_0")
        started = time.monotonic()
        decide_until(fleet, lambda: first.present)
        print(f"drives again {time.monotonic() - started:.2f} s after its start")
        silent = first.reasons["silent"]
        answered = first.answers
        decide_until(fleet, lambda: first.answers > answered + 8)
        assert first.reasons["silent"] <= silent + 2


@pytest.mark.slow
def test_a_paused_process_stops_its_robot_and_goes_on_when_it_wakes(mlp_bundle: Path) -> None:
    with running(mlp_bundle) as (fleet, processes):
        fleet.decide()
        pid = processes.running["robot_1"].pid
        os.kill(pid, signal.SIGSTOP)
        decide_until(fleet, lambda: not fleet.bases[1].present)
        decide_until(fleet, lambda: abs(fleet.warehouse.velocities[1]).max() == 0.0, 2.0)
        os.kill(pid, signal.SIGCONT)
        decide_until(fleet, lambda: fleet.bases[1].present)


@pytest.mark.slow
def test_a_second_process_for_a_robot_is_not_obeyed(mlp_bundle: Path) -> None:
    with running(mlp_bundle) as (fleet, processes):
        endpoint = processes.endpoint
        with RobotProcesses(mlp_bundle, ["robot_0"], endpoint):
            decide_until(fleet, lambda: fleet.bases[0].dropped["second_process"] > 3)
        fleet.decide()
        assert fleet.bases[0].present


@pytest.mark.slow
def test_ctrl_c_ends_a_drive_with_processes_and_leaves_none_behind(mlp_bundle: Path) -> None:
    arguments = [sys.executable, "-m", "fleetmix", "drive", str(mlp_bundle), "--processes", "--episodes", "1000"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        end = time.monotonic() + 30
        while len(robots := psutil.Process(process.pid).children(recursive=True)) < SCENE.robots:
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(2.0)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=20)[0]
    assert process.returncode == 130
    assert said == "fleetmix: interrupted\n"
    assert not any(robot.is_running() for robot in robots)


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


@pytest.mark.slow
def test_the_fleet_command_hosts_robots_that_come_and_go(mlp_bundle: Path) -> None:
    endpoint = free_endpoint()
    host = [sys.executable, "-m", "fleetmix", "fleet", "--bundle", str(mlp_bundle), "--listen", endpoint]
    fleet = subprocess.Popen(host, stdout=subprocess.PIPE, text=True)
    assert fleet.stdout is not None
    try:
        while "robots connect to" not in (line := fleet.stdout.readline()):
            assert line or fleet.poll() is None
        with RobotProcesses(mlp_bundle, ["robot_0", "robot_1"], endpoint) as processes:
            end = time.monotonic() + 20
            while not all("drives" in processes.output(name) for name in processes.running):
                assert time.monotonic() < end
                time.sleep(0.05)
        fleet.send_signal(signal.SIGINT)
        said = fleet.communicate(timeout=10)[0]
        assert fleet.returncode == 0
        assert "of 2 robots driven" in said
    finally:
        fleet.kill()


@pytest.mark.slow
def test_a_missing_robot_is_named(mlp_bundle: Path) -> None:
    with (
        transport.open_session(listen=free_endpoint()) as session,
        Fleet(SCENE, LAYOUT, session, timed=True) as fleet,
        pytest.raises(InputError, match=r"robot_0, robot_1 has connected"),
    ):
        fleet.wait_for_robots(0.3)


@pytest.mark.slow
def test_no_process_is_left(mlp_bundle: Path) -> None:
    with RobotProcesses(mlp_bundle, ["robot_0"], free_endpoint()) as processes:
        pid = processes.running["robot_0"].pid
    assert not psutil.pid_exists(pid)


def test_a_robot_hears_the_nearest_within_range_in_their_order() -> None:
    poses = np.array([[0.0, 0, 0], [3.0, 0, 0], [1.0, 0, 0], [9.0, 0, 0], [2.0, 0, 0]])
    assert in_radio_range(0, poses, 4.0, 8) == [1, 2, 4]
    assert in_radio_range(0, poses, 4.0, 2) == [2, 4]
    assert in_radio_range(3, poses, 4.0, 8) == []
    assert in_radio_range(0, poses, 3.0, 8) == [2, 4]  # below the range, not at it


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
    assert MLP.shared
    assert not GRU.shared
