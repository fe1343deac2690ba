"""Episodes in many environments, one network call for all their agents, no copies beyond what is kept."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from policies.actor import Actor, largest_allowed, play_episodes
from policies.agent import AgentNetwork
from policies.batch import Arrays
from policies.config import AgentConfig
from policies.env_batch import EnvBatch
from policies.environments import EnvSource
from policies.episode import Episode
from policies.rollout.state import CollectorState

TRAINING_SEEDS = (1_000_000_000, 2**31)
"""Training episodes draw their seeds from here, apart from those of validation and evaluation."""
VALIDATION_SEED = 10_000_000
"""Seed of the first validation episode; the others follow."""


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
        first: number of the first of these environments among those of all collectors: each environment has random
            numbers of its own, which do not depend on how many collectors share the environments.
    """

    def __init__(
        self, source: EnvSource, agent: AgentConfig, envs: int, sequence: int, seed: int, first: int = 0
    ) -> None:
        self._source = source
        self._sequence = sequence
        self._envs = EnvBatch(source, envs)
        self._validation_envs: EnvBatch | None = None
        self.team = self._envs.team
        scale = torch.from_numpy(self.team.observation_scale)
        self.agent = AgentNetwork(len(self.team.agents), scale, self.team.n_actions, agent, source.neighbours)
        self._actor = Actor(self.agent, envs)
        self._random = [np.random.default_rng([seed, first + i]) for i in range(envs)]
        self._seeds = np.zeros(envs, np.int64)
        self._lengths = np.zeros(envs, np.int64)
        self._actions = np.zeros((envs, sequence, len(self.team.agents)), np.int32)
        self._started = False
        self._note = ""
        self.alive: Callable[[], object] = lambda: None
        """Called before each step and reset."""

    @property
    def note(self) -> str:
        """What a person should know about the environment by now, or nothing."""
        return self._note or self._envs.note

    def _reset(self, index: int) -> None:
        self.alive()
        self._seeds[index], self._lengths[index] = self._random[index].integers(*TRAINING_SEEDS), 0
        self._envs.reset(index, int(self._seeds[index]))
        self._actor.forget(index)

    def _step(self, actions: NDArray[np.int64]) -> None:
        """Step all environments, and remember the actions of their episodes."""
        self.alive()
        if self._lengths.max() == self._actions.shape[1]:
            self._actions = np.pad(self._actions, ((0, 0), (0, max(1, self._actions.shape[1])), (0, 0)))
        self._actions[np.arange(len(self._envs)), self._lengths] = actions
        self._lengths += 1
        self._envs.step(actions, range(len(self._envs)))

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
        shape = (steps, len(self.team.agents), 1 + self.team.n_actions)
        drawn = np.stack([random.random(shape, np.float32) for random in self._random], 1)
        for step in range(steps):
            actions = self._choose(epsilon, drawn[step])
            self._step(actions)
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

    def _choose(self, epsilon: float, drawn: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return epsilon-greedy actions [envs, agents], each agent on its own, allowed ones only.

        Args:
            epsilon: share of random actions, 0 to 1.
            drawn: random numbers [envs, agents, 1 + actions], 0 to 1: whether to explore, and then where.
        """
        greedy = self._actor.best(self._envs)
        explored = largest_allowed(drawn[..., 1:], self._envs.action_mask)
        return np.where(drawn[..., 0] < epsilon, explored, greedy)

    def state(self) -> CollectorState:
        """Return where the environments stand, between two iterations."""
        arrays: Arrays = {
            "seed": self._seeds.copy(),
            "length": self._lengths.copy(),
            "actions": self._actions[:, : self._lengths.max()].copy(),
            "observation": self._envs.observation.copy(),
            "hidden": self._actor.hidden.numpy().copy(),
        }
        return CollectorState([dict(random.bit_generator.state) for random in self._random], arrays)

    def restore(self, state: CollectorState, anew: bool = False) -> None:
        """Go on from an earlier state: episodes are played again from their seeds and actions.

        Args:
            state: of as many environments.
            anew: begin new episodes instead, with the random numbers of that state.

        Raises:
            ValueError: it is the state of another number of environments.
        """
        (state,) = state.split([len(self._envs)])
        self._started = True
        for random, values in zip(self._random, state.random, strict=True):
            random.bit_generator.state = values
        if anew:
            for i in range(len(self._envs)):
                self._reset(i)
            return
        self._seeds[:] = state.arrays["seed"]
        self._actions = state.arrays["actions"].copy()
        self._actor.hidden[:] = torch.from_numpy(state.arrays["hidden"])
        for i, length in enumerate(state.arrays["length"].tolist()):
            self._play_again(i, length, state.arrays["observation"][i])

    def _play_again(self, index: int, length: int, observation: NDArray[np.float32]) -> None:
        """Play an episode up to where it stood; where it comes out otherwise, say so, and go on from there."""
        self._envs.reset(index, int(self._seeds[index]))
        self._lengths[index] = 0
        while self._lengths[index] < length and not self._envs.done[index]:
            self.alive()
            self._envs.step(self._actions[:, self._lengths[index]].astype(np.int64), [index])
            self._lengths[index] += 1
        if self._envs.done[index] or not np.array_equal(self._envs.observation[index], observation):
            self._note = (
                f"env {self._source.name}: an episode with the same seed and actions came out differently, so this run "
                "goes on, but not exactly as it would have"
            )
        if self._envs.done[index]:
            self._reset(index)

    def validate(self, episodes: range) -> list[Episode]:
        """Play greedy episodes on these of the validation seeds, in environments of their own: training is not
        disturbed."""
        if self._validation_envs is None:
            # A warehouse takes some 30 MB, so there are fewer of these; a second round costs little.
            self._validation_envs = EnvBatch(self._source, min(len(episodes), max(1, len(self._envs) // 2)))
        envs = self._validation_envs
        seeds = [VALIDATION_SEED + episode for episode in episodes]
        chunks = [seeds[i : i + len(envs)] for i in range(0, len(seeds), len(envs))]
        return [episode for chunk in chunks for episode in self._play(envs, chunk)]

    def _play(self, envs: EnvBatch, seeds: Sequence[int]) -> list[Episode]:
        actor = Actor(self.agent, len(envs))

        def choose(envs: EnvBatch) -> NDArray[np.int64]:
            self.alive()
            return actor.best(envs)

        return play_episodes(envs, seeds, choose)

    def close(self) -> None:
        """End the environments."""
        self._envs.close()
        if self._validation_envs is not None:
            self._validation_envs.close()
