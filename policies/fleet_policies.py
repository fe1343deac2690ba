"""What chooses the maneuvers of a fleet: a trained network, and what a user would run in its place."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from policies.agent import AgentNetwork
from policies.planners.names import ALWAYS_GO
from sim.errors import InputError
from sim.observation import MANEUVERS
from sim.scene import RightOfWayMode


class FleetPolicy(Protocol):
    """Chooses the maneuvers of a fleet; each robot's from its own row of the observations alone."""

    name: str

    def reset(self, robots: int) -> None:
        """Forget the past, before an episode with that many robots."""

    def act(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return maneuvers [robots] from observations [robots, features]."""


class GreedyPolicy:
    """A trained network's best maneuvers, computed with torch."""

    def __init__(self, agent: AgentNetwork, name: str) -> None:
        self.name = name
        self._agent = agent.eval()
        self._hidden = agent.initial_hidden(1)
        self._q_values: NDArray[np.float32] = np.zeros((0, agent.n_actions), np.float32)

    def reset(self, robots: int) -> None:
        """Give each robot a fresh hidden state.

        Raises:
            InputError: the robots learned parameters of their own, and there are more or fewer of them.
        """
        if len(self._agent.networks) > 1 and robots != self._agent.n_agents:
            raise InputError(
                f"robots is {robots}, but each of the {self._agent.n_agents} robots learned parameters of its own; "
                f"valid is {self._agent.n_agents}"
            )
        self._hidden = self._agent.initial_hidden(1, robots)

    @torch.no_grad()
    def act(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the maneuvers with the largest Q values [robots]."""
        q, self._hidden = self._agent(torch.from_numpy(observations)[None, None], self._hidden)
        self._q_values = q[0, 0].numpy()
        maneuvers: NDArray[np.int64] = q[0, 0].argmax(-1).numpy()
        return maneuvers

    def replace(self, agent: AgentNetwork) -> None:
        """Go on with another network, from the next `reset` on."""
        self._agent = agent.eval()

    def last_q_values(self) -> NDArray[np.float32]:
        """Return the values behind the last decision [robots, actions]."""
        return self._q_values


class AlwaysGo:
    """Every robot follows its own shortest path and leaves the rest to right of way and governor.

    Args:
        rules: the scene's rules of right of way, which its name tells.
    """

    def __init__(self, rules: RightOfWayMode = "none") -> None:
        self.name: str = ALWAYS_GO[rules]

    def reset(self, robots: int) -> None:
        """Remember nothing between decisions."""

    def act(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return `go` for each robot [robots]."""
        return np.full(len(observations), MANEUVERS.index("go"), np.int64)
