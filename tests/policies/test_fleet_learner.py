"""Fleets of different sizes in one batch: the padding is told by `present` alone and has no influence on learning."""

from dataclasses import replace

import pytest
import torch

from policies.agent import AgentNetwork
from policies.batch import Batch
from policies.config import ALGOS, AgentConfig, AgentKind, Algo, LearnerConfig
from policies.learner import QLearner
from policies.mixers import FLEET_MIXERS
from tests.policies.batches import ACTIONS, AGENTS, FEATURES, STEPS, make_batch

ROBOT, COMMON, MORE = 2, 1, 4
KINDS: tuple[AgentKind, ...] = ("mlp", "gru")


def fleet_learner(algo: Algo, kind: AgentKind, agents: int) -> QLearner:
    """A learner with the same parameters whatever the size of its largest fleet."""
    torch.manual_seed(0)
    agent = AgentNetwork(agents, torch.ones(FEATURES), ACTIONS, AgentConfig(kind, 16))
    mixer = FLEET_MIXERS[algo](ROBOT, COMMON)
    return QLearner(agent, mixer, torch.ones(agents * ROBOT + COMMON), LearnerConfig(trace_decay=0.5))


def full_batch(seed: int, kind: AgentKind) -> Batch:
    batch = make_batch(seed, 16 if kind == "gru" else 0)
    return replace(batch, state=torch.randn(*batch.state.shape[:2], AGENTS * ROBOT + COMMON))


def padded(batch: Batch, filling: float, action: int = 0) -> Batch:
    """The same experience with `MORE` absent robots behind the others, at which everything is `filling`."""
    size, robots = len(batch.action), AGENTS * ROBOT

    def wide(x: torch.Tensor, axis: int, value: float) -> torch.Tensor:
        shape = list(x.shape)
        shape[axis] = MORE
        return torch.cat((x, torch.full(shape, value, dtype=x.dtype)), axis)

    state = torch.cat((batch.state[..., :robots], torch.full((size, STEPS + 1, MORE * ROBOT), filling)), -1)
    return replace(
        batch,
        observation=wide(batch.observation, 2, filling),
        state=torch.cat((state, batch.state[..., robots:]), -1),
        action_mask=wide(batch.action_mask, 2, True),
        action=wide(batch.action, 2, action),
        hidden=wide(batch.hidden, 1, filling),
        present=wide(batch.present, 1, False),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("algo", ALGOS)
def test_absent_robots_change_no_bit_of_what_is_learned(algo: Algo, kind: AgentKind) -> None:
    learners = [fleet_learner(algo, kind, AGENTS + MORE) for _ in range(2)]
    for seed in range(3):
        batch = full_batch(seed, kind)
        told = [
            learner.update(padded(batch, filling, action))
            for learner, filling, action in zip(learners, (0.0, 1e3), (0, ACTIONS - 1), strict=True)
        ]
        assert told[0] == told[1]
    first, second = (learner.state_dict() for learner in learners)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("algo", ALGOS)
def test_a_padded_fleet_is_worth_what_the_fleet_is(algo: Algo, kind: AgentKind) -> None:
    batch = full_batch(1, kind)
    loss, metrics = fleet_learner(algo, kind, AGENTS).loss(batch)
    wide_loss, wide_metrics = fleet_learner(algo, kind, AGENTS + MORE).loss(padded(batch, 7.0))
    torch.testing.assert_close(wide_loss, loss)
    torch.testing.assert_close(wide_metrics, metrics)


@pytest.mark.parametrize("algo", ALGOS)
def test_fleets_of_different_sizes_learn_in_one_batch(algo: Algo) -> None:
    """The loss is the mean over all steps (and robots, for IQL), whichever fleet they belong to."""
    learner, batch = fleet_learner(algo, "mlp", AGENTS), full_batch(2, "mlp")
    present = torch.arange(AGENTS) < torch.arange(len(batch.action)).unsqueeze(-1) % AGENTS + 1
    batch = replace(batch, present=present)
    each = [replace(batch, **{f: getattr(batch, f)[i : i + 1] for f in vars(batch)}) for i in range(len(present))]
    weights = batch.valid.sum(-1) * (present.sum(-1) if algo == "iql" else 1)
    mean = sum(learner.loss(one)[0] * weight for one, weight in zip(each, weights, strict=True)) / weights.sum()
    torch.testing.assert_close(learner.loss(batch)[0], mean)


def test_statistics_of_the_inputs_leave_absent_robots_out() -> None:
    agent = AgentNetwork(AGENTS + MORE, torch.ones(FEATURES), ACTIONS, AgentConfig(hidden=4))
    size = (AGENTS + MORE) * ROBOT + COMMON
    learner = QLearner(agent, FLEET_MIXERS["vdn"](ROBOT, COMMON), torch.ones(size), LearnerConfig(), True)
    batch = full_batch(3, "mlp")
    learner.observe(padded(batch, 1e6))
    seen = batch.observation[:, :-1][batch.valid].flatten(0, 1).double()
    torch.testing.assert_close(learner.agent.observation_mean, seen.mean(0).float())
