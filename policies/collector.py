"""Episodes in many environments, one network call for all their agents, no copies beyond what is kept."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from policies.agent import AgentNetwork
from policies.batch import Arrays
from policies.config import AgentConfig
from policies.env_batch import EnvBatch
from policies.environments import EnvSource
from policies.episode import Episode

TRAINING_SEEDS = (1_000_000_000, 2**31)
"""Training episodes draw their seeds from here, apart from those of validation and evaluation."""
VALIDATION_SEED = 10_000_000
"""Seed of the first validation episode; the others follow."""


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
    drawn = random.random(envs.action_mask.shape, np.float32)
    actions: NDArray[np.int64] = np.where(envs.action_mask, drawn, -1.0).argmax(-1)
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


class Collector:
    """Collects sequences of experience, iteration by iteration, and validates the greedy policy.

    One iteration is `sequence` steps of every environment with one set of parameters. A sequence never crosses an
    episode: it ends with the iteration or the episode, and padded to full length.

    Args:
        source: the environment.
        agent: settings of the agent network.
        envs: environments of an iteration.
        sequence: steps of an iteration.
        seed: fixes exploration and episodes.
    """

    def __init__(self, source: EnvSource, agent: AgentConfig, envs: int, sequence: int, seed: int) -> None:
        self._source = source
        self._sequence = sequence
        self._envs = EnvBatch(source, envs)
        self._validation_envs: EnvBatch | None = None
        self.team = self._envs.team
        scale = torch.from_numpy(self.team.observation_scale)
        self.agent = AgentNetwork(len(self.team.agents), scale, self.team.n_actions, agent, source.neighbours)
        self._actor = Actor(self.agent, envs)
        self.random = np.random.default_rng(seed)
        self._started = False

    @property
    def note(self) -> str:
        """What a person should know about the environment by now, or nothing."""
        return self._envs.note

    def _reset(self, index: int) -> None:
        self._envs.reset(index, int(self.random.integers(*TRAINING_SEEDS)))
        self._actor.forget(index)

    def collect(self, epsilon: float) -> tuple[Arrays, list[Episode]]:
        """Collect one iteration.

        Args:
            epsilon: share of random actions, 0 to 1.

        Returns:
            The sequences (fields and shapes as in `Batch`) and the episodes that ended.
        """
        envs, count, steps = self._envs, len(self._envs), self._sequence
        if not self._started:
            self._started = True
            for i in range(count):
                self._reset(i)
        out = self.team.sequence_size(steps, self.agent.hidden_size).zeros(count * steps)
        row, at = np.arange(count), np.zeros(count, np.int64)
        used = count
        episodes = []
        self._open_sequences(out, row)
        for step in range(steps):
            actions = self._choose(epsilon)
            envs.step(actions, range(count))
            out["action"][row, at] = actions
            out["reward"][row, at] = envs.reward
            out["terminated"][row, at] = envs.terminated
            out["valid"][row, at] = True
            at += 1
            self._write_shown(out, row, at)
            ended = np.flatnonzero(envs.done)
            for i in ended.tolist():
                episodes.append(envs.episode(i))
                self._reset(i)
            if len(ended) and step < steps - 1:
                row[ended], at[ended] = np.arange(used, used + len(ended)), 0
                used += len(ended)
                self._open_sequences(out, row[ended], ended)
        return {name: array[:used] for name, array in out.items()}, episodes

    def _write_shown(
        self, out: Arrays, row: NDArray[np.int64], at: NDArray[np.int64] | int, which: Any = slice(None)
    ) -> None:
        """Write what the environments `which` show now into their rows, at step `at`."""
        for name in ("observation", "state", "action_mask"):
            out[name][row, at] = getattr(self._envs, name)[which]

    def _open_sequences(self, out: Arrays, row: NDArray[np.int64], which: Any = slice(None)) -> None:
        """Open a sequence of the environments `which` in each of the rows."""
        self._write_shown(out, row, 0, which)
        out["hidden"][row] = self._actor.hidden.numpy()[which]
        out["present"][row] = self._envs.present[which]

    def _choose(self, epsilon: float) -> NDArray[np.int64]:
        """Draw epsilon-greedy actions [envs, agents], each agent on its own, allowed ones only."""
        values = self._actor.values(self._envs)
        explore = self.random.random(values.shape[:2]) < epsilon
        actions: NDArray[np.int64] = np.where(explore, random_actions(self.random, self._envs), values.argmax(-1))
        return actions

    def validate(self, episodes: int) -> list[Episode]:
        """Play greedy episodes on the validation seeds, in environments of their own: training is not disturbed."""
        if self._validation_envs is None:
            # A warehouse takes some 30 MB, so there are fewer of these; a second round costs little.
            self._validation_envs = EnvBatch(self._source, min(episodes, max(1, len(self._envs) // 2)))
        envs = self._validation_envs
        seeds = range(VALIDATION_SEED, VALIDATION_SEED + episodes)
        chunks = [seeds[i : i + len(envs)] for i in range(0, episodes, len(envs))]
        return [
            episode for chunk in chunks for episode in play_episodes(envs, chunk, Actor(self.agent, len(envs)).best)
        ]

    def close(self) -> None:
        """End the environments."""
        self._envs.close()
        if self._validation_envs is not None:
            self._validation_envs.close()
