"""Several copies of one environment, stepped into shared arrays; what they show is fit to learn from, or an error."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from policies.env_api import EnvError
from policies.environments import EnvSource, TeamEnv
from policies.episode import Episode
from policies.mixed_env import MixedEnv
from policies.team import Team


class EnvBatch:
    """Several copies of one environment, stepped one after the other.

    Args:
        source: what to build.
        count: how many copies.
    """

    def __init__(self, source: EnvSource, count: int) -> None:
        self._name = source.name
        self._envs = [MixedEnv(source) if source.mix is not None else TeamEnv(source) for _ in range(count)]
        self.team: Team = self._envs[0].team
        agents, state = len(self.team.agents), len(self.team.state_scale)
        self.observation = np.zeros((count, agents, self.team.features), np.float32)
        self.state = np.zeros((count, state), np.float32)
        self.action_mask = np.ones((count, agents, self.team.n_actions), np.bool_)
        self.present = np.ones((count, agents), np.bool_)
        self.reward = np.zeros(count, np.float32)
        self.terminated = np.zeros(count, np.bool_)
        self.done = np.zeros(count, np.bool_)
        self._returns = [0.0] * count
        self._lengths = [0] * count
        self._views = list(zip(self.observation, self.state, self.action_mask, strict=True))

    def __len__(self) -> int:
        return len(self._envs)

    @property
    def note(self) -> str:
        """What a person should know about the environment by now, or nothing."""
        left = next((env.left for env in self._envs if env.left is not None), None)
        if left is None:
            return ""
        return f"env {self._name}: {left} left while others stayed; the team's episode ends with the first that leaves"

    def reset(self, index: int, seed: int) -> None:
        """Start an episode of one copy; raise EnvError when the environment breaks its interface."""
        self._returns[index], self._lengths[index] = 0.0, 0
        self.done[index] = False
        try:
            self._envs[index].reset(seed, *self._views[index])
        except EnvError as error:
            raise self._placed(error, index) from error
        self.present[index] = np.arange(self.present.shape[1]) < self._envs[index].robots
        self._require_usable()

    def step(self, actions: NDArray[np.int64], which: Iterable[int]) -> None:
        """Step the copies `which`; actions [count, agents]; raise EnvError when one breaks its interface."""
        choices = actions.tolist()
        i = 0
        try:
            for i in which:
                self._lengths[i] += 1
                reward, self.terminated[i], self.done[i] = self._envs[i].step(choices[i], *self._views[i])
                self.reward[i] = reward
                self._returns[i] += reward
        except EnvError as error:
            raise self._placed(error, i) from error
        self._require_usable()

    def _require_usable(self) -> None:
        """Require finite numbers, and an action for each agent where the episode goes on."""
        for name, array in (("observation", self.observation), ("state", self.state)):
            if not np.isfinite(array).all():
                env, *where = np.argwhere(~np.isfinite(array))[0].tolist()
                of = f"of {self.team.agents[where[0]]} " if name == "observation" else ""
                found = f"the {name} {of}has {array[env, *where]} in element {where[-1]}"
                raise self._placed(EnvError.of(self._name, found, "finite numbers of 32 bits"), env)
        if not self.action_mask.any(-1).all():
            for env, agent in np.argwhere(~self.action_mask.any(-1)).tolist():
                if not self.done[env]:
                    found = f"the action mask of {self.team.agents[agent]} allows nothing"
                    raise self._placed(EnvError.of(self._name, found, "an action at least"), env)

    def _placed(self, error: EnvError, index: int) -> EnvError:
        return EnvError(f"{error} (step {self._lengths[index]} of an episode)")

    def episode(self, index: int) -> Episode:
        """Return what the episode of one copy brought so far."""
        env = self._envs[index]
        return Episode(self._returns[index], self._lengths[index], env.totals(), robots=env.robots)

    def close(self) -> None:
        """End all copies."""
        for env in self._envs:
            env.close()
