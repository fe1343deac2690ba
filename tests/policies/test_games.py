"""Games small enough to solve by hand separate the mixers: what each can represent decides what it learns.

Every update sees every joint action once: the uniform exploration of the QMIX paper without its sampling noise.
With it goes trace_decay 0: longer traces would mix what random robots do later into values that are meant to be greedy.
"""

from collections.abc import Callable
from functools import partial
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from policies.agent import AgentNetwork
from policies.batch import Batch
from policies.config import AgentConfig, LearnerConfig
from policies.learner import QLearner
from policies.mixers import IndependentMixer, QMixer, VDNMixer

CONFIG = LearnerConfig(gamma=0.99, trace_decay=0.0, learning_rate=3e-3, target_rate=0.05)
START, ALWAYS_7, TABLE = range(3)  # states of the two-step game
PAYOFF = {ALWAYS_7: [[7.0, 7.0], [7.0, 7.0]], TABLE: [[0.0, 1.0], [1.0, 8.0]]}


def learn(make_mixer: Callable[[], nn.Module], batch: Batch, updates: int, seed: int) -> QLearner:
    torch.manual_seed(seed)
    states, actions = batch.state.shape[-1], batch.action_mask.shape[-1]
    agent = AgentNetwork(2, torch.ones(states), actions, AgentConfig(hidden=32, shared=False))
    learner = QLearner(agent, make_mixer(), torch.ones(states), CONFIG)
    for _ in range(updates):
        learner.update(batch)
    return learner


def make_batch(states: Tensor, action: Tensor, reward: Tensor) -> Batch:
    """Whole games of two robots that both see the state [batch, time + 1, states]."""
    size, steps = reward.shape
    return Batch(
        observation=states.unsqueeze(2).expand(-1, -1, 2, -1).contiguous(),
        state=states,
        action_mask=torch.ones(size, steps + 1, 2, int(action.max()) + 1, dtype=torch.bool),
        action=action,
        reward=reward,
        terminated=(torch.arange(steps) == steps - 1).expand(size, -1),
        valid=torch.ones(size, steps, dtype=torch.bool),
        hidden=torch.zeros(size, 2, 0),
        present=torch.ones(size, 2, dtype=torch.bool),
    )


def two_step_game() -> Batch:
    """Rashid et al. 2018, section 5: robot 0's first action leads to the state ALWAYS_7 or to TABLE."""
    action = torch.tensor(list(product((0, 1), repeat=4))).view(16, 2, 2)
    second = torch.where(action[:, 0, 0] == 0, ALWAYS_7, TABLE)
    states = torch.zeros(16, 3, 3)
    states[:, 0, START] = 1.0
    states[torch.arange(16), 1, second] = 1.0
    reward = torch.zeros(16, 2)
    reward[:, 1] = torch.tensor([PAYOFF[s][a][b] for s, a, b in torch.column_stack((second, action[:, 1])).tolist()])
    return make_batch(states, action, reward)


def matrix_game(payoff: Tensor) -> Batch:
    """One step; robot 0 chooses the row and robot 1 the column of `payoff` [actions, actions]."""
    action = torch.cartesian_prod(torch.arange(len(payoff)), torch.arange(len(payoff)))
    return make_batch(torch.ones(len(action), 2, 1), action.unsqueeze(1), payoff.reshape(-1, 1))


@torch.no_grad()
def own_values(learner: QLearner, state: Tensor) -> Tensor:
    """Values of each robot's actions in `state` [states]: [agents, actions]."""
    q: Tensor = learner.agent(state.expand(1, 1, 2, -1), learner.agent.initial_hidden(1))[0]
    return q[0, 0]


@torch.no_grad()
def team_values(learner: QLearner, state: Tensor) -> Tensor:
    """Q_tot of each joint action in `state` [states]: [actions, actions]."""
    q = own_values(learner, state)
    pairs = torch.stack((q[0].unsqueeze(1).expand(-1, len(q[1])), q[1].expand(len(q[0]), -1)), -1)
    values: Tensor = learner.mixer(pairs, state.expand(*pairs.shape[:2], -1))
    return values.squeeze(-1)


def greedy(learner: QLearner, state: Tensor) -> tuple[int, int]:
    """Each robot's own best action."""
    first, second = own_values(learner, state).argmax(-1).tolist()
    return first, second


def assert_near(actual: Tensor, expected: Tensor, within: float = 0.05) -> None:
    torch.testing.assert_close(actual, expected, atol=within, rtol=0.0)


def two_step_return(learner: QLearner) -> float:
    """Play the game greedily, each robot by its own values."""
    states = torch.eye(3)
    second = ALWAYS_7 if greedy(learner, states[START])[0] == 0 else TABLE
    a, b = greedy(learner, states[second])
    return PAYOFF[second][a][b]


@pytest.mark.parametrize("seed", range(3))
def test_qmix_reaches_8_in_the_two_step_game(seed: int) -> None:
    learner = learn(partial(QMixer, 2, 3, embed_dim=8, hypernet_dim=16), two_step_game(), updates=800, seed=seed)
    assert two_step_return(learner) == 8.0
    # The table is monotonic in each robot's action, so QMIX represents it: 0 1 1 8. Before it, 0.99 * 7 and 0.99 * 8.
    assert_near(team_values(learner, torch.eye(3)[TABLE]), torch.tensor(PAYOFF[TABLE]))
    first = torch.tensor([[6.93, 6.93], [7.92, 7.92]])
    assert_near(team_values(learner, torch.eye(3)[START]), first)


@pytest.mark.parametrize("seed", range(3))
def test_vdn_stays_at_7_in_the_two_step_game(seed: int) -> None:
    learner = learn(VDNMixer, two_step_game(), updates=800, seed=seed)
    assert two_step_return(learner) == 7.0
    # The closest sum to 0 1 1 8: row means 0.5 and 4.5, the same for columns, mean 2.5; so 0.5 + 0.5 - 2.5 = -1.5,
    # 0.5 + 4.5 - 2.5 = 2.5, 4.5 + 4.5 - 2.5 = 6.5. That is below 7, so the first robot takes the safe 7.
    table = team_values(learner, torch.eye(3)[TABLE])
    assert_near(table, torch.tensor([[-1.5, 2.5], [2.5, 6.5]]))


def test_iql_stays_at_7_in_the_two_step_game() -> None:
    learner = learn(IndependentMixer, two_step_game(), updates=800, seed=0)
    assert two_step_return(learner) == 7.0
    # Each robot averages over the other's actions: 0.5 and 4.5. So robot 0 compares 0.99 * 7 with 0.99 * 4.5, and
    # robot 1, which does not choose the state, sees their mean: 0.99 * (7 + 4.5)/2 = 5.6925 whatever it does.
    assert_near(own_values(learner, torch.eye(3)[TABLE]), torch.tensor([[0.5, 4.5]] * 2))
    first = torch.tensor([[6.93, 4.455], [5.6925, 5.6925]])
    assert_near(own_values(learner, torch.eye(3)[START]), first)


def test_a_product_game_is_worth_4_to_qmix_3_to_vdn_and_2_to_iql() -> None:
    # Payoff a * b of the actions 0 1 2. All three choose (2, 2), the best; what they believe it to be worth differs:
    # QMIX represents the product, which is monotonic in both actions: 4.
    # VDN's closest sum is a + b - 1 (row and column means 0 1 2, mean 1), off by (a - 1)(b - 1): 2 + 2 - 1 = 3.
    # IQL's robots average over the other's actions: a * (0 + 1 + 2)/3 = a, so 2.
    steps = torch.arange(3.0)
    game, state = matrix_game(torch.outer(steps, steps)), torch.ones(1)
    qmix = learn(partial(QMixer, 2, 1, embed_dim=8, hypernet_dim=16), game, updates=800, seed=0)
    vdn = learn(VDNMixer, game, updates=500, seed=0)
    iql = learn(IndependentMixer, game, updates=500, seed=0)
    assert greedy(qmix, state) == greedy(vdn, state) == greedy(iql, state) == (2, 2)
    assert_near(team_values(qmix, state), torch.outer(steps, steps), within=0.3)
    assert_near(team_values(vdn, state), steps.unsqueeze(1) + steps - 1.0)
    assert_near(own_values(iql, state), steps.expand(2, 3))


@pytest.mark.parametrize(
    "make_mixer", [partial(QMixer, 2, 1, embed_dim=8, hypernet_dim=16), VDNMixer, IndependentMixer]
)
def test_no_mixer_finds_the_optimum_of_a_game_that_is_not_monotonic(make_mixer: Callable[[], nn.Module]) -> None:
    # Action 0 pays 8 if both take it and costs 12 if one does, so whether it is good for a robot depends on the other:
    # no monotonic mixing can say so. On average it is worth (8 - 12 - 12)/3 = -5.3, the others (-12 + 0 + 0)/3 = -4.
    payoff = torch.tensor([[8.0, -12.0, -12.0], [-12.0, 0.0, 0.0], [-12.0, 0.0, 0.0]])
    learner = learn(make_mixer, matrix_game(payoff), updates=500, seed=0)
    assert payoff[greedy(learner, torch.ones(1))] == 0.0


def test_the_trained_team_value_is_monotonic_and_its_argmax_is_the_robots_own() -> None:
    learner = learn(partial(QMixer, 2, 3, embed_dim=8, hypernet_dim=16), two_step_game(), updates=200, seed=1)
    for state in torch.eye(3):
        agent_qs = own_values(learner, state).mT.clone().requires_grad_()
        (slope,) = torch.autograd.grad(learner.mixer(agent_qs, state.expand(2, -1)).sum(), agent_qs)
        assert (slope >= 0).all()
        values = team_values(learner, state)
        assert values[greedy(learner, state)] == values.max()
