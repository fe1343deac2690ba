import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.bundle.files import MANIFEST
from export.bundle.metadata import METADATA_KEY, PolicyMetadata, read_metadata
from export.fleet.onnx_policy import OnnxFleetPolicy
from export.graphs.bundle_writer import write_bundle
from export.graphs.origin import Training, generic_metadata
from export.runtime import OnnxPolicy, open_model
from export.verify.bundle import Origin, verify_bundle
from export.verify.controller import random_sensors
from export.verify.policy import Tally, TorchOracle, VerifyError, compare_random
from policies.agent import AgentNetwork
from policies.config import AgentConfig
from policies.environments import EnvSource, TeamEnv
from policies.evaluate import run_episode
from policies.fleet_policies import GreedyPolicy
from sim.env import WarehouseEnv
from sim.errors import InputError
from sim.layout import load_layout
from sim.observation import MANEUVERS, NEIGHBOUR
from tests.export.conftest import GRU, MLP, SCENE, make_agent, make_metadata, set_values
from tests.export.onnx_edits import repin


def origin_of(config: AgentConfig) -> Origin:
    source = EnvSource(SCENE, load_layout(SCENE.layout).text())
    return Origin(make_agent(config), make_metadata(config), source)


@pytest.fixture
def origin(bundle: Path) -> tuple[Origin, Path]:
    """What a bundle was made from, and a copy of the bundle."""
    config = AgentConfig(**OnnxPolicy(bundle / "robot_0.onnx").metadata.agent)
    return origin_of(config), bundle


def replace_file(folder: Path, name: str, change: Callable[[onnx.ModelProto], None]) -> None:
    """Changes a file and makes the manifest agree, as somebody would who knows how."""
    model = onnx.load(folder / name)
    change(model)
    repin(folder, name, model.SerializeToString())


def nudge(model: onnx.ModelProto, name: str, index: int, factor: float) -> None:
    tensor = next(t for t in model.graph.initializer if t.name == name)
    values = onnx.numpy_helper.to_array(tensor).copy()
    values.flat[index] *= factor
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))


def rewrite_metadata(model: onnx.ModelProto, change: Callable[[PolicyMetadata], PolicyMetadata]) -> None:
    text = {prop.key: prop.value for prop in model.metadata_props}[METADATA_KEY]
    onnx.helper.set_model_props(model, {METADATA_KEY: change(read_metadata(text, "test")).to_json()})


def test_what_was_exported_decides_like_the_network(origin: tuple[Origin, Path]) -> None:
    made_from, bundle = origin
    report = verify_bundle(bundle, made_from, episodes=1)
    # 2 robots: 1,000 random observations each, and 20 s / 0.4 s = 50 decisions each
    assert report.tally.decisions == 2 * (1000 + 50)
    assert report.tally.q_difference < 1e-4
    assert 0 < report.command_difference < 1e-4
    assert "against torch" in str(report)
    assert "10000 random inputs and 400 from episodes" in str(report)  # 2 robots, 50 decisions, 4 control periods each
    assert "NOT verified" not in str(report)


def test_without_its_run_a_bundle_is_checked_as_far_as_that_goes(origin: tuple[Origin, Path]) -> None:
    report = verify_bundle(origin[1], None, episodes=1)
    assert "against onnx.reference" in str(report)
    assert "NOT verified: that the files hold the trained network" in str(report)


def test_a_changed_byte_is_refused_before_anything_runs(origin: tuple[Origin, Path]) -> None:
    made_from, bundle = origin
    path = bundle / "robot_1.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"robot_1\.onnx: its bytes were changed"):
        verify_bundle(bundle, made_from)


@pytest.mark.parametrize(
    ("tensor", "index", "factor"),
    [("head.weight", 5, 1.5), ("encoder.0.weight", 100, 3.0), ("observation_scale", 40, 1.1), ("head.bias", 2, 1.1)],
)
def test_one_changed_number_is_found(origin: tuple[Origin, Path], tensor: str, index: int, factor: float) -> None:
    made_from, bundle = origin
    replace_file(bundle, "robot_1.onnx", lambda model: nudge(model, tensor, index, factor))
    with pytest.raises(
        VerifyError,
        match=r"robot_1\.onnx: (q_values\[\w+\]|hidden_out\[\d+\]) differs at .*: torch gives .*, onnxruntime ",
    ):
        verify_bundle(bundle, made_from, episodes=1)


def test_an_episode_alone_finds_a_changed_memory_and_says_where(
    gru_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_from, bundle = origin_of(GRU), Path(shutil.copytree(gru_bundle, tmp_path / "bundle"))
    replace_file(bundle, "robot_1.onnx", lambda model: nudge(model, "GRU_1.R", 7, 300.0))
    monkeypatch.setattr("export.verify.bundle.compare_random", lambda *_: None)
    with pytest.raises(
        VerifyError, match=r"robot_1\.onnx: q_values\[\w+\] differs at episode 3, step \d+, robot 1: torch"
    ):
        verify_bundle(bundle, made_from, episodes=1, seed=3)


def test_another_order_of_fields_is_found_with_and_without_the_run(origin: tuple[Origin, Path]) -> None:
    made_from, bundle = origin

    def swap(metadata: PolicyMetadata) -> PolicyMetadata:
        lidar, waypoint, goal, *others = metadata.observation.fields
        fields = (lidar, goal, waypoint, *others)
        return dataclasses.replace(metadata, observation=dataclasses.replace(metadata.observation, fields=fields))

    replace_file(bundle, "robot_0.onnx", lambda model: rewrite_metadata(model, swap))
    for given in (made_from, None):
        with pytest.raises(
            VerifyError, match=r"robot_0\.onnx: the observation field at offset 24 is Field\(name='goal'"
        ):
            verify_bundle(bundle, given)


def test_a_bundle_of_another_checkpoint_is_found(origin: tuple[Origin, Path]) -> None:
    made_from, bundle = origin
    later = dataclasses.replace(made_from.metadata, training_steps=999)
    with pytest.raises(VerifyError, match="training_steps is 123456; expected is 999"):
        verify_bundle(bundle, dataclasses.replace(made_from, metadata=later))


def test_a_missing_robot_is_found(origin: tuple[Origin, Path]) -> None:
    made_from, bundle = origin
    manifest = json.loads((bundle / MANIFEST).read_text())
    del manifest["robots"]["robot_1"]
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(VerifyError, match="it lists 1 robots; the run trained 2"):
        verify_bundle(bundle, made_from)


def test_a_changed_controller_is_found(origin: tuple[Origin, Path]) -> None:
    made_from, bundle = origin

    def faster(model: onnx.ModelProto) -> None:
        output = model.graph.output[0].name
        node = next(node for node in model.graph.node if output in node.output)
        node.output[list(node.output).index(output)] = "before"
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1.001, np.float32), "faster"))
        model.graph.node.append(onnx.helper.make_node("Mul", ["before", "faster"], [output]))

    replace_file(bundle, "controller.onnx", faster)
    with pytest.raises(
        VerifyError, match=r"controller\.onnx: command [vw] differs at random input \d+ \(\w+\): the compiled"
    ):
        verify_bundle(bundle, made_from, episodes=1)


def test_ties_are_counted_and_not_an_error(tmp_path: Path) -> None:
    made_from = origin_of(AgentConfig("mlp", hidden=8))
    set_values(made_from.agent, [0.0] * len(MANEUVERS))
    bundle = write_bundle(made_from.agent, made_from.metadata, tmp_path / "bundle", 2)
    almost_equal = [0.0] * (len(MANEUVERS) - 1) + [5e-6]
    set_values(made_from.agent, almost_equal)  # in torch the last is better by less than a tie
    tally = Tally()
    compare_random(open_model(bundle, "robot_0.onnx", "policy"), 0, TorchOracle(made_from.agent), 100, tally)
    assert tally.decisions == 100
    assert 0 < tally.ties <= 100  # wherever the mask allows the last maneuver and another one


def test_random_sensors_cover_what_a_controller_meets() -> None:
    spec = make_metadata(MLP).observation
    _, observations = random_sensors(spec, 2000, seed=1)
    assert (observations >= spec.low).all()
    assert (observations <= spec.high).all()
    fields = spec.unpack(observations)
    present = fields["neighbours"][..., NEIGHBOUR.present]
    assert set(present.sum(axis=1).tolist()) == {0.0, 1.0, 2.0, 3.0}
    assert (fields["neighbours"][present == 0] == 0).all()
    assert 0.25 < (fields["lidar"] == spec.high[0]).mean() < 0.35  # 0.3 of the rays hit nothing


def test_an_environment_of_somebody_else_is_verified_too(tmp_path: Path) -> None:
    source = EnvSource(factory="mpe2.simple_spread_v3:parallel_env")
    env = TeamEnv(source)
    team, config = env.team, AgentConfig("gru", hidden=8)
    env.close()
    torch.manual_seed(0)
    agent = AgentNetwork(len(team.agents), torch.from_numpy(team.observation_scale), team.n_actions, config)
    unbounded = [np.inf] * team.features
    metadata = generic_metadata([-x for x in unbounded], unbounded, team.n_actions, config, Training("vdn", 1, 0))
    bundle = write_bundle(agent, metadata, tmp_path / "bundle", len(team.agents)).path
    assert not (bundle / "controller.onnx").exists()
    report = verify_bundle(bundle, Origin(agent, metadata, source), episodes=1)
    assert report.tally.decisions == 3 * (1000 + 25)  # simple_spread: 3 agents, 25 steps
    assert "NOT verified: whole episodes" in str(verify_bundle(bundle))


def test_a_fleet_from_files_drives_like_the_fleet_in_torch(origin: tuple[Origin, Path]) -> None:
    made_from, bundle = origin
    fleet = OnnxFleetPolicy(bundle, robots=2)
    own, built_in = WarehouseEnv(SCENE, controller=fleet.control), WarehouseEnv(SCENE)
    found = run_episode(own, fleet, seed=5)
    expected = run_episode(built_in, GreedyPolicy(made_from.agent, "torch"), seed=5)
    assert found == expected
    poses = np.stack([env.state() for env in (own, built_in)])
    np.testing.assert_allclose(poses[0], poses[1], atol=0.02)  # 200 commands, each within 1e-4
    own.close()
    built_in.close()


def test_a_larger_fleet_needs_shared_parameters(mlp_bundle: Path, gru_bundle: Path) -> None:
    fleet = OnnxFleetPolicy(mlp_bundle, robots=5)
    observations = np.tile(np.clip(0.0, fleet.metadata.observation.low, fleet.metadata.observation.high), (5, 1))
    assert len(set(fleet.act(observations.astype(np.float32)).tolist())) == 1  # five robots that see the same
    fleet.reset(1)
    with pytest.raises(InputError, match="5 observations for 1 robots"):
        fleet.act(observations.astype(np.float32))
    with pytest.raises(InputError, match=r"robots is 3, but bundle .* holds 2 robots that each .* valid is 1 to 2"):
        OnnxFleetPolicy(gru_bundle, robots=3)


def test_each_robot_sees_its_own_row_alone(gru_bundle: Path) -> None:
    fleet = OnnxFleetPolicy(gru_bundle, robots=2)
    spec = fleet.metadata.observation
    rng = np.random.default_rng(0)
    rows = rng.uniform(spec.low, spec.high, (20, 2, spec.size)).astype(np.float32)
    first = [fleet.act(row)[0] for row in rows]
    fleet.reset(2)
    rows[:, 1] = rng.uniform(spec.low, spec.high, (20, spec.size))
    assert [fleet.act(row)[0] for row in rows] == first


def test_right_of_way_is_said_not_to_be_verified(tmp_path: Path) -> None:
    scene = dataclasses.replace(SCENE, right_of_way="plans")
    bundle = write_bundle(make_agent(MLP, scene), make_metadata(MLP, scene), tmp_path / "bundle", 2).path
    assert "NOT verified: right of way as robots run it" in str(verify_bundle(bundle, episodes=1))
