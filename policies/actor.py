"""Acting with an agent network in many environments at once, one network call for all their agents."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from policies.agent import AgentNetwork
from policies.env_batch import EnvBatch
from policies.episode import Episode


class Actor:
    """The agent network with a hidden state for every agent of a batch of environments."""

    def __init__(self, agent: AgentNetwork, count: int) -> None:
        self._agent = agent
        self.hidden = agent.initial_hidden(count)

    def forget(self, index: int) -> None:
        """Give one environment a fresh hidden state."""
        self.hidden[index] = 0.0

    @torch.no_grad()
    def values(self, envs: EnvBatch) -> NDArray[np.float32]:
        """Return action values [count, agents, actions], -inf where an action is not allowed."""
        q, self.hidden = self._agent(torch.from_numpy(envs.observation)[:, None], self.hidden)
        return np.where(envs.action_mask, q[:, 0].numpy(), np.float32(-np.inf))

    def best(self, envs: EnvBatch) -> NDArray[np.int64]:
        """Return the greedy actions [count, agents]."""
        actions: NDArray[np.int64] = self.values(envs).argmax(-1)
        return actions


def random_actions(random: np.random.Generator, envs: EnvBatch) -> NDArray[np.int64]:
    """Draw actions [count, agents], uniform over the allowed ones of each agent."""
    return largest_allowed(random.random(envs.action_mask.shape, np.float32), envs.action_mask)


def largest_allowed(numbers: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return which allowed action has the largest number, from 0 up, [..., actions] each."""
    actions: NDArray[np.int64] = np.where(mask, numbers, np.float32(-1.0)).argmax(-1)
    return actions


def play_episodes(
    envs: EnvBatch, seeds: Sequence[int], choose: Callable[[EnvBatch], NDArray[np.int64]]
) -> list[Episode]:
    """Play one episode in each of the first `len(seeds)` environments, side by side.

    Args:
        envs: at least as many environments as seeds.
        seeds: one an episode.
        choose: actions [count, agents] from what the environments show.
    """
    for i, seed in enumerate(seeds):
        envs.reset(i, seed)
    playing = list(range(len(seeds)))
    while playing:
        envs.step(choose(envs), playing)
        playing = [i for i in playing if not envs.done[i]]
    return [envs.episode(i) for i in range(len(seeds))]
