"""Attention over neighbours: blind to their order, and the same network for any number of them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from policies.agent import AgentNetwork
from policies.config import AgentConfig
from policies.environments import EnvSource
from policies.neighbours import NeighbourEncoder, NeighbourRows
from policies.runs.folder import load_agent, load_run
from policies.train import train
from sim.errors import InputError
from sim.observation import NEIGHBOUR, observation_spec
from sim.scene import RobotConfig, SceneConfig
from tests.policies.test_mixers import SEEDS
from tests.policies.tiny_runs import ROLLOUT, config

BEFORE, AFTER, ROW, ACTIONS = 5, 3, 9, 4
ATTENTION = AgentConfig(hidden=16, encoder="attention")


def network(slots: int) -> AgentNetwork:
    """A network with so many rows for neighbours; the parameters are the same for any number."""
    torch.manual_seed(0)
    rows = NeighbourRows(BEFORE, slots, ROW)
    made = AgentNetwork(1, torch.ones(BEFORE + slots * ROW + AFTER), ACTIONS, ATTENTION, rows)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return made


def values(made: AgentNetwork, own: Tensor, neighbours: Tensor) -> Tensor:
    """Action values of robots with the features `own` [batch, 8] that see `neighbours` [batch, count, 9]."""
    slots = made.rows.count if made.rows is not None else 0
    missing = torch.zeros(len(own), slots - neighbours.shape[1], ROW)
    rows = torch.cat((neighbours, missing), 1).flatten(1)
    x = torch.cat((own[:, :BEFORE], rows, own[:, BEFORE:]), -1)
    q: Tensor = made(x[:, None, None], made.initial_hidden(len(own)))[0]
    return q[:, 0, 0]


def seen(count: int, batch: int = 6) -> tuple[Tensor, Tensor]:
    neighbours = torch.randn(batch, count, ROW)
    neighbours[..., 0] = 1.0
    return torch.randn(batch, BEFORE + AFTER), neighbours


@settings(deadline=None)
@given(seed=SEEDS, count=st.integers(0, 12))
def test_the_order_of_the_neighbours_does_not_matter(seed: int, count: int) -> None:
    torch.manual_seed(seed)
    own, neighbours = seen(count)
    expected = values(network(12), own, neighbours)
    torch.manual_seed(seed)
    order = torch.randperm(count)
    torch.testing.assert_close(values(network(12), own, neighbours[:, order]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", range(13))
def test_the_same_parameters_serve_any_number_of_rows(count: int) -> None:
    torch.manual_seed(count)
    own, neighbours = seen(count)
    expected = values(network(12), own, neighbours)
    for slots in {count, min(count + 1, 12), 12}:
        torch.testing.assert_close(values(network(slots), own, neighbours), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", range(1, 13))
def test_every_neighbour_counts_and_none_that_is_absent(count: int) -> None:
    torch.manual_seed(count)
    own, neighbours = seen(count)
    neighbours.requires_grad_()
    (gradient,) = torch.autograd.grad(values(network(12), own, neighbours).square().sum(), neighbours)
    assert (gradient.abs().amax(-1) > 0).all()
    absent = torch.cat((neighbours.detach(), 9 * torch.randn(6, 12 - count, ROW)), 1)
    absent[:, count:, 0] = 0.0
    torch.testing.assert_close(values(network(12), own, absent), values(network(12), own, neighbours))


def test_attention_is_a_softmax_with_an_empty_place() -> None:
    # One own feature 2, two neighbours with one number each, 1 and 3; head 0 alone is looked at. With the row network
    # replaced by (v, v, v, v), a query weight of 1 and a key weight of 0.5, the scores are 2 * 0.5 * v: 1 and 3, beside
    # the empty place's 0. Weights e^1, e^3, e^0 over their sum 23.8038: 0.114195, 0.843795; 0.114195 + 3 * 0.843795.
    encoder = NeighbourEncoder(5, NeighbourRows(1, 2, 2), 4)
    encoder.row = torch.nn.Sequential(torch.nn.Linear(2, 4))
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.zero_()
        encoder.get_parameter("row.0.weight")[:, 1] = 1.0
        encoder.query.weight[:, 0] = 1.0
        encoder.key.weight.copy_(0.5 * torch.eye(4))
    out = encoder(torch.tensor([2.0, 1.0, 1.0, 1.0, 3.0]))
    torch.testing.assert_close(out, torch.tensor([2.0, *[0.114195 + 3 * 0.843795] * 4]), rtol=1e-5, atol=1e-5)
    alone = encoder(torch.tensor([2.0, 0.0, 1.0, 0.0, 3.0]))
    assert alone.tolist() == [2.0, 0.0, 0.0, 0.0, 0.0]


def test_a_source_tells_where_its_neighbours_are() -> None:
    robot = RobotConfig(neighbours=7, lidar_rays=12)
    rows = EnvSource(SceneConfig(robot=robot)).neighbours
    assert rows is not None
    field = observation_spec(robot).slice("neighbours")
    assert (rows.start, rows.count, rows.width) == (field.start, 7, len(NEIGHBOUR))
    assert rows.start + rows.count * rows.width == field.stop
    assert EnvSource(factory="somewhere:make").neighbours is None


def test_a_run_learns_with_it_and_is_read_back(tmp_path: Path) -> None:
    scene = SceneConfig(robots=3, time_limit=4.0, robot=RobotConfig(neighbours=2))
    settings = config(env="", scene=scene, agent=ATTENTION, steps=128, warmup=4, rollout=ROLLOUT)
    assert train(settings, tmp_path / "run").updates > 0
    agent, _ = load_agent(load_run(tmp_path / "run"))
    assert (
        agent.single(1).rows == agent.rows == NeighbourRows(observation_spec(scene.robot).offsets["neighbours"], 2, 9)
    )


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="neighbours are 2 rows of 9 from 4 of 20 features, encoded in 8; valid are"):
        NeighbourEncoder(20, NeighbourRows(4, 2, 9), 8)
    with pytest.raises(ValueError, match=r"encoded in 6; valid are .* a multiple of 4"):
        NeighbourEncoder(30, NeighbourRows(4, 2, 9), 6)
    with pytest.raises(ValueError, match="the encoder is attention, but no neighbours are told"):
        AgentNetwork(2, torch.ones(5), 3, ATTENTION)
    with pytest.raises(ValueError, match="hidden is 20; valid with encoder attention is a multiple of 8"):
        replace(ATTENTION, hidden=20)
    with pytest.raises(InputError, match="encoder is 'attention'; valid is flat with env"):
        config(agent=ATTENTION)
