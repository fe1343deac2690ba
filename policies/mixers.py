"""How the values of the single robots become the value of the team: all that IQL, VDN and QMIX differ by.

A mixer is called with (agent_qs [..., n_agents], state [..., state_dim]). Each keeps one promise: the team's value
never falls when a robot's value rises, so each robot's own best action is its part of the best joint action. That is
what lets every robot decide alone. The mixer is used in training only and never leaves for a robot.

Where fleets differ in size, they are padded to the largest. The mixers of `FLEET_MIXERS` then also take `present`
[..., n_agents], which tells the robots from the padding; what stands there, values and state, has no influence.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from policies.config import Algo


class QMixer(nn.Module):
    """QMIX: a mixing network whose non-negative weights depend on the global state.

    Rashid et al., "QMIX: Monotonic Value Function Factorisation for Deep Multi-Agent Reinforcement Learning", 2018.
    Two things differ from the paper, each for a failure that was measured (docs/training.md):

    - The hidden layers of the networks that produce weights and biases are normalized (layer norm). Without it Q_tot
      grows in proportion to the state, so that a state farther out than any that was learned from can be worth more
      than every reward of the environment. Targets beyond a time limit rest on just such states.
    - Both biases start at zero, and Q_tot so near zero: values of a random start have to be unlearned from target to
      target, which takes longer than the first rewards of a sparse environment are remembered.

    Args:
        n_agents: robots whose values are mixed.
        state_dim: length of the global state.
        embed_dim: hidden units of the mixing network.
        hypernet_dim: hidden units of the networks that produce its weights.

    Raises:
        ValueError: when a size is below 1.
    """

    def __init__(self, n_agents: int, state_dim: int, embed_dim: int = 32, hypernet_dim: int = 64) -> None:
        super().__init__()
        if min(n_agents, state_dim, embed_dim, hypernet_dim) < 1:
            raise ValueError(
                f"QMixer's n_agents, state_dim, embed_dim, hypernet_dim are "
                f"{n_agents}, {state_dim}, {embed_dim}, {hypernet_dim}; valid is 1 or more each"
            )
        self.n_agents, self.embed_dim = n_agents, embed_dim
        self.weight_1 = _hypernetwork(state_dim, hypernet_dim, n_agents * embed_dim)
        self.bias_1 = _hypernetwork(state_dim, hypernet_dim, embed_dim, zero=True)
        self.weight_2 = _hypernetwork(state_dim, hypernet_dim, embed_dim)
        self.bias_2 = _hypernetwork(state_dim, hypernet_dim, 1, zero=True)

    def forward(self, agent_qs: Tensor, state: Tensor) -> Tensor:
        """Mix agent_qs [..., n_agents] under state [..., state_dim] into the team's value [..., 1]."""
        # Q_tot = |w2(s)|^T ELU(|W1(s)|^T q + b1(s)) + b2(s), so dQ_tot/dq_i >= 0 (equations 4 to 6).
        weight_1 = self.weight_1(state).abs().unflatten(-1, (self.n_agents, self.embed_dim))
        # A product and a sum: a batched matrix product of matrices this small is slower on a CPU.
        hidden = functional.elu((agent_qs.unsqueeze(-1) * weight_1).sum(-2) + self.bias_1(state))
        mixed: Tensor = (hidden * self.weight_2(state).abs()).sum(-1, keepdim=True) + self.bias_2(state)
        return mixed


class FleetQMixer(nn.Module):
    """QMIX for any number of robots: no weight belongs to a robot's place, so the order of the robots doesn't matter.

    Each robot's weights come from its own part of the state and a summary of the fleet: the mean and the maximum of
    what a network makes of each robot's part (Zaheer et al., "Deep Sets", 2017), and what the state says of the whole.
    The robots' weighted values are averaged, not summed, so that the value of a team whose reward is its robots' mean
    does not grow with their number. Else as `QMixer`, its normalized hidden layers and its start at zero too.

    Args:
        robot_features: length of each robot's part of the state; the robots' parts stand first in it.
        common_features: length of the rest, which belongs to no robot.
        embed_dim: hidden units of the mixing network.
        hypernet_dim: hidden units of the networks that produce its weights.

    Raises:
        ValueError: when a size is below 1, or below 0 for common_features.
    """

    def __init__(self, robot_features: int, common_features: int, embed_dim: int = 32, hypernet_dim: int = 64) -> None:
        super().__init__()
        if min(robot_features, common_features + 1, embed_dim, hypernet_dim) < 1:
            raise ValueError(
                f"FleetQMixer's robot_features, common_features, embed_dim, hypernet_dim are {robot_features}, "
                f"{common_features}, {embed_dim}, {hypernet_dim}; valid is 1 or more each, 0 or more common_features"
            )
        self.robot_features, self.common_features = robot_features, common_features
        self.robot = nn.Sequential(nn.Linear(robot_features, hypernet_dim), nn.LayerNorm(hypernet_dim), nn.ReLU())
        summary = 2 * hypernet_dim + common_features
        self.weight_1 = _hypernetwork(hypernet_dim + summary, hypernet_dim, embed_dim)
        self.bias_1 = _hypernetwork(summary, hypernet_dim, embed_dim, zero=True)
        self.weight_2 = _hypernetwork(summary, hypernet_dim, embed_dim)
        self.bias_2 = _hypernetwork(summary, hypernet_dim, 1, zero=True)

    def forward(self, agent_qs: Tensor, state: Tensor, present: Tensor | None = None) -> Tensor:
        """Mix the values of a fleet.

        Args:
            agent_qs: [..., n_agents], for any number of robots.
            state: [..., n_agents * robot_features + common_features].
            present: [..., n_agents] bool, at least one True in each row; None for all.

        Returns:
            The team's value [..., 1].
        """
        n_agents = agent_qs.shape[-1]
        robots, common = state.split((n_agents * self.robot_features, self.common_features), -1)
        robots = robots.unflatten(-1, (n_agents, self.robot_features))
        if present is None:
            present = torch.ones_like(agent_qs, dtype=torch.bool)
        here = present.expand_as(agent_qs).unsqueeze(-1)
        count = here.sum(-2)
        # e_i = f(s_i), and c = [mean_i e_i, max_i e_i, the rest of s], over the robots that are there.
        e = self.robot(torch.where(here, robots, 0.0))
        mean, largest = torch.where(here, e, 0.0).sum(-2) / count, torch.where(here, e, -torch.inf).amax(-2)
        c = torch.cat((mean, largest, common), -1)
        # Q_tot = |w2(c)|^T ELU(1/n sum_i |w1(e_i, c)| q_i + b1(c)) + b2(c), so dQ_tot/dq_i >= 0.
        each = torch.cat((e, c.unsqueeze(-2).expand(*e.shape[:-1], -1)), -1)
        weighted = torch.where(here, agent_qs.unsqueeze(-1), 0.0) * self.weight_1(each).abs()
        hidden = functional.elu(weighted.sum(-2) / count + self.bias_1(c))
        mixed: Tensor = (hidden * self.weight_2(c).abs()).sum(-1, keepdim=True) + self.bias_2(c)
        return mixed


class VDNMixer(nn.Module):
    """VDN: the team's value is the plain sum (Sunehag et al. 2018); the state is not used.

    Args:
        mean: divide the sum by the number of robots, for fleets that differ in it and are paid their robots' mean.
    """

    def __init__(self, mean: bool = False) -> None:
        super().__init__()
        self.mean = mean

    def forward(self, agent_qs: Tensor, state: Tensor, present: Tensor | None = None) -> Tensor:
        """Sum agent_qs [..., n_agents] into [..., 1]."""
        here = agent_qs if present is None else torch.where(present, agent_qs, 0.0)
        total = here.sum(-1, keepdim=True)
        if not self.mean:
            return total
        return total / (agent_qs.shape[-1] if present is None else present.sum(-1, keepdim=True))


class IndependentMixer(nn.Module):
    """IQL: every robot learns its own value of the team's reward (Tan 1993); the state is not used."""

    def forward(self, agent_qs: Tensor, state: Tensor, present: Tensor | None = None) -> Tensor:
        """Return agent_qs [..., n_agents] as they are; absent robots' values are for the learner to leave out."""
        return agent_qs


def _hypernetwork(inputs: int, hidden: int, outputs: int, zero: bool = False) -> nn.Sequential:
    """Build a network from the state to one of the mixer's weights or biases, which starts at 0 where `zero`."""
    last = nn.Linear(hidden, outputs)
    if zero:
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.LayerNorm(hidden), nn.ReLU(), last)


MIXERS: dict[Algo, Callable[[int, int], nn.Module]] = {
    "qmix": QMixer,
    "vdn": lambda n_agents, state_dim: VDNMixer(),
    "iql": lambda n_agents, state_dim: IndependentMixer(),
}
"""How to build the mixer of each algorithm from n_agents and state_dim. A new one gets a line here, and its name in
`Algo`, which stands in a file without torch so that the command line can show it at once."""
FLEET_MIXERS: dict[Algo, Callable[[int, int], nn.Module]] = {
    "qmix": FleetQMixer,
    "vdn": lambda robot_features, common_features: VDNMixer(mean=True),
    "iql": lambda robot_features, common_features: IndependentMixer(),
}
"""The same for fleets of any size, from robot_features and common_features."""
