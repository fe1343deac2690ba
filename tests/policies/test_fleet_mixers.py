"""Mixers for fleets of any size: monotone for every number of robots, blind to their order and to who is absent."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from policies.config import ALGOS, Algo
from policies.mixers import FLEET_MIXERS, FleetQMixer, VDNMixer
from tests.policies.test_mixers import SEEDS, slopes

ROBOT, COMMON = 4, 2
SIZES = st.integers(1, 32)
Fleet = tuple[Tensor, Tensor]


def fleet_mixer(algo: Algo, seed: int) -> nn.Module:
    """A mixer far from its first parameters, so that weights of both signs come out of its hypernetworks."""
    torch.manual_seed(seed)
    mixer = FLEET_MIXERS[algo](ROBOT, COMMON)
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.5)
    return mixer


def fleets(rows: int, n_agents: int, size: float = 1.0) -> Fleet:
    return size * torch.randn(rows, n_agents), size * torch.randn(rows, n_agents * ROBOT + COMMON)


def padded(values: Fleet, more: int, filling: float) -> tuple[Tensor, Tensor, Tensor]:
    """The same fleets with `more` absent robots behind them, at which everything is `filling`."""
    agent_qs, state = values
    rows, n_agents = agent_qs.shape
    robots, common = state.split((n_agents * ROBOT, COMMON), -1)
    present = torch.arange(n_agents + more).expand(rows, -1) < n_agents
    wide = torch.cat((agent_qs, torch.full((rows, more), filling)), -1)
    return wide, torch.cat((robots, torch.full((rows, more * ROBOT), filling), common), -1), present


@pytest.mark.parametrize("n_agents", range(1, 33))
def test_the_team_value_never_falls_when_a_robot_value_rises(n_agents: int) -> None:
    mixer = fleet_mixer("qmix", n_agents)
    for size in (0.1, 1.0, 30.0):
        gradient = slopes(mixer, *fleets(64, n_agents, size))
        assert (gradient >= 0).all()
        assert (gradient > 0).any(0).all()  # each robot counts somewhere


@settings(deadline=None)
@given(seed=SEEDS, n_agents=st.integers(1, 4), n_actions=st.integers(2, 4), more=st.integers(0, 3))
def test_the_joint_argmax_is_each_robot_own_argmax(seed: int, n_agents: int, n_actions: int, more: int) -> None:
    mixer, q = fleet_mixer("qmix", seed), torch.randn(n_agents, n_actions)
    joint = torch.tensor(list(product(range(n_actions), repeat=n_agents)))  # every joint action, [joint, agents]
    chosen = q[torch.arange(n_agents), joint]
    state = torch.randn(n_agents * ROBOT + COMMON).expand(len(joint), -1)
    values = mixer(*padded((chosen, state), more, 5.0)).squeeze(-1)
    own = int((joint == q.argmax(-1)).all(-1).nonzero())
    torch.testing.assert_close(values[own], values.max())


@pytest.mark.parametrize("n_agents", [8, 16, 32])
def test_among_the_joint_actions_of_a_large_fleet_none_is_better_than_each_robot_own_best(n_agents: int) -> None:
    """32 robots with two actions each have 2^32 joint ones: the own best against 4,096 others, near and far."""
    mixer, q = fleet_mixer("qmix", n_agents), torch.randn(n_agents, 2)
    best = q.argmax(-1)
    flipped = torch.rand(4096, n_agents) < torch.linspace(0.02, 1.0, 4096).unsqueeze(-1)
    joint = torch.where(flipped, 1 - best, best)
    chosen = torch.cat((q.max(-1).values.unsqueeze(0), q[torch.arange(n_agents), joint]))
    state = torch.randn(n_agents * ROBOT + COMMON).expand(len(chosen), -1)
    values = mixer(chosen, state).squeeze(-1)
    torch.testing.assert_close(values[0], values.max())


@pytest.mark.parametrize("algo", ALGOS)
@settings(deadline=None)
@given(seed=SEEDS, n_agents=SIZES)
def test_the_order_of_the_robots_does_not_matter(algo: Algo, seed: int, n_agents: int) -> None:
    mixer, (agent_qs, state) = fleet_mixer(algo, seed), fleets(4, n_agents)
    order = torch.randperm(n_agents)
    robots, common = state.split((n_agents * ROBOT, COMMON), -1)
    turned = torch.cat((robots.unflatten(-1, (n_agents, ROBOT))[:, order].flatten(1), common), -1)
    mixed, again = mixer(agent_qs, state), mixer(agent_qs[:, order], turned)
    torch.testing.assert_close(again, mixed[:, order] if algo == "iql" else mixed)
    # The weight of each robot moves with it.
    torch.testing.assert_close(slopes(mixer, agent_qs[:, order], turned), slopes(mixer, agent_qs, state)[:, order])


@pytest.mark.parametrize("algo", ALGOS)
@pytest.mark.parametrize("filling", [0.0, 1e6, float("nan"), float("inf")])
@settings(deadline=None)
@given(seed=SEEDS, n_agents=st.integers(1, 8), more=st.integers(1, 8))
def test_absent_robots_have_no_influence(algo: Algo, filling: float, seed: int, n_agents: int, more: int) -> None:
    mixer, values = fleet_mixer(algo, seed), fleets(4, n_agents)
    wide, state, present = padded(values, more, filling)
    mixed = mixer(wide, state, present)
    torch.testing.assert_close(mixed[..., : n_agents if algo == "iql" else 1], mixer(*values))
    if algo != "iql":
        wide.requires_grad_()
        (gradient,) = torch.autograd.grad(mixer(wide, state, present).sum(), wide)
        assert not gradient[:, n_agents:].any()


@settings(deadline=None)
@given(seed=SEEDS, n_agents=SIZES)
def test_a_fresh_qmix_is_worth_nothing_where_its_robots_are(seed: int, n_agents: int) -> None:
    torch.manual_seed(seed)
    agent_qs, state = fleets(8, n_agents, 100.0)
    assert FleetQMixer(ROBOT, COMMON)(0 * agent_qs, state).tolist() == [[0.0]] * 8


def test_a_fleet_of_twins_is_worth_what_one_of_them_is() -> None:
    """The mean of equal robots is any of them, so the value does not grow with their number."""
    mixer, robot, common = fleet_mixer("qmix", 3), torch.randn(1, ROBOT), torch.randn(1, COMMON)
    alone = mixer(torch.tensor([[0.7]]), torch.cat((robot, common), -1))
    for n_agents in (2, 7, 32):
        state = torch.cat((robot.repeat(1, n_agents), common), -1)
        torch.testing.assert_close(mixer(torch.full((1, n_agents), 0.7), state), alone)


def test_vdn_of_fleets_is_the_mean_over_the_robots_that_are_there() -> None:
    agent_qs = torch.tensor([[1.0, 2.0, -4.5], [0.5, 0.25, 9.0]])
    state = torch.zeros(2, 3 * ROBOT + COMMON)
    assert VDNMixer(mean=True)(agent_qs, state).tolist() == [[-0.5], [3.25]]
    present = torch.tensor([[True, True, True], [True, True, False]])
    assert VDNMixer(mean=True)(agent_qs, state, present).tolist() == [[-0.5], [0.375]]


def test_every_algorithm_has_a_mixer_for_fleets() -> None:
    assert tuple(FLEET_MIXERS) == ALGOS


def test_wrong_sizes_are_named() -> None:
    with pytest.raises(ValueError, match="4, -1, 32, 64; valid is 1 or more each, 0 or more common_features"):
        FleetQMixer(4, -1)
    assert FleetQMixer(4, 0)(torch.zeros(3, 2), torch.zeros(3, 8)).shape == (3, 1)
