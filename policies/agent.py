"""The network that a robot carries: from its own observations to the value of each of its actions.

Training runs whole sequences of the whole fleet through one call; a robot runs the same network one step at a time.
Both are the same `forward`, so what is exported is what was trained, input scaling included.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from policies.config import AgentConfig as AgentConfig
from policies.config import AgentKind as AgentKind


class AgentLinear(nn.Module):
    """A linear layer with `sets` sets of parameters: one for everybody, or one for each robot."""

    def __init__(self, sets: int, inputs: int, outputs: int, gain: float = math.sqrt(2.0)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(sets, outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(sets, outputs))
        for matrix in self.weight.data:
            nn.init.orthogonal_(matrix, gain)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., inputs] to [..., outputs] with one set, [agents, time, batch, inputs] likewise with several."""
        if len(self.weight) == 1:
            return functional.linear(x, self.weight[0], self.bias[0])
        rows = torch.baddbmm(self.bias.unsqueeze(1), x.flatten(1, 2), self.weight.transpose(1, 2))
        return rows.view(*x.shape[:-1], -1)


class AgentLayerNorm(nn.Module):
    """Layer normalization with `sets` sets of gains and offsets."""

    def __init__(self, sets: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(sets, features))
        self.bias = nn.Parameter(torch.zeros(sets, features))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize the last axis; shapes as in `AgentLinear`."""
        features = self.weight.shape[1:]
        if len(self.weight) == 1:
            return functional.layer_norm(x, features, self.weight[0], self.bias[0])
        return torch.addcmul(self.bias[:, None, None], functional.layer_norm(x, features), self.weight[:, None, None])


class AgentGRU(nn.Module):
    """A gated recurrent unit with `sets` sets of parameters, in PyTorch's gate order: reset, update, new."""

    def __init__(self, sets: int, hidden: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(hidden)
        self.input_weight = nn.Parameter(torch.empty(sets, 3 * hidden, hidden).uniform_(-bound, bound))
        self.hidden_weight = nn.Parameter(torch.empty(sets, 3 * hidden, hidden).uniform_(-bound, bound))
        self.input_bias = nn.Parameter(torch.zeros(sets, 3 * hidden))
        self.hidden_bias = nn.Parameter(torch.zeros(sets, 3 * hidden))

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Run a sequence from the memory `hidden` [batch, agents, hidden]; return the outputs and the memory after it.

        With one set x and the outputs are [batch, time, agents, hidden], with several [agents, time, batch, hidden].
        """
        if len(self.input_weight) > 1:
            return self._run_own_parameters(x, hidden)
        parameters = [p[0] for p in (self.input_weight, self.hidden_weight, self.input_bias, self.hidden_bias)]
        rows, start = x.transpose(0, 1).flatten(1, 2), hidden.flatten(0, 1).unsqueeze(0)
        outputs, last = torch.gru(rows, start, parameters, True, 1, 0.0, self.training, False, False)
        return outputs.view(-1, *hidden.shape).transpose(0, 1), last.view(hidden.shape)

    def _run_own_parameters(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Loop over time, all robots at once; the input's share of the gates is computed for the whole sequence."""
        gates = torch.baddbmm(self.input_bias.unsqueeze(1), x.flatten(1, 2), self.input_weight.transpose(1, 2))
        hidden_weight, hidden_bias = self.hidden_weight.transpose(1, 2), self.hidden_bias.unsqueeze(1)
        memory, outputs = hidden.transpose(0, 1), []
        for step in gates.view(*x.shape[:-1], -1).unbind(1):
            recurrent = torch.baddbmm(hidden_bias, memory, hidden_weight)
            reset_in, update_in, new_in = step.chunk(3, -1)
            reset_mem, update_mem, new_mem = recurrent.chunk(3, -1)
            new = torch.tanh(new_in + torch.sigmoid(reset_in + reset_mem) * new_mem)
            memory = torch.lerp(new, memory, torch.sigmoid(update_in + update_mem))
            outputs.append(memory)
        return torch.stack(outputs, 1), memory.transpose(0, 1)


class AgentNetwork(nn.Module):
    """Action values of every robot, each from its own observations alone.

    Args:
        n_agents: robots of the fleet. With shared parameters the network serves any other number too.
        observation_scale: [features], above 0; observations are divided by it, so that raw SI units go in.
        n_actions: actions of one robot.
        config: kind, width, and whether the robots share parameters.

    Raises:
        ValueError: when a size is below 1 or a scale is not a finite number above 0.
    """

    observation_scale: Tensor

    def __init__(self, n_agents: int, observation_scale: Tensor, n_actions: int, config: AgentConfig) -> None:
        super().__init__()
        if n_agents < 1 or n_actions < 1:
            raise ValueError(f"n_agents is {n_agents} and n_actions is {n_actions}; valid is 1 or more")
        require_scale("observation_scale", observation_scale)
        self.n_agents, self.n_actions, self.config = n_agents, n_actions, config
        self.hidden_size = config.hidden if config.kind == "gru" else 0
        self.sets = 1 if config.shared else n_agents
        self.register_buffer("observation_scale", observation_scale.detach().clone().float())
        widths = [len(observation_scale), config.hidden] + [config.hidden] * (config.kind == "mlp")
        layers: list[nn.Module] = []
        for inputs in widths[:-1]:
            layers += [
                AgentLinear(self.sets, inputs, config.hidden),
                AgentLayerNorm(self.sets, config.hidden),
                nn.ReLU(inplace=True),
            ]
        self.encoder = nn.Sequential(*layers)
        self.memory = AgentGRU(self.sets, config.hidden) if config.kind == "gru" else None
        # Values that start close together let the first data decide which action is best.
        self.head = AgentLinear(self.sets, config.hidden, n_actions, gain=0.01)

    def forward(self, observation: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the action values along a sequence, in one call.

        Args:
            observation: [batch, time, agents, features], float32, in the units that `observation_scale` divides.
            hidden: [batch, agents, hidden_size], the memory before the first step.

        Returns:
            q [batch, time, agents, actions] and the memory after the last step [batch, agents, hidden_size].

        Raises:
            ValueError: when each robot has its own parameters and the number of robots differs from n_agents.
        """
        if self.sets > 1 and observation.shape[2] != self.n_agents:
            raise ValueError(f"observation holds {observation.shape[2]} robots; this network has {self.n_agents}")
        x = observation / self.observation_scale
        x = self.encoder(x if self.sets == 1 else x.permute(2, 1, 0, 3))
        if self.memory is not None:
            x, hidden = self.memory(x, hidden)
        q = self.head(x)
        return q if self.sets == 1 else q.permute(2, 1, 0, 3), hidden

    def initial_hidden(self, batch: int, agents: int | None = None) -> Tensor:
        """Return the memory at the start of an episode, [batch, agents or n_agents, hidden_size], all zero."""
        return self.observation_scale.new_zeros(batch, agents or self.n_agents, self.hidden_size)

    def single(self, agent: int) -> "AgentNetwork":
        """Return a copy for one robot, with that robot's own parameters; raises ValueError for a robot out of range."""
        if not 0 <= agent < self.n_agents:
            raise ValueError(f"agent is {agent}; valid is 0 to {self.n_agents - 1}")
        own = 0 if self.sets == 1 else agent
        network = AgentNetwork(1, self.observation_scale, self.n_actions, replace(self.config, shared=True))
        with torch.no_grad():
            for copy, source in zip(network.parameters(), self.parameters(), strict=True):
                copy.copy_(source[own : own + 1])
        return network.train(self.training)


def require_scale(name: str, scale: Tensor) -> None:
    """Raise ValueError unless `scale` is a vector [features] of finite numbers above 0."""
    if scale.dim() != 1 or not len(scale) or not bool((torch.isfinite(scale) & (scale > 0)).all()):
        raise ValueError(f"{name} is {scale.tolist()}; valid is a vector of finite numbers above 0")
