import functools

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from export.graphs.controller import build_controller
from export.runtime import CONTROLLER_FIELDS
from sim.controller import control_all, controller_offsets
from sim.env import WarehouseEnv
from sim.limits import pack_limits
from sim.observation import MANEUVERS, observation_spec
from sim.scene import RobotConfig

PERIOD = 0.1
ROBOTS = {
    "shipped": RobotConfig(),
    "other": RobotConfig(
        radius=0.25, max_speed=0.8, lidar_rays=36, lidar_range=3.0, neighbours=5, heading_gain=2.0, safety_margin=0.08
    ),
}


@functools.cache
def session(robot: RobotConfig) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = build_controller(robot, PERIOD, robot.neighbours).SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def both(
    robot: RobotConfig, maneuvers: NDArray[np.int64], observations: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """The commands of the original and of the graph [robots, 2]."""
    spec = observation_spec(robot)
    commands = np.zeros((len(maneuvers), 2))
    control_all(maneuvers, observations, controller_offsets(spec), pack_limits(robot, PERIOD), commands)
    fields = spec.unpack(observations)
    feed = {"maneuver": maneuvers, **{name: fields[name] for name in CONTROLLER_FIELDS}}
    return commands, session(robot).run(None, feed)[0]


def random_inputs(robot: RobotConfig, count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Half of them crowded: with walls and robots within the reach of an arc."""
    rng = np.random.default_rng(seed)
    spec = observation_spec(robot)
    observations = rng.uniform(spec.low, spec.high, (count, spec.size)).astype(np.float32)
    fields = spec.unpack(observations)
    crowded = rng.random(count) < 0.5
    fields["lidar"][crowded] *= rng.uniform(0.1, 0.5, (crowded.sum(), 1))
    fields["neighbours"][..., 0] = rng.integers(0, 2, (count, robot.neighbours))
    fields["neighbours"][crowded, :, 1:3] *= rng.uniform(0.1, 1.0, (crowded.sum(), 1, 1))
    heading = rng.uniform(-np.pi, np.pi, (count, robot.neighbours))
    fields["neighbours"][..., 3], fields["neighbours"][..., 4] = np.cos(heading), np.sin(heading)
    fields["neighbours"][fields["neighbours"][..., 0] == 0] = 0.0
    return rng.integers(0, len(MANEUVERS), count), observations


@pytest.mark.parametrize("name", ROBOTS)
def test_it_computes_what_the_original_computes_on_random_inputs(name: str) -> None:
    expected, found = both(ROBOTS[name], *random_inputs(ROBOTS[name], 10_000, seed=0))
    assert np.abs(expected - found).max() < 1e-4
    assert np.ptp(found, axis=0).min() > 1.0  # not the same thing all the time


def test_it_computes_what_the_original_computes_in_the_warehouse() -> None:
    env = WarehouseEnv(scene="small", robots=6)
    rng = np.random.default_rng(1)
    maneuvers: list[int] = []
    observations: list[NDArray[np.float32]] = []
    for seed in range(3):
        now, _ = env.reset(seed=seed)
        while env.agents:
            actions = {agent: int(rng.choice([1, int(rng.integers(8))])) for agent in env.agents}
            maneuvers += actions.values()
            observations += now.values()
            now = env.step(actions)[0]
    env.close()
    expected, found = both(env.scene.robot, np.array(maneuvers), np.array(observations, np.float32))
    assert len(found) == 3 * 150 * 6
    assert np.abs(expected - found).max() < 1e-4


def test_edges_are_decided_alike() -> None:
    robot = ROBOTS["shipped"]
    spec = observation_spec(robot)
    observations = np.zeros((len(MANEUVERS) * 4, spec.size), np.float32)
    fields = spec.unpack(observations)
    fields["lidar"][:] = robot.lidar_range
    fields["lidar"][1::4] = 0.0  # inside a rack
    fields["lidar"][2::4] = robot.radius  # touching all around
    fields["waypoint"][3::4] = -1.0, -0.0  # exactly behind
    expected, found = both(robot, np.repeat(np.arange(len(MANEUVERS)), 4), observations)
    assert np.isfinite(found).all()
    assert np.abs(expected - found).max() < 1e-4


def test_a_robot_is_decided_alike_alone_and_in_a_batch() -> None:
    robot = ROBOTS["shipped"]
    maneuvers, observations = random_inputs(robot, 16, seed=3)
    batch = both(robot, maneuvers, observations)[1]
    alone = [both(robot, maneuvers[i : i + 1], observations[i : i + 1])[1][0] for i in range(16)]
    assert np.array(alone) == pytest.approx(batch, abs=1e-6)


@pytest.mark.parametrize("neighbours", [0, 1, 3])
def test_the_file_is_valid_whole_and_keeps_the_batch_open(neighbours: int) -> None:
    model = build_controller(ROBOTS["shipped"], PERIOD, neighbours)
    onnx.checker.check_model(model, full_check=True)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in model.graph.input
    }
    assert shapes == {
        "maneuver": ["batch"],
        "lidar": ["batch", 24],
        "waypoint": ["batch", 2],
        "room": ["batch", 1],
        "velocity": ["batch", 2],
        "neighbours": ["batch", neighbours, 9],
    }
    assert [value.name for value in model.graph.output] == ["command"]
