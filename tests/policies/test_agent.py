"""The agent network computes the same values fused or stepped, batched or robot by robot, in torch or exported."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from policies.agent import AgentNetwork
from policies.config import AgentConfig, AgentKind

FEATURES, ACTIONS, HIDDEN = 7, 5, 16
KINDS: tuple[AgentKind, ...] = ("mlp", "gru")


def make(kind: AgentKind, shared: bool, n_agents: int = 3, seed: int = 0) -> AgentNetwork:
    torch.manual_seed(seed)
    network = AgentNetwork(n_agents, torch.rand(FEATURES) + 0.5, ACTIONS, AgentConfig(kind, HIDDEN, shared))
    with torch.no_grad():  # offsets start at zero, which would hide one that goes to the wrong robot
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return network


def start(network: AgentNetwork, batch: int, agents: int) -> Tensor:
    return torch.randn(batch, agents, network.hidden_size)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_shapes(kind: AgentKind, shared: bool) -> None:
    network = make(kind, shared)
    hidden = network.initial_hidden(2)
    assert hidden.shape == (2, 3, HIDDEN if kind == "gru" else 0)
    assert not hidden.any()
    q, after = network(torch.randn(2, 4, 3, FEATURES), hidden)
    assert q.shape == (2, 4, 3, ACTIONS)
    assert after.shape == hidden.shape


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_each_robot_alone_computes_what_the_fleet_computed(kind: AgentKind, shared: bool) -> None:
    network = make(kind, shared)
    observation, hidden = torch.randn(2, 6, 3, FEATURES), start(network, 2, 3)
    q, after = network(observation, hidden)
    for i in range(3):
        own_q, own_after = network.single(i)(observation[:, :, i : i + 1], hidden[:, i : i + 1])
        torch.testing.assert_close(own_q, q[:, :, i : i + 1])
        torch.testing.assert_close(own_after, after[:, i : i + 1])


@pytest.mark.parametrize("kind", KINDS)
def test_robots_with_their_own_parameters_differ(kind: AgentKind) -> None:
    network = make(kind, shared=False)
    q, _ = network(torch.randn(1, 1, 1, FEATURES).expand(1, 1, 3, FEATURES), network.initial_hidden(1))
    assert all((a - b).abs().max() > 1e-3 for a, b in pairwise(q[0, 0]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_one_robot_stays_in_its_own_parameters(kind: AgentKind) -> None:
    network = make(kind, shared=False)
    q, _ = network(torch.randn(2, 4, 3, FEATURES), network.initial_hidden(2))
    q[:, :, 1].square().sum().backward()
    for i, own in enumerate(network.networks):
        for name, parameter in own.named_parameters():
            assert parameter.grad is not None
            assert parameter.grad.any() == (i == 1), (i, name)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_fused_sequence_equals_stepping_one_by_one(kind: AgentKind, shared: bool) -> None:
    network = make(kind, shared)
    observation, hidden = torch.randn(2, 6, 3, FEATURES), start(network, 2, 3)
    fused, after = network(observation, hidden)
    steps = []
    for t in range(6):
        q, hidden = network(observation[:, t : t + 1], hidden)
        steps.append(q)
    torch.testing.assert_close(torch.cat(steps, 1), fused)
    torch.testing.assert_close(hidden, after)


def test_a_gru_remembers_and_an_mlp_does_not() -> None:
    observation = torch.randn(1, 2, 1, FEATURES)
    other_past = torch.cat((torch.randn(1, 1, 1, FEATURES), observation[:, 1:]), 1)
    for kind in KINDS:
        network = make(kind, shared=True, n_agents=1)
        hidden = network.initial_hidden(1)
        same = torch.equal(network(observation, hidden)[0][:, 1], network(other_past, hidden)[0][:, 1])
        assert same == (kind == "mlp")


@pytest.mark.parametrize("kind", KINDS)
def test_shared_parameters_serve_any_number_of_robots(kind: AgentKind) -> None:
    network = make(kind, shared=True)
    observation, hidden = torch.randn(2, 4, 11, FEATURES), start(network, 2, 11)
    q, after = network(observation, hidden)
    for agents in (1, 5):
        part_q, part_after = network(observation[:, :, :agents], hidden[:, :agents])
        torch.testing.assert_close(part_q, q[:, :, :agents])
        torch.testing.assert_close(part_after, after[:, :agents])
    assert network.initial_hidden(2, agents=11).shape == hidden.shape


def test_observations_are_divided_by_the_saved_scale() -> None:
    network = make("mlp", shared=True)
    observation, hidden = torch.randn(1, 1, 3, FEATURES), network.initial_hidden(1)
    before, _ = network(observation, hidden)
    assert "observation_scale" in network.state_dict()
    network.observation_scale *= 4.0  # powers of two leave no rounding error
    after, _ = network(observation * 4.0, hidden)
    assert torch.equal(before, after)


def test_a_measured_mean_is_subtracted_first_and_goes_with_each_robot() -> None:
    network = make("mlp", shared=True)
    observation, hidden = torch.randint(-9, 9, (1, 1, 3, FEATURES)).float(), network.initial_hidden(1)
    before, _ = network(observation, hidden)
    network.observation_mean += 4.0
    after, _ = network(observation + 4.0, hidden)
    assert torch.equal(before, after)
    alone, _ = network.single(2)(observation[:, :, 2:] + 4.0, hidden[:, 2:])
    torch.testing.assert_close(alone[:, :, 0], before[:, :, 2])


@pytest.mark.parametrize("kind", KINDS)
def test_onnxruntime_follows_a_robot_over_an_episode(kind: AgentKind, tmp_path: Path) -> None:
    robot, path = make(kind, shared=False).single(1).eval(), tmp_path / "robot.onnx"
    hidden = robot.initial_hidden(1)
    program = torch.onnx.export(robot, (torch.randn(1, 1, 1, FEATURES), hidden), dynamo=True, verbose=False)
    assert program is not None
    program.save(path, external_data=False)
    session = onnxruntime.InferenceSession(path)
    names, exported_hidden = [x.name for x in session.get_inputs()], hidden.numpy()
    for observation in torch.randn(30, 1, 1, 1, FEATURES):
        with torch.no_grad():
            q, hidden = robot(observation, hidden)
        feeds = dict(zip(names, (observation.numpy(), exported_hidden), strict=True))
        exported_q, exported_hidden = session.run(None, feeds)
        np.testing.assert_allclose(exported_q, q.numpy(), atol=1e-5)
        np.testing.assert_allclose(exported_hidden, hidden.numpy(), atol=1e-5)


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ValueError, match=r"AgentConfig\.kind is 'lstm'; valid is one of mlp, gru"):
        AgentConfig("lstm")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"AgentConfig\.hidden is 0"):
        AgentConfig(hidden=0)
    with pytest.raises(ValueError, match="observation_scale"):
        AgentNetwork(2, torch.tensor([1.0, 0.0]), ACTIONS, AgentConfig())
    with pytest.raises(ValueError, match="n_actions is 0"):
        AgentNetwork(2, torch.ones(3), 0, AgentConfig())
    with pytest.raises(ValueError, match="agent is 3; valid is 0 to 2"):
        make("mlp", shared=True).single(3)
    with pytest.raises(ValueError, match="holds 2 robots; this network has 3"):
        make("mlp", shared=False)(torch.randn(1, 1, 2, FEATURES), torch.zeros(1, 2, 0))
