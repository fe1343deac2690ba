import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from export.bundle.metadata import METADATA_KEY, read_metadata
from export.graphs.origin import Training, generic_metadata
from export.graphs.policy import policy_model
from policies.agent import AgentNetwork
from policies.config import AgentConfig
from sim.errors import InputError
from sim.observation import NEIGHBOUR, observation_spec
from tests.export.conftest import ATTENTION, GRU, MLP, SCENE, make_agent, make_metadata, set_values


def sessions_feeds(config: AgentConfig, batch: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(batch)
    size = make_metadata(config).observation.size
    observation = rng.uniform(-4, 4, (batch, size)).astype(np.float32)
    seen = observation_spec(SCENE.robot).unpack(observation)["neighbours"]
    seen[..., NEIGHBOUR.present] = rng.integers(2, size=seen.shape[:2])
    feeds = {
        "observation": observation,
        "action_mask": np.ones((batch, 8), np.bool_),
    }
    if config.kind == "gru":
        feeds["hidden_in"] = rng.uniform(-1, 1, (batch, config.hidden)).astype(np.float32)
    return feeds


ATTENTIVE_GRU = replace(GRU, encoder="attention")


@pytest.mark.parametrize("config", [MLP, GRU, ATTENTION, ATTENTIVE_GRU], ids=["mlp", "gru", "attention", "both"])
def test_any_batch_gives_the_values_of_the_fleets_network(config: AgentConfig) -> None:
    agent = make_agent(config)
    for robot in range(2):
        model = policy_model(agent.single(robot), make_metadata(config))
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        for batch in (1, 32):
            feeds = sessions_feeds(config, batch)
            maneuver, q, *hidden_out = session.run(None, feeds)
            fleet = torch.zeros(batch, 1, 2, feeds["observation"].shape[1])
            fleet[:, 0, robot] = torch.from_numpy(feeds["observation"])
            hidden = agent.initial_hidden(batch)
            if hidden_out:
                hidden[:, robot] = torch.from_numpy(feeds["hidden_in"])
            with torch.no_grad():
                expected, after = agent(fleet, hidden)
            np.testing.assert_allclose(q, expected[:, 0, robot], atol=1e-5)
            np.testing.assert_array_equal(maneuver, expected[:, 0, robot].argmax(-1))
            assert maneuver.dtype == np.int64
            if hidden_out:
                np.testing.assert_allclose(hidden_out[0], after[:, robot], atol=1e-5)


def test_only_allowed_maneuvers_are_chosen_and_the_first_wins_a_tie() -> None:
    config = AgentConfig("mlp", hidden=4)
    agent = AgentNetwork(1, torch.ones(2), 3, config)
    set_values(agent, [1.0, 2.0, 2.0])
    model = policy_model(agent, generic_metadata([-1, -1], [1, 1], 3, config, Training("vdn", 1, 0)))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    masks = np.array([[1, 1, 1], [1, 0, 1], [1, 0, 0]], np.bool_)
    maneuver, q = session.run(None, {"observation": np.zeros((3, 2), np.float32), "action_mask": masks})
    assert maneuver.tolist() == [1, 2, 0]
    assert q.tolist() == [[1.0, 2.0, 2.0]] * 3  # the values themselves are not masked


def test_measured_scales_are_frozen_into_the_graph() -> None:
    agent = make_agent(MLP).single(0)
    size = len(agent.observation_scale)
    with torch.no_grad():
        agent.observation_mean.copy_(torch.linspace(-3, 5, size))
        agent.observation_scale.copy_(torch.linspace(0.5, 20, size))
    model = policy_model(agent, make_metadata(MLP))
    feeds = sessions_feeds(MLP, 32)
    _, q = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)
    with torch.no_grad():
        expected, _ = agent(torch.from_numpy(feeds["observation"])[:, None, None], agent.initial_hidden(32))
    np.testing.assert_allclose(q, expected[:, 0, 0], atol=1e-5)
    assert [node.op_type for node in model.graph.node][:2] == ["Sub", "Div"]
    assert {"observation_mean", "observation_scale"} <= {tensor.name for tensor in model.graph.initializer}


@pytest.mark.parametrize("config", [MLP, GRU], ids=["mlp", "gru"])
def test_the_graph_is_small_and_its_parts_are_named(config: AgentConfig) -> None:
    model = policy_model(make_agent(config).single(0), make_metadata(config))
    operators = [node.op_type for node in model.graph.node]
    memory = ["Unsqueeze", "Unsqueeze", "GRU", "Gather"]
    layer = ["Gemm", "LayerNormalization", "Relu"]
    hidden = [*layer, *memory] if config.kind == "gru" else layer * 2
    assert operators == ["Div", *hidden, "Gemm", "Where", "ArgMax"]
    names = {tensor.name for tensor in model.graph.initializer}
    assert {"observation_scale", "encoder.0.weight", "head.bias"} <= names
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize("config", [MLP, GRU], ids=["mlp", "gru"])
def test_exporting_twice_gives_the_same_bytes(config: AgentConfig) -> None:
    agent, metadata = make_agent(config).single(1), make_metadata(config)
    assert policy_model(agent, metadata).SerializeToString() == policy_model(agent, metadata).SerializeToString()


def test_the_metadata_comes_back_without_loss() -> None:
    metadata = make_metadata(MLP)
    model = policy_model(make_agent(MLP).single(0), metadata)
    text = {prop.key: prop.value for prop in model.metadata_props}[METADATA_KEY]
    back = read_metadata(text, "test")
    assert back == metadata
    assert back.evaluation["throughput"] == 0.1 + 0.2  # 0.30000000000000004, every digit of it
    assert json.loads(text)["observation"][1]["offset"] == 24  # after 24 lidar rays


def test_unbounded_observations_of_another_environment_come_back() -> None:
    metadata = generic_metadata([-np.inf, 0.1], [np.inf, 0.3], 5, MLP, Training("iql", 3, 4))
    text = metadata.to_json()
    assert read_metadata(text, "test") == metadata
    assert "Infinity" not in text  # which is no JSON
    assert metadata.actions == ("0", "1", "2", "3", "4")
    assert metadata.scene is None


def test_a_network_that_does_not_fit_the_schema_is_refused() -> None:
    metadata = generic_metadata([-1], [1], 3, MLP, Training("vdn", 1, 0))
    with pytest.raises(InputError, match="takes 68 features and has 8 actions; the schema has 1 and 3"):
        policy_model(make_agent(MLP).single(0), metadata)


def test_a_fleet_of_own_parameters_is_no_single_robot() -> None:
    with pytest.raises(ValueError, match="2 sets of parameters"):
        policy_model(make_agent(GRU), make_metadata(GRU))
