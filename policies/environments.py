"""Any PettingZoo parallel environment as one team: fixed arrays in, fixed arrays out.

The learner wants the same number of agents, features and actions at every step; PettingZoo gives dictionaries that may
differ from agent to agent. Everything that reconciles the two is here. An environment is described by plain values
(`EnvSource`), so that a worker process or a run folder can build it again and needs no other file.
"""

import dataclasses
import importlib
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from policies.batch import SequenceSize
from policies.config import TeamReward, Truncation
from policies.spaces import discrete_actions, observation_box, scale_of
from sim.errors import InputError
from sim.layout import Layout, parse_layout
from sim.scene import SceneConfig
from sim.settings import read_settings


@dataclass(frozen=True)
class EnvSource:
    """What an environment is built from: a scene with its map, or somebody else's factory."""

    scene: SceneConfig | None = None
    """The warehouse; None where `factory` is given."""
    layout: str = ""
    """The text of the warehouse's map."""
    factory: str = ""
    """`module:factory`; calling it without arguments returns a PettingZoo parallel environment."""
    team_reward: TeamReward = "mean"
    """What the team's reward is of its agents' rewards."""
    truncation: Truncation = "bootstrap"
    """Whether a truncated episode counts as one that goes on unseen, or as one that terminated."""

    @property
    def name(self) -> str:
        """What messages call the environment."""
        return self.factory or (f"warehouse {self.scene.layout}" if self.scene is not None else "warehouse")

    def parsed_layout(self) -> Layout:
        """Return the warehouse's map."""
        assert self.scene is not None
        return parse_layout(self.layout, Path(self.scene.layout).stem)

    def to_json(self) -> str:
        """Return one line that `from_json` reads back."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "EnvSource":
        """Return what `to_json` wrote."""
        values = json.loads(text)
        scene = values.pop("scene")
        return cls(scene and read_settings(SceneConfig, scene, "environment source"), **values)


@dataclass(frozen=True)
class Team:
    """The sizes and scales that networks are built from."""

    agents: tuple[str, ...]
    n_actions: int
    """Actions of the agent that has most."""
    observation_scale: NDArray[np.float32]
    """What each feature is divided by [features]: its largest magnitude, 1 where it has no bound."""
    state_scale: NDArray[np.float32]
    """Likewise for the global state [state]."""

    @property
    def features(self) -> int:
        """Length of the longest observation."""
        return len(self.observation_scale)

    def sequence_size(self, steps: int, hidden_size: int) -> SequenceSize:
        """Return the sizes of a sequence of this team, for an agent network with that hidden state."""
        return SequenceSize(steps, len(self.agents), self.features, len(self.state_scale), self.n_actions, hidden_size)


def make_env(source: EnvSource) -> "ParallelEnv[str, Any, int]":
    """Build the environment.

    Raises:
        InputError: the scene is not valid, or there is no such factory, or it returns no parallel environment.
    """
    if source.scene is not None:
        from sim.env import WarehouseEnv  # other environments need no pybullet

        return WarehouseEnv(source.scene, layout=source.parsed_layout())
    env = _find_factory(source.factory)()
    if not isinstance(env, ParallelEnv):
        made = type(env).__name__
        raise InputError(f"env {source.factory!r} made a {made}; valid is a PettingZoo parallel environment")
    return env


def _find_factory(name: str) -> Callable[[], Any]:
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise InputError(f"env is {name!r}; valid is MODULE:FACTORY, such as mpe2.simple_spread_v3:parallel_env")
    here = str(Path.cwd())
    if here not in sys.path:  # an installed command does not look into the folder it is called from
        sys.path.insert(0, here)
    try:
        factory = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"env is {name!r}: {error}; valid is MODULE:FACTORY that can be imported") from error
    if not callable(factory):
        raise InputError(f"env is {name!r}, a {type(factory).__name__}; valid is the name of a function or class")
    return factory  # type: ignore[no-any-return] # any callable


class TeamEnv:
    """One environment whose agents act together and always as many.

    Observations are flattened and padded with zeros to the longest, missing actions are masked. The team's reward is
    the mean or the sum over its agents. The team's episode ends as soon as one of its agents leaves: as terminated
    when one terminated, else as truncated, which the source may count as terminated too.

    Args:
        source: what to build.

    Raises:
        InputError: as `make_env`, or a space that is neither a Box to observe nor Discrete to act in.
    """

    def __init__(self, source: EnvSource) -> None:
        self.env = make_env(source)
        name = self._name = source.name
        agents = tuple(self.env.possible_agents)
        boxes = [observation_box(self.env.observation_space(agent), name, agent) for agent in agents]
        actions = [discrete_actions(self.env.action_space(agent), name, agent) for agent in agents]
        self._sizes = [math.prod(box.shape) for box in boxes]
        self._first_action = [int(space.start) for space in actions]
        self._shares = len(agents) if source.team_reward == "mean" else 1
        self._ends_truncated = source.truncation == "end"
        self._plain = not any(self._first_action)
        n_actions = max(int(space.n) for space in actions)
        self.allowed = np.array([[a < space.n for a in range(n_actions)] for space in actions])
        """The actions that each agent has at all [agents, actions]."""
        scales = np.zeros((len(agents), max(self._sizes)), np.float32)
        for row, box, size in zip(scales, boxes, self._sizes, strict=True):
            row[:size] = scale_of(box)
        scale = scales.max(axis=0)
        self._own_state = self._has_state()
        state_scale = self._state_scale() if self._own_state else np.tile(scale, len(agents))
        self.team = Team(agents, n_actions, scale, state_scale)
        self._infos: Mapping[str, Mapping[str, Any]] = {}

    def _has_state(self) -> bool:
        self.env.reset(seed=0)
        try:
            self.env.state()
        except (NotImplementedError, AttributeError):
            return False
        return True

    def _state_scale(self) -> NDArray[np.float32]:
        space = getattr(self.env, "state_space", None)
        return scale_of(space) if isinstance(space, Box) else np.ones(np.size(self.env.state()), np.float32)

    def reset(
        self, seed: int, observation: NDArray[np.float32], state: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> None:
        """Start an episode and write what its first step shows.

        Args:
            seed: fixes the episode.
            observation: [agents, features], written; padding stays as it is.
            state: [state], written.
            mask: [agents, actions], written.
        """
        observations, self._infos = self.env.reset(seed=seed)
        absent = [agent for agent in self.team.agents if agent not in observations]
        if absent:
            raise InputError(
                f"env {self._name}: {absent[0]} is not there at the start; valid is an environment that starts with all"
            )
        self._write(observations, observation, state, mask)

    def step(
        self,
        actions: list[int],
        observation: NDArray[np.float32],
        state: NDArray[np.float32],
        mask: NDArray[np.bool_],
    ) -> tuple[float, bool, bool]:
        """Step the whole team; arrays as in `reset`.

        Returns:
            The team's reward, whether the episode ended for good, and whether it is done (terminated or truncated).
        """
        if not self._plain:
            actions = [a + first for a, first in zip(actions, self._first_action, strict=True)]
        agents = self.team.agents
        step = self.env.step(dict(zip(agents, actions, strict=True)))
        observations, rewards, terminations, truncations, self._infos = step
        self._write(observations, observation, state, mask)
        terminated = any(terminations.values())
        done = terminated or any(truncations.values()) or len(self.env.agents) < len(agents)
        reward = float(sum(rewards.values())) / self._shares
        return reward, terminated or (done and self._ends_truncated), done

    def _write(
        self,
        observations: Mapping[str, Any],
        observation: NDArray[np.float32],
        state: NDArray[np.float32],
        mask: NDArray[np.bool_],
    ) -> None:
        mask[:] = self.allowed
        for i, agent in enumerate(self.team.agents):
            seen = observations.get(agent)
            if seen is None:
                continue  # it left, which ends the episode
            info = self._infos.get(agent)
            allowed = info.get("action_mask") if info else None
            if isinstance(seen, Mapping):
                allowed = seen.get("action_mask", allowed)
                seen = seen["observation"]
            observation[i, : self._sizes[i]] = seen if seen.ndim == 1 else seen.reshape(-1)
            if allowed is not None:
                mask[i, : len(allowed)] &= np.asarray(allowed, np.bool_)
        state[:] = self.env.state().reshape(-1) if self._own_state else observation.reshape(-1)

    def totals(self) -> dict[str, float]:
        """Return the numbers in the last infos, each summed over the agents."""
        totals: dict[str, float] = {}
        for info in self._infos.values():
            for name, value in info.items():
                if isinstance(value, int | float | np.number):
                    totals[name] = totals.get(name, 0.0) + float(value)
        return totals

    def close(self) -> None:
        """End the environment."""
        self.env.close()
