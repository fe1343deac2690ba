"""The promise of every mixer: what is best for each robot's own value is best for the team's value."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from policies.config import ALGOS, Algo
from policies.mixers import MIXERS, IndependentMixer, QMixer, VDNMixer

SEEDS = st.integers(0, 2**31 - 1)


def q_mixer(seed: int, n_agents: int, state_dim: int) -> QMixer:
    """A QMixer far from its first parameters, so that weights of both signs come out of its hypernetworks."""
    torch.manual_seed(seed)
    mixer = QMixer(n_agents, state_dim, embed_dim=8, hypernet_dim=16)
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.5)
    return mixer


def slopes(mixer: nn.Module, agent_qs: Tensor, state: Tensor) -> Tensor:
    agent_qs = agent_qs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(mixer(agent_qs, state).sum(), agent_qs)
    return gradient


@settings(deadline=None)
@given(seed=SEEDS, n_agents=st.integers(1, 6), state_dim=st.integers(1, 9), size=st.sampled_from([0.1, 1.0, 30.0]))
def test_the_team_value_never_falls_when_a_robot_value_rises(
    seed: int, n_agents: int, state_dim: int, size: float
) -> None:
    mixer = q_mixer(seed, n_agents, state_dim)
    gradient = slopes(mixer, size * torch.randn(64, n_agents), size * torch.randn(64, state_dim))
    assert (gradient >= 0).all()
    assert gradient.any()


@settings(deadline=None)
@given(seed=SEEDS, n_agents=st.integers(1, 4), n_actions=st.integers(2, 4))
def test_the_joint_argmax_is_each_robot_own_argmax(seed: int, n_agents: int, n_actions: int) -> None:
    mixers = (q_mixer(seed, n_agents, 5), VDNMixer())
    q, state = torch.randn(n_agents, n_actions), torch.randn(5)
    joint = torch.tensor(list(product(range(n_actions), repeat=n_agents)))  # every joint action, [joint, agents]
    chosen = q[torch.arange(n_agents), joint]
    own = int((joint == q.argmax(-1)).all(-1).nonzero())
    for mixer in mixers:
        values = mixer(chosen, state.expand(len(joint), -1)).squeeze(-1)
        # Rounding may tie joint actions, so the robots' own one must be among the best, not the first of them.
        torch.testing.assert_close(values[own], values.max())


def test_qmix_weighs_robots_by_the_state() -> None:
    mixer, agent_qs = q_mixer(0, 3, 4), torch.randn(3)
    first, second = slopes(mixer, agent_qs, torch.zeros(4)), slopes(mixer, agent_qs, torch.ones(4))
    assert (first - second).abs().max() > 0.01


def test_qmix_is_the_formula_of_the_paper() -> None:
    # One robot, one hidden unit, everything zero but the offsets that the hypernetworks end in:
    # w1 = |-2| = 2, b1 = 1, w2 = |-3| = 3, b2 = 0.5.  q = 4: 3 ELU(2*4 + 1) + 0.5 = 27.5.
    # q = -1: ELU(-2 + 1) = e^-1 - 1 = -0.6321206, so 3 * -0.6321206 + 0.5 = -1.3963617.
    mixer = QMixer(1, 2, embed_dim=1, hypernet_dim=1)
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.zero_()
        offsets = {"weight_1.3.bias": -2.0, "bias_1.3.bias": 1.0, "weight_2.3.bias": -3.0, "bias_2.3.bias": 0.5}
        for name, offset in offsets.items():
            mixer.get_parameter(name).fill_(offset)
    values = mixer(torch.tensor([[4.0], [-1.0]]), torch.randn(2, 2))
    torch.testing.assert_close(values, torch.tensor([[27.5], [-1.3963617]]))


@settings(deadline=None)
@given(seed=SEEDS)
def test_qmix_does_not_grow_with_the_state(seed: int) -> None:
    # Far out along any ray the normalized hidden layers depend on the direction alone, so that ten times as far is
    # worth the same; the values of the agents are what they were.
    mixer, agent_qs, ray = q_mixer(seed, 3, 4), torch.randn(8, 3), torch.randn(8, 4)
    torch.testing.assert_close(mixer(agent_qs, 1e4 * ray), mixer(agent_qs, 1e5 * ray), rtol=1e-2, atol=1e-2)


@settings(deadline=None)
@given(seed=SEEDS)
def test_a_fresh_qmix_is_worth_nothing_where_its_robots_are(seed: int) -> None:
    # |W1|^T 0 + 0 = 0, ELU(0) = 0, |w2|^T 0 + 0 = 0 in every state.
    torch.manual_seed(seed)
    assert QMixer(3, 4)(torch.zeros(8, 3), 100 * torch.randn(8, 4)).tolist() == [[0.0]] * 8


def test_every_algorithm_has_a_mixer_and_every_mixer_a_name() -> None:
    assert tuple(MIXERS) == ALGOS


@pytest.mark.parametrize("algo", ALGOS)
def test_every_mixer_keeps_leading_axes_and_never_falls_when_a_robot_value_rises(algo: Algo) -> None:
    mixer, agent_qs, state = MIXERS[algo](3, 4), torch.randn(2, 5, 3), torch.randn(2, 5, 4)
    values = mixer(agent_qs, state)
    assert values.shape == (2, 5, 3 if algo == "iql" else 1)
    torch.testing.assert_close(mixer(agent_qs[0, 0], state[0, 0]), values[0, 0])
    assert (slopes(mixer, agent_qs, state) >= 0).all()


def test_vdn_is_the_plain_sum() -> None:
    agent_qs = torch.tensor([[1.0, 2.0, -4.0], [0.5, 0.0, 0.25]])
    assert VDNMixer()(agent_qs, torch.randn(2, 4)).tolist() == [[-1.0], [0.75]]


def test_iql_mixes_nothing() -> None:
    agent_qs = torch.randn(2, 5, 3)
    assert torch.equal(IndependentMixer()(agent_qs, torch.randn(2, 5, 4)), agent_qs)


def test_wrong_sizes_are_named() -> None:
    with pytest.raises(ValueError, match="3, 0, 32, 64; valid is 1 or more each"):
        QMixer(3, 0)
