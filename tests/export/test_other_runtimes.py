"""The same bundle in other runtimes than onnxruntime's for Python: the same maneuvers, values and commands."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from export.fleet.onnx_policy import OnnxFleetPolicy
from export.runtime import CONTROLLER_FIELDS, OnnxController, OnnxPolicy
from policies.evaluate import run_episode
from sim.env import WarehouseEnv
from tests.export.conftest import SCENE

EXAMPLE = Path(__file__).parents[2] / "examples"
TICKS = SCENE.ticks
DECISIONS = 1000
TIE = 1e-5
needs_node = pytest.mark.skipif(
    not (EXAMPLE / "node_modules" / "onnxruntime-node").is_dir(),
    reason="onnxruntime-node is not installed: make node, where Node.js and npm are",
)


@pytest.fixture(scope="module", params=["mlp", "gru"])
def recorded(request: pytest.FixtureRequest) -> tuple[Path, NDArray[np.float32]]:
    """A bundle, and what robot_0 observed in every control period of 1,000 decisions that the bundle's fleet made."""
    bundle: Path = request.getfixturevalue(f"{request.param}_bundle")
    fleet, seen = OnnxFleetPolicy(bundle, SCENE.robots), []

    def control(maneuvers: Any, observations: Any, commands: Any) -> None:
        seen.append(observations[0].copy())
        fleet.control(maneuvers, observations, commands)

    env = WarehouseEnv(replace(SCENE, time_limit=80.0), controller=control)
    for seed in range(5):
        run_episode(env, fleet, seed)
    env.close()
    assert len(seen) == DECISIONS * TICKS
    return bundle, np.array(seen)


def ours(bundle: Path, observations: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32], float, float]]:
    """Maneuver, Q values and command of every control period, by the robot's runtime."""
    policy, controller = OnnxPolicy(bundle / "robot_0.onnx"), OnnxController(bundle / "controller.onnx")
    for tick, observation in enumerate(observations):
        if tick % TICKS == 0:
            action = policy.act(observation)
        yield action.maneuver, action.q_values, *controller.command(action.maneuver, observation)


def compare(mine: Any, theirs: Any) -> int:
    """Holds another runtime against ours; returns the number of ties that it broke in another way."""
    ties = 0
    for tick, ((maneuver, q, v, w), (maneuver_, q_, v_, w_)) in enumerate(zip(mine, theirs, strict=True)):
        np.testing.assert_allclose(q_, q, atol=1e-4, err_msg=f"Q values in control period {tick}")
        if maneuver != maneuver_:
            assert abs(q[maneuver] - q[maneuver_]) < TIE, f"another maneuver in control period {tick}"
            ties += 1
        else:
            np.testing.assert_allclose((v_, w_), (v, w), atol=1e-4, err_msg=f"command in control period {tick}")
    return ties


@pytest.mark.slow
def test_the_reference_implementation_of_onnx_decides_alike(recorded: tuple[Path, NDArray[np.float32]]) -> None:
    bundle, observations = recorded
    policy = OnnxPolicy(bundle / "robot_0.onnx")
    run: Any = ReferenceEvaluator(onnx.load(bundle / "robot_0.onnx")).run
    mask = np.ones((1, len(policy.actions)), np.bool_)
    memory = {"hidden_in": np.zeros((1, policy.hidden_size), np.float32)} if policy.hidden_size else {}
    ties, chosen = 0, set()
    for step, observation in enumerate(observations[::TICKS]):
        action = policy.act(observation)
        maneuver, q, *after = run(None, {"observation": observation[None], "action_mask": mask, **memory})
        memory = dict(zip(memory, after, strict=True))
        np.testing.assert_allclose(q[0], action.q_values, atol=1e-4, err_msg=f"Q values in decision {step}")
        if (other := int(maneuver[0])) != action.maneuver:
            assert abs(q[0, other] - q[0, action.maneuver]) < TIE, f"another maneuver in decision {step}"
            ties += 1
        chosen.add(action.maneuver)
    assert ties <= 1
    assert len(chosen) >= 3  # a policy that always does the same would prove little


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # 0 / 0 where the result is not used
def test_the_reference_implementation_of_onnx_commands_alike(recorded: tuple[Path, NDArray[np.float32]]) -> None:
    bundle, observations = recorded
    controller = OnnxController(bundle / "controller.onnx")
    run: Any = ReferenceEvaluator(onnx.load(bundle / "controller.onnx")).run
    for i, observation in enumerate(observations[::TICKS]):
        maneuver = i % len(controller.actions)
        fields = controller.spec.unpack(observation)
        feeds = {name: fields[name][None] for name in CONTROLLER_FIELDS}
        (command,) = run(None, {**feeds, "maneuver": np.array([maneuver])})
        np.testing.assert_allclose(command[0], controller.command(maneuver, observation), atol=1e-4)


@contextmanager
def node(bundle: Path) -> Iterator[Any]:
    """Asks the example, in Node.js, what robot_0 does: a function from an observation to its answer."""
    command = ["node", str(EXAMPLE / "robot.mjs"), str(bundle), "robot_0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        source, sink = process.stdout, process.stdin

        def ask(observation: NDArray[np.float32]) -> tuple[int, list[float], float, float]:
            sink.write(json.dumps(observation.tolist()) + "\n")
            sink.flush()
            answer = json.loads(source.readline())
            return answer["maneuver"], answer["q"], answer["v"], answer["w"]

        yield ask
        sink.close()
        assert process.wait(10) == 0


@needs_node
@pytest.mark.slow
def test_node_decides_and_commands_alike(recorded: tuple[Path, NDArray[np.float32]]) -> None:
    bundle, observations = recorded
    with node(bundle) as ask:
        assert compare(ours(bundle, observations), map(ask, observations)) <= 1


@needs_node
@pytest.mark.slow
def test_node_drives_a_robot_as_the_fleet_does(bundle: Path) -> None:
    scene = replace(SCENE, time_limit=40.0)
    fleet = OnnxFleetPolicy(bundle, scene.robots)
    env = WarehouseEnv(scene, controller=fleet.control)
    alone = run_episode(env, fleet, 5)
    reached = env.state()
    env.close()
    with node(bundle) as ask:

        def control(maneuvers: Any, observations: Any, commands: Any) -> None:
            fleet.control(maneuvers, observations, commands)
            maneuvers[0], _, *commands[0] = ask(observations[0])

        env = WarehouseEnv(scene, controller=control)
        assert run_episode(env, Drowsy(fleet), 5) == alone
        np.testing.assert_allclose(env.state(), reached, atol=1e-3)
        env.close()


class Drowsy:
    """The fleet, but robot_0 leaves its maneuver to somebody else."""

    def __init__(self, fleet: OnnxFleetPolicy) -> None:
        self.name, self._fleet = fleet.name, fleet

    def reset(self, robots: int) -> None:
        self._fleet.reset(robots)

    def act(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        maneuvers = self._fleet.act(observations)
        maneuvers[0] = 0
        return maneuvers


@needs_node
@pytest.mark.slow
def test_node_refuses_a_changed_file(bundle: Path) -> None:
    data = bytearray((bundle / "robot_0.onnx").read_bytes())
    data[500] ^= 1
    (bundle / "robot_0.onnx").write_bytes(data)
    command = ["node", str(EXAMPLE / "robot.mjs"), str(bundle), "robot_0"]
    result = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "not the manifest's" in result.stderr
