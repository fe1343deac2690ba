import hashlib
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from export.bundle.files import MANIFEST
from export.bundle.metadata import METADATA_KEY
from export.graphs.policy import finish_model
from export.runtime import CONTROLLER_FIELDS, Action, OnnxController, OnnxPolicy
from sim.controller import control
from sim.errors import InputError
from sim.observation import MANEUVERS
from tests.export.conftest import GRU, MLP, make_agent, make_metadata
from tests.export.onnx_edits import rewrite

SPEC = make_metadata(MLP).observation


def an_observation(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(SPEC.low, SPEC.high).astype(np.float32)


@pytest.fixture(scope="module")
def policy(mlp_bundle: Path) -> OnnxPolicy:
    return OnnxPolicy(mlp_bundle / "robot_0.onnx")


@pytest.fixture(scope="module")
def controller(mlp_bundle: Path) -> OnnxController:
    return OnnxController(mlp_bundle / "controller.onnx")


def test_it_keeps_no_notes_about_its_user_and_calls_nobody(mlp_bundle: Path, tmp_path: Path) -> None:
    code = f"from export.runtime import OnnxPolicy; OnnxPolicy({str(mlp_bundle / 'robot_0.onnx')!r})"
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=home, check=True, timeout=120)
    assert list(tmp_path.iterdir()) == []


def test_it_knows_its_schema(policy: OnnxPolicy) -> None:
    assert policy.spec == SPEC
    assert policy.actions == MANEUVERS
    assert (policy.decision_period, policy.control_period) == (0.4, 0.1)
    assert policy.metadata.algorithm == "qmix"


def test_memory_is_kept_from_step_to_step_and_forgotten_by_reset(gru_bundle: Path) -> None:
    agent = make_agent(GRU).single(1)
    policy = OnnxPolicy(gru_bundle / "robot_1.onnx")
    seen = np.stack([an_observation(step) for step in range(30)])
    with torch.no_grad():
        expected, _ = agent(torch.from_numpy(seen)[None, :, None], agent.initial_hidden(1))
    for _ in range(2):
        policy.reset()
        actions = [policy.act(observation) for observation in seen]
        np.testing.assert_allclose([action.q_values for action in actions], expected[0, :, 0], atol=1e-5)
        assert [action.maneuver for action in actions] == expected[0, :, 0].argmax(-1).tolist()


def test_named_fields_and_the_flat_vector_decide_alike(policy: OnnxPolicy) -> None:
    flat = an_observation()
    named = {name: value.tolist() for name, value in SPEC.unpack(flat).items()}
    named["carrying"] = float(flat[SPEC.offsets["carrying"]])  # a field of one element may come as a number
    one, other = policy.act(flat), policy.act(named)
    assert isinstance(one, Action)
    assert one.name == MANEUVERS[one.maneuver]
    assert one.maneuver == int(one.q_values.argmax())
    np.testing.assert_array_equal(one.q_values, other.q_values)


def test_results_are_the_callers_own(policy: OnnxPolicy) -> None:
    first = policy.act(an_observation(1))
    kept = first.q_values.copy()
    policy.act(an_observation(2))
    np.testing.assert_array_equal(first.q_values, kept)


def test_a_mask_restricts_the_choice(policy: OnnxPolicy) -> None:
    for only in range(len(MANEUVERS)):
        mask = np.arange(len(MANEUVERS)) == only
        assert policy.act(an_observation(), mask).maneuver == only


@given(index=st.integers(0, SPEC.size - 1), bad=st.sampled_from([math.nan, math.inf, -math.inf, 1e30, -1e30]))
def test_each_bad_element_is_refused_by_name(policy: OnnxPolicy, index: int, bad: float) -> None:
    observation = an_observation()
    observation[index] = bad
    named = SPEC.unpack(observation)
    for given_as in (observation, named):
        with pytest.raises(InputError) as error:
            policy.act(given_as)
        assert str(error.value).startswith(f"{SPEC.element(index)} is {np.float32(bad)}; valid is ")


def test_the_message_names_the_range_in_its_unit(policy: OnnxPolicy) -> None:
    observation = an_observation()
    observation[3] = math.nan
    with pytest.raises(InputError, match=r"^lidar\[3\] is nan; valid is 0\.0 to 4\.0 m$"):
        policy.act(observation)
    observation[3] = 1.0
    observation[SPEC.offsets["velocity"]] = 1.3
    with pytest.raises(InputError, match=r"^velocity\[0\] is 1\.29\d* ?; valid is -1\.2 to 1\.2 m/s, rad/s$|1\.3"):
        policy.act(observation)


def test_rounding_at_the_edge_of_a_range_passes(policy: OnnxPolicy) -> None:
    edge = SPEC.high.copy()
    policy.act(edge)
    policy.act(np.nextafter(edge, np.float32(np.inf)))
    policy.act(SPEC.low.copy())


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        (np.zeros(3, np.float32), r"observation is float32 \[3\]; valid is float32 \[68\], the fields lidar, waypoint"),
        (np.zeros(68), r"observation is float64 \[68\]; valid is float32"),
        (np.zeros((1, 68), np.float32), r"observation is float32 \[1, 68\]; valid"),
        ([0.0] * 68, "observation has the fields list; valid are exactly lidar"),
        ({"lidar": np.zeros(24)}, "observation has the fields lidar; valid are exactly lidar, waypoint"),
        (
            {**SPEC.unpack(an_observation()), "lidar": np.zeros(23)},
            r"lidar is float64 \[23\]; valid are numbers \[24\]",
        ),
        ({**SPEC.unpack(an_observation()), "lidar": ["x"] * 24}, r"lidar is <U1 \[24\]; valid are numbers \[24\] in m"),
        ({**SPEC.unpack(an_observation()), "goal": [1e300, 0.0]}, r"goal\[0\] is inf; valid is -16\.0 to 16\.0 m"),
        ({**SPEC.unpack(an_observation()), "goal": [[1.0], [1.0, 2.0]]}, "goal is no array .*; valid are numbers"),
        ({**SPEC.unpack(an_observation()), "goal": None}, r"goal is object \[\]; valid are numbers \[2\]"),
    ],
)
def test_wrong_shapes_types_and_names_are_refused(policy: OnnxPolicy, observation: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        policy.act(observation)  # type: ignore[arg-type] # that is the point


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones(3, np.bool_), r"action_mask is bool \[3\]; valid is bool \[8\]"),
        (np.ones(8), r"action_mask is float64 \[8\]"),
        ([True] * 8, "action_mask is list"),
        (np.zeros(8, np.bool_), "allows no maneuver"),
    ],
)
def test_wrong_masks_are_refused(policy: OnnxPolicy, mask: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        policy.act(an_observation(), mask)  # type: ignore[arg-type] # that is the point


def test_a_refused_observation_does_not_change_the_memory(gru_bundle: Path) -> None:
    one, other = OnnxPolicy(gru_bundle / "robot_0.onnx"), OnnxPolicy(gru_bundle / "robot_0.onnx")
    one.act(an_observation(1))
    other.act(an_observation(1))
    with pytest.raises(InputError):
        one.act(np.full(SPEC.size, np.nan, np.float32))
    np.testing.assert_array_equal(one.act(an_observation(2)).q_values, other.act(an_observation(2)).q_values)


def test_a_wrong_hash_is_refused_and_the_right_one_taken(bundle: Path) -> None:
    path = bundle / "robot_0.onnx"
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    OnnxPolicy(path, right)
    OnnxPolicy(str(path), right.upper())
    with pytest.raises(InputError, match=f"its sha256 is {right}, but {'0' * 64} was asked for"):
        OnnxPolicy(path, "0" * 64)
    (bundle / MANIFEST).unlink()
    OnnxPolicy(path)  # a file alone carries no promise to check


def test_files_that_tell_nothing_or_something_else_are_refused(bundle: Path) -> None:
    path = bundle / "robot_0.onnx"
    with pytest.raises(InputError, match="no 'fleetmix' metadata"):
        OnnxPolicy(rewrite(path, key="other", value="{}"))
    version = make_metadata(MLP).to_json().replace('"schema_version": 3', '"schema_version": 2')
    with pytest.raises(InputError, match="its schema version is 2; this release reads 3"):
        OnnxPolicy(rewrite(path, key=METADATA_KEY, value=version))
    fewer = make_metadata(MLP).to_json().replace('"stop", ', "", 1)
    with pytest.raises(InputError, match="its metadata asks for"):
        OnnxPolicy(rewrite(path, key=METADATA_KEY, value=fewer))
    with pytest.raises(InputError, match="it is a controller; needed is a policy"):
        OnnxPolicy(bundle / "controller.onnx")
    with pytest.raises(InputError, match="it is a policy; needed is a controller"):
        OnnxController(path)


def test_a_network_without_finite_values_is_refused(bundle: Path) -> None:
    def poison(model: onnx.ModelProto) -> None:
        bias = next(t for t in model.graph.initializer if t.name == "head.bias")
        bias.CopyFrom(onnx.numpy_helper.from_array(np.full(8, np.nan, np.float32), "head.bias"))

    with pytest.raises(InputError, match=r"its network gives q_values \[nan"):
        OnnxPolicy(rewrite(bundle / "robot_0.onnx", poison))


def test_the_controller_commands_what_the_compiled_one_does(controller: OnnxController) -> None:
    from sim.limits import pack_limits

    scene = make_metadata(MLP).scene
    assert scene is not None
    limits, out = pack_limits(scene.robot, 0.1), np.zeros(2)
    for seed in range(200):
        observation = an_observation(seed)
        fields = SPEC.unpack(observation)
        maneuver = seed % len(MANEUVERS)
        lidar, waypoint, room, velocity, neighbours = (fields[name] for name in CONTROLLER_FIELDS)
        control(maneuver, lidar, waypoint, room, velocity, neighbours, limits, out)
        assert controller.command(maneuver, observation) == pytest.approx(tuple(out), abs=1e-4)
        assert controller.command(maneuver, fields) == controller.command(maneuver, observation)


def test_the_controller_refuses_what_does_not_fit(controller: OnnxController) -> None:
    with pytest.raises(InputError, match="maneuver is 8; valid is 0 to 7"):
        controller.command(8, an_observation())
    broken = an_observation()
    broken[0] = np.nan
    with pytest.raises(InputError, match=r"lidar\[0\] is nan"):
        controller.command(0, broken)


def test_a_controller_for_another_robot_is_refused(bundle: Path, tmp_path: Path) -> None:
    model = onnx.load(bundle / "controller.onnx")
    other = make_metadata(MLP)
    fields = tuple(f for f in other.observation.fields if f.name != "lidar")
    from dataclasses import replace

    metadata = replace(other, role="controller", observation=replace(other.observation, fields=fields))
    path = tmp_path / "other.onnx"
    path.write_bytes(finish_model(model, metadata).SerializeToString())
    with pytest.raises(InputError, match="its observation schema has no field lidar"):
        OnnxController(path)
    shutil.rmtree(bundle)
