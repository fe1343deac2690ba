"""The network that a robot carries: from its own observations to the value of each of its actions.

Training runs whole sequences of the whole fleet through one call; a robot runs the same network one step at a time.
Both are the same `forward`, so what is exported is what was trained, input scaling included.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from policies.config import AgentConfig
from policies.neighbours import NeighbourEncoder, NeighbourRows


class QNetwork(nn.Module):
    """One set of parameters: scaled observations in, action values out.

    Args:
        features: length of an observation.
        n_actions: actions of one robot.
        config: kind and width.
        rows: where an observation holds the neighbours, for the encoder `attention`.
    """

    def __init__(self, features: int, n_actions: int, config: AgentConfig, rows: NeighbourRows | None = None) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if config.encoder == "attention":
            if rows is None:
                raise ValueError("the encoder is attention, but no neighbours are told; valid is flat, or their rows")
            neighbours = NeighbourEncoder(features, rows, config.hidden // 2)
            layers.append(neighbours)
            features = neighbours.outputs
        widths = [features, config.hidden] + [config.hidden] * (config.kind == "mlp")
        for inputs in widths[:-1]:
            layers += [
                _linear(inputs, config.hidden, gain=math.sqrt(2.0)),
                nn.LayerNorm(config.hidden),
                nn.ReLU(inplace=True),
            ]
        self.encoder = nn.Sequential(*layers)
        self.gru = _gru(config.hidden) if config.kind == "gru" else None
        # Values that start close together let the first data decide which action is best.
        self.head = _linear(config.hidden, n_actions, gain=0.01)

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Compute q [batch, time, agents, actions] and the next hidden state; arguments as `AgentNetwork.forward`."""
        x = self.encoder(x)
        if self.gru is not None:
            rows, start = x.transpose(0, 1).flatten(1, 2), hidden.flatten(0, 1).unsqueeze(0)
            outputs, last = self.gru(rows, start)
            x, hidden = outputs.view(-1, *hidden.shape).transpose(0, 1), last.view(hidden.shape)
        return self.head(x), hidden


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")  # draws no random numbers of its own
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def _gru(hidden: int) -> nn.GRU:
    layer = nn.GRU(hidden, hidden, device="meta").to_empty(device="cpu")
    bound = 1.0 / math.sqrt(hidden)
    for name, parameter in layer.named_parameters():
        if name.startswith("bias"):
            nn.init.zeros_(parameter)
        else:
            nn.init.uniform_(parameter, -bound, bound)
    return layer


class AgentNetwork(nn.Module):
    """Action values of every robot, each from its own observations alone.

    Args:
        n_agents: robots of the fleet. With shared parameters the network serves any other number too.
        observation_scale: [features], above 0; observations are divided by it, so that raw SI units go in. Where
            statistics take its place, they also set `observation_mean`, which is subtracted first and 0 until then.
        n_actions: actions of one robot.
        config: kind, width, and whether the robots share parameters.
        rows: where an observation holds the neighbours, for the encoder `attention`.

    Raises:
        ValueError: when a size is below 1, a scale is not a finite number above 0, or rows are missing or don't fit.
    """

    observation_mean: Tensor
    observation_scale: Tensor

    def __init__(
        self,
        n_agents: int,
        observation_scale: Tensor,
        n_actions: int,
        config: AgentConfig,
        rows: NeighbourRows | None = None,
    ) -> None:
        super().__init__()
        if n_agents < 1 or n_actions < 1:
            raise ValueError(f"n_agents is {n_agents} and n_actions is {n_actions}; valid is 1 or more")
        require_scale("observation_scale", observation_scale)
        self.n_agents, self.n_actions, self.config, self.rows = n_agents, n_actions, config, rows
        self.hidden_size = config.hidden if config.kind == "gru" else 0
        self.register_buffer("observation_mean", torch.zeros(len(observation_scale)))
        self.register_buffer("observation_scale", observation_scale.detach().clone().float())
        sets = 1 if config.shared else n_agents
        self.networks = nn.ModuleList(QNetwork(len(observation_scale), n_actions, config, rows) for _ in range(sets))

    def forward(self, observation: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the action values along a sequence, in one call.

        Args:
            observation: [batch, time, agents, features], float32, in the units of `observation_scale`.
            hidden: [batch, agents, hidden_size], the hidden state before the first step.

        Returns:
            q [batch, time, agents, actions] and the hidden state after the last step [batch, agents, hidden_size].

        Raises:
            ValueError: when each robot has its own parameters and the number of robots differs from n_agents.
        """
        x = (observation - self.observation_mean) / self.observation_scale
        if len(self.networks) == 1:
            q, hidden = self.networks[0](x, hidden)
            return q, hidden
        agents = observation.shape[2]
        if agents != self.n_agents:
            raise ValueError(f"observation holds {agents} robots; this network has {self.n_agents}")
        rows = zip(self.networks, x.split(1, 2), hidden.split(1, 1), strict=True)
        qs, hiddens = zip(*(network(own, own_hidden) for network, own, own_hidden in rows), strict=True)
        return torch.cat(qs, 2), torch.cat(hiddens, 1)

    def initial_hidden(self, batch: int, agents: int | None = None) -> Tensor:
        """Return the hidden state at the start of an episode, [batch, agents or n_agents, hidden_size], all zero."""
        return self.observation_scale.new_zeros(batch, agents or self.n_agents, self.hidden_size)

    def single(self, agent: int) -> "AgentNetwork":
        """Return a copy for one robot, with that robot's own parameters; raises ValueError for a robot out of range."""
        if not 0 <= agent < self.n_agents:
            raise ValueError(f"agent is {agent}; valid is 0 to {self.n_agents - 1}")
        own = self.networks[agent if len(self.networks) > 1 else 0]
        network = AgentNetwork(1, self.observation_scale, self.n_actions, replace(self.config, shared=True), self.rows)
        network.observation_mean.copy_(self.observation_mean)
        network.networks[0].load_state_dict(own.state_dict())
        return network.train(self.training)


def require_scale(name: str, scale: Tensor) -> None:
    """Raise ValueError unless `scale` is a vector [features] of finite numbers above 0."""
    if scale.dim() != 1 or not len(scale) or not bool((torch.isfinite(scale) & (scale > 0)).all()):
        raise ValueError(f"{name} is {scale.tolist()}; valid is a vector of finite numbers above 0")
