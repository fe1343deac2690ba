"""The loss is what the papers say, padding and masks are honoured, and a saved learner goes on bit by bit."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from policies.agent import AgentNetwork
from policies.config import AgentConfig, AgentKind, LearnerConfig
from policies.learner import QLearner
from policies.mixers import IndependentMixer, QMixer, VDNMixer
from tests.policies.batches import ACTIONS, AGENTS, FEATURES, STATE, make_batch, one_step


def make_learner(kind: AgentKind = "mlp", seed: int = 0, config: LearnerConfig | None = None) -> QLearner:
    torch.manual_seed(seed)
    agent = AgentNetwork(AGENTS, torch.ones(FEATURES), ACTIONS, AgentConfig(kind, 16))
    return QLearner(agent, QMixer(AGENTS, STATE, 8, 16), torch.full((STATE,), 2.0), config or LearnerConfig(), True)


def constant_learner(mixer: nn.Module, online: list[float], target: list[float]) -> QLearner:
    """Two robots whose values are the same everywhere: `online` in the online network, `target` in the target's."""
    agent = AgentNetwork(2, torch.ones(1), 3, AgentConfig(hidden=2))
    learner = QLearner(agent, mixer, torch.ones(1), LearnerConfig(gamma=0.5, trace_decay=0.0))
    for network, values in ((agent, online), (learner.target_agent, target)):
        network.get_parameter("networks.0.head.weight").data.zero_()
        network.get_parameter("networks.0.head.bias").data.copy_(torch.tensor(values))
    return learner


def test_targets_are_double_q_over_allowed_actions() -> None:
    # Online values 1 5 9, target values 50 7 20. Robot 0 may not take action 2, so it picks action 1 (5 beats 1),
    # worth 7 to the target; robot 1 picks action 2 (9 is best), worth 20. G = 4 + (7 + 20)/2 = 17.5. Taken: 1 + 5 = 6.
    # The loss is (17.5 - 6)^2 = 132.25. Without the mask robot 0 would be worth 20, without double Q 50.
    mask = torch.tensor([[True, True, False], [True, True, True]])
    learner = constant_learner(VDNMixer(), [1.0, 5.0, 9.0], [50.0, 7.0, 20.0])
    loss, metrics = learner.loss(one_step(mask))
    assert loss.item() == 132.25
    assert float(metrics["return_mean"]) == 17.5
    assert float(metrics["q_mean"]) == 6.0
    assert float(metrics["td_error_abs"]) == 11.5


def test_nothing_is_worth_anything_after_the_end() -> None:
    # G = 4, Q_tot = 1 + 5 = 6, so the loss is 4.
    learner = constant_learner(VDNMixer(), [1.0, 5.0, 9.0], [50.0, 7.0, 20.0])
    assert learner.loss(one_step(torch.ones(2, 3).bool(), terminated=True))[0].item() == 4.0


def test_independent_robots_each_have_their_own_error() -> None:
    # Both pick action 2, worth 20: G = 4 + 20/2 = 14 for each. Errors 14 - 1 = 13 and 14 - 5 = 9: (169 + 81)/2 = 125.
    learner = constant_learner(IndependentMixer(), [1.0, 5.0, 9.0], [50.0, 7.0, 20.0])
    loss, metrics = learner.loss(one_step(torch.ones(2, 3).bool()))
    assert loss.item() == 125.0
    assert float(metrics["td_error_abs"]) == 11.0


def test_rewards_are_learned_in_units_of_their_spread_and_told_in_their_own() -> None:
    # One step with the reward 4, one with 0: the discounted sums 4 and 0 have mean 2 and deviation 2. The target is
    # 4/2 + (7 + 20)/2 = 15.5 and the value 6, in units of 2: a loss of 9.5^2 = 90.25, told as 31 and 12.
    mask = torch.tensor([[True, True, False], [True, True, True]])
    learner, batch = constant_learner(VDNMixer(), [1.0, 5.0, 9.0], [50.0, 7.0, 20.0]), one_step(mask)
    learner.observe(batch)
    assert learner.reward_scale == 1.0  # a single sum has no spread
    learner.observe(replace(batch, reward=torch.tensor([[0.0]])))
    assert learner.reward_scale == 2.0
    loss, metrics = learner.loss(batch)
    assert (loss.item(), float(metrics["return_mean"]), float(metrics["q_mean"])) == (90.25, 31.0, 12.0)
    # gamma is 1/2, so that no value exceeds 4/(1 - 1/2), and none is below 0.
    assert learner.value_limits() == (0.0, 8.0)


def test_inputs_are_scaled_by_what_was_seen_where_that_is_asked_for() -> None:
    # Valid steps alone count: observations 1 and 5 (mean 3, deviation 2), states 10 and 20 (mean 15, deviation 5).
    batch = one_step(torch.ones(2, 3).bool())
    batch = replace(
        batch,
        observation=torch.tensor([1.0, 5.0, 99.0, 99.0]).view(1, 2, 2, 1),
        state=torch.tensor([10.0, 99.0]).view(1, 2, 1),
    )
    agent = AgentNetwork(2, torch.tensor([7.0]), 3, AgentConfig(hidden=2))
    given, measured = (QLearner(agent, VDNMixer(), torch.tensor([9.0]), LearnerConfig(), m) for m in (False, True))
    given.observe(batch)
    assert (agent.observation_mean.item(), agent.observation_scale.item(), given.state_scale.item()) == (0.0, 7.0, 9.0)
    measured.observe(batch)
    measured.observe(replace(batch, state=batch.state + 10.0))
    assert (measured.state_mean.item(), measured.state_scale.item()) == (15.0, 5.0)
    for network in (measured.agent, measured.target_agent):
        assert (network.observation_mean.item(), network.observation_scale.item()) == (3.0, 2.0)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), unit=st.sampled_from([0.25, 8.0, 1024.0]))
def test_the_unit_of_the_rewards_changes_no_update(seed: int, unit: float) -> None:
    learners = []
    for size in (1.0, unit):  # powers of two leave no rounding error
        learner, batch = make_learner(), make_batch(seed)
        batch = replace(batch, reward=batch.reward * size)
        learner.observe(batch)
        learner.update(batch)
        learners.append(learner)
    for one, two in zip(*(learner.agent.parameters() for learner in learners), strict=True):
        assert torch.equal(one, two)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_a_forbidden_action_never_enters_a_target(seed: int) -> None:
    learner, batch = make_learner(), make_batch(seed)
    batch = replace(batch, action_mask=batch.action_mask & (torch.arange(ACTIONS) != ACTIONS - 1))
    before = learner.loss(batch)[1]["return_mean"]
    for network in (learner.agent, learner.target_agent):  # the action that nobody may take looks best by far
        network.get_parameter("networks.0.head.bias").data[-1] += 1e6
    assert torch.equal(learner.loss(batch)[1]["return_mean"], before)


@pytest.mark.parametrize("kind", ["mlp", "gru"])
def test_padding_changes_nothing(kind: AgentKind) -> None:
    learner = make_learner(kind)
    batch = make_batch(3, learner.agent.hidden_size)
    assert not batch.valid.all()
    padding, padding_after = ~batch.valid, torch.cat((torch.zeros(8, 1).bool(), ~batch.valid), 1)
    other = replace(
        batch,
        observation=torch.where(padding_after[..., None, None], 7.0, batch.observation),
        state=torch.where(padding_after[..., None], -3.0, batch.state),
        action_mask=batch.action_mask & ~padding_after[..., None, None],
        action=torch.where(padding[..., None], 0, batch.action),
        reward=torch.where(padding, 1e6, batch.reward),
        terminated=batch.terminated | padding,
    )
    gradients = []
    for each in (batch, other):
        learner.agent.zero_grad()
        torch.autograd.backward(learner.loss(each)[0])
        gradients.append([parameter.grad for parameter in learner.agent.parameters()])
    torch.testing.assert_close(*gradients)
    assert torch.equal(learner.loss(batch)[0], learner.loss(other)[0])


def train(learner: QLearner, seeds: range) -> None:
    for seed in seeds:
        batch = make_batch(seed, learner.agent.hidden_size)
        learner.observe(batch)
        learner.update(batch)


@pytest.mark.parametrize("kind", ["mlp", "gru"])
def test_same_seed_same_parameters_bit_by_bit(kind: AgentKind) -> None:
    runs = []
    for _ in range(2):
        learner = make_learner(kind, seed=5)
        train(learner, range(20))
        runs.append(learner.state_dict())
    assert all(torch.equal(value, runs[1][name]) for name, value in runs[0].items())
    assert int(runs[0]["updates"]) == 20


@pytest.mark.parametrize("kind", ["mlp", "gru"])
def test_a_saved_learner_goes_on_bit_by_bit(kind: AgentKind, tmp_path: Path) -> None:
    learner, file = make_learner(kind), tmp_path / "learner.safetensors"
    train(learner, range(5))
    save_file(learner.state_dict(), file)
    train(learner, range(5, 10))
    resumed = make_learner(kind, seed=99)
    resumed.load_state_dict(load_file(file))
    assert resumed.updates == 5
    train(resumed, range(5, 10))
    expected = learner.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in resumed.state_dict().items())


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    learner, donor = make_learner(), make_learner(seed=1)
    before, good = learner.state_dict(), donor.state_dict()
    missing = {name: value for name, value in good.items() if name != "updates"}
    with pytest.raises(ValueError, match="tensor updates of the learner's state is missing"):
        learner.load_state_dict(missing)
    with pytest.raises(ValueError, match=r"tensor extra of the learner's state is .*; valid is no tensor of that name"):
        learner.load_state_dict({**good, "extra": torch.zeros(2)})
    with pytest.raises(ValueError, match=r"tensor state_scale of the learner's state is \(9,\); valid is \(5,\)"):
        learner.load_state_dict({**good, "state_scale": torch.ones(9)})
    assert all(torch.equal(value, before[name]) for name, value in learner.state_dict().items())


def test_a_saved_state_is_a_snapshot() -> None:
    learner = make_learner()
    saved = learner.state_dict()
    kept = {name: value.clone() for name, value in saved.items()}
    train(learner, range(1))
    assert all(torch.equal(value, kept[name]) for name, value in saved.items())


def test_the_target_follows_at_its_rate() -> None:
    learner = make_learner(config=LearnerConfig(target_rate=0.25))
    old = [parameter.clone() for parameter in learner.target_mixer.parameters()]
    train(learner, range(1))
    for start, online, target in zip(old, learner.mixer.parameters(), learner.target_mixer.parameters(), strict=True):
        torch.testing.assert_close(target, 0.75 * start + 0.25 * online.detach())


def test_training_keeps_the_team_value_monotonic() -> None:
    learner = make_learner(config=LearnerConfig(learning_rate=1e-2))
    train(learner, range(150))
    agent_qs = (10 * torch.randn(500, AGENTS)).requires_grad_()
    (slope,) = torch.autograd.grad(learner.mixer(agent_qs, 3 * torch.randn(500, STATE)).sum(), agent_qs)
    assert (slope >= 0).all()


def test_a_broken_reward_stops_the_update_before_any_parameter_moves() -> None:
    learner, batch = make_learner(), make_batch(0)
    before = learner.state_dict()
    with pytest.raises(FloatingPointError, match="norm is nan"):
        learner.update(replace(batch, reward=torch.full_like(batch.reward, torch.nan)))
    assert all(torch.equal(value, before[name]) for name, value in learner.state_dict().items())


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ValueError, match=r"LearnerConfig\.gamma is 1\.5; valid is 0 to 1"):
        LearnerConfig(gamma=1.5)
    with pytest.raises(ValueError, match=r"LearnerConfig\.learning_rate is 0\.0"):
        LearnerConfig(learning_rate=0.0)
    agent = AgentNetwork(AGENTS, torch.ones(FEATURES), ACTIONS, AgentConfig())
    with pytest.raises(ValueError, match="state_scale"):
        QLearner(agent, VDNMixer(), torch.tensor([0.0]), LearnerConfig())
