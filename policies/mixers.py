"""How the values of the single robots become the value of the team: all that IQL, VDN and QMIX differ by.

A mixer is called with (agent_qs [..., n_agents], state [..., state_dim]). Each keeps one promise: the team's value
never falls when a robot's value rises, so each robot's own best action is its part of the best joint action. That is
what lets every robot decide alone. The mixer is used in training only and never leaves for a robot.
"""

from collections.abc import Callable

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


class VDNMixer(nn.Module):
    """VDN: the team's value is the plain sum (Sunehag et al. 2018); the state is not used."""

    def forward(self, agent_qs: Tensor, state: Tensor) -> Tensor:
        """Sum agent_qs [..., n_agents] into [..., 1]."""
        return agent_qs.sum(-1, keepdim=True)


class IndependentMixer(nn.Module):
    """IQL: every robot learns its own value of the team's reward (Tan 1993); the state is not used."""

    def forward(self, agent_qs: Tensor, state: Tensor) -> Tensor:
        """Return agent_qs [..., n_agents] as they are."""
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
