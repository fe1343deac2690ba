"""A simulated warehouse and a real process for every robot in it."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.fleet.onnx_policy import OnnxFleetPolicy
from export.fleet.processes import RobotProcesses, free_endpoint
from export.fleet.server import Fleet
from export.protocol import transport
from policies.evaluate import run_episode
from sim.env import WarehouseEnv
from sim.errors import InputError
from sim.scene import DriveModel
from tests.export.conftest import SCENE
from tests.export.fleet_bench import LAYOUT, decide_until, running


@pytest.mark.slow
@pytest.mark.parametrize("drive", ["velocity", "wheels"])
def test_in_lock_step_an_episode_is_bit_equal_to_one_in_a_single_process(bundle: Path, drive: DriveModel) -> None:
    there: list[np.ndarray] = []
    with running(bundle, drive, timed=False) as (fleet, _):
        tick = fleet.warehouse.tick
        fleet.warehouse.tick = lambda commands: (tick(commands), there.append(fleet.warehouse.poses.copy()))  # type: ignore[method-assign,assignment,func-returns-value]
        played = fleet.run_episode(5)
        assert all(not base.dropped and not base.reasons for base in fleet.bases)
    onnx = OnnxFleetPolicy(bundle, SCENE.robots)
    env = WarehouseEnv(replace(SCENE, drive=drive), layout=LAYOUT, controller=onnx.control)
    here: list[np.ndarray] = []
    step = env._warehouse.tick
    env._warehouse.tick = lambda commands: (step(commands), here.append(env._warehouse.poses.copy()))  # type: ignore[method-assign,assignment,func-returns-value]
    assert run_episode(env, onnx, 5) == played
    env.close()
    np.testing.assert_array_equal(np.array(there), np.array(here))
    assert np.ptp(np.array(here)[..., :2], axis=0).max() > 0.3  # they did drive


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
def test_a_missing_robot_is_named(mlp_bundle: Path) -> None:
    with (
        transport.open_session(listen=free_endpoint()) as session,
        Fleet(SCENE, LAYOUT, session, timed=True) as fleet,
        pytest.raises(InputError, match=r"robot_0, robot_1 has connected"),
    ):
        fleet.wait_for_robots(0.3)
