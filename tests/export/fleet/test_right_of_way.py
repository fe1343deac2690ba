"""Right of way between real processes, each with nothing but its own map, sensors and what it heard."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.fleet.config import SOUND, RadioConfig
from export.fleet.onnx_policy import OnnxFleetPolicy
from export.fleet.processes import RobotProcesses, free_endpoint
from export.fleet.server import Fleet
from export.graphs.bundle_writer import write_bundle
from export.protocol import transport
from policies.evaluate import run_episode
from sim.env import WarehouseEnv
from sim.layout import load_layout
from sim.observation import MANEUVERS
from sim.scene import RightOfWayMode, SceneConfig, robot_names
from tests.export.conftest import MLP, make_agent, make_metadata, set_values

pytestmark = pytest.mark.slow
SCENE = SceneConfig(layout="small", robots=4, time_limit=30.0)
LAYOUT = load_layout(SCENE.layout)


def always_go(folder: Path, rules: RightOfWayMode) -> Path:
    """A bundle of robots that always want to go on."""
    scene = replace(SCENE, right_of_way=rules)
    agent = make_agent(MLP, scene)
    set_values(agent, [float(maneuver == "go") for maneuver in MANEUVERS])
    return write_bundle(agent, make_metadata(MLP, scene), folder / "bundle", SCENE.robots).path


@contextmanager
def running(
    bundle: Path, rules: RightOfWayMode, radio: RadioConfig = SOUND, timed: bool = False
) -> Iterator[tuple[Fleet, RobotProcesses]]:
    """A fleet and its processes, all connected."""
    endpoint, scene = free_endpoint(), replace(SCENE, right_of_way=rules)
    with (
        transport.open_session(listen=endpoint) as session,
        Fleet(scene, LAYOUT, session, timed, radio) as fleet,
        RobotProcesses(bundle, robot_names(SCENE.robots), endpoint, *([] if timed else ["--lock-step"])) as processes,
    ):
        fleet.wait_for_robots(30, processes.require_running)
        yield fleet, processes


@pytest.mark.parametrize(("rules", "loss", "delay"), [("plans", 0.0, 0.0), ("claims", 0.0, 0.0), ("plans", 0.2, 0.3)])
def test_in_lock_step_it_is_bit_equal_to_that_of_the_simulator(
    tmp_path: Path, rules: RightOfWayMode, loss: float, delay: float
) -> None:
    """What each robot tells and does in every control period of two episodes, with broadcasts lost and late too."""
    bundle, radio = always_go(tmp_path, rules), RadioConfig(loss, delay)
    there: list[np.ndarray] = []
    told_there: list[np.ndarray] = []
    with running(bundle, rules, radio) as (fleet, _):
        tick, send = fleet.warehouse.tick, fleet._radio.send
        fleet.warehouse.tick = lambda commands: (tick(commands), there.append(fleet.warehouse.poses.copy()))  # type: ignore[method-assign,assignment,func-returns-value]
        fleet._radio.send = lambda *what: (send(*what), told_there.append(np.array(what[1])))  # type: ignore[method-assign,assignment,func-returns-value]
        played = [fleet.run_episode(seed) for seed in (5, 6)]
        assert all(not base.dropped and not base.reasons for base in fleet.bases)
    onnx = OnnxFleetPolicy(bundle, SCENE.robots)
    env = WarehouseEnv(radio.applied_to(replace(SCENE, right_of_way=rules)), layout=LAYOUT, controller=onnx.control)
    here: list[np.ndarray] = []
    told_here: list[np.ndarray] = []
    traffic = env._warehouse.sensors.traffic
    assert traffic is not None
    step, update = env._warehouse.tick, traffic.update
    env._warehouse.tick = lambda commands: (step(commands), here.append(env._warehouse.poses.copy()))  # type: ignore[method-assign,assignment,func-returns-value]
    traffic.update = lambda *what: (told_here.append(traffic.records.copy()), update(*what))  # type: ignore[method-assign,assignment,func-returns-value]
    assert [run_episode(env, onnx, seed) for seed in (5, 6)] == played
    env.close()
    np.testing.assert_array_equal(np.array(there), np.array(here))
    periods = len(here) // 2
    heard = [*told_here[:periods], *told_here[periods + 1 : 2 * periods + 1]]  # after the last one nothing is sent
    np.testing.assert_array_equal(np.array(told_there), np.array(heard))
    assert sum(episode.totals["deliveries"] for episode in played) >= 4
