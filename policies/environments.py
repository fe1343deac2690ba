"""Any PettingZoo parallel environment as one team: fixed arrays in, fixed arrays out.

The learner wants the same number of agents, features and actions at every step; PettingZoo gives dictionaries that may
differ from agent to agent. Everything that reconciles the two is here. An environment is described by plain values
(`EnvSource`), so that a worker process or a run folder can build it again and needs no other file.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from policies.config import TeamReward, Truncation
from policies.env_api import EnvError, build_env, kind, own_code, read_array, read_reset, read_step, total_reward
from policies.mix import Mix
from policies.neighbours import NeighbourRows
from policies.spaces import discrete_actions, observation_box, scale_of
from policies.team import Team
from sim.layout import Layout, parse_layout
from sim.observation import observation_spec
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
    """`module:factory`; called with `arguments`, it returns a PettingZoo parallel environment."""
    arguments: str = "{}"
    """What it is called with, by name, as a JSON object."""
    team_reward: TeamReward = "mean"
    """What the team's reward is of its agents' rewards."""
    truncation: Truncation = "bootstrap"
    """Whether a truncated episode counts as one that goes on unseen, or as one that terminated."""
    last_action: bool = False
    """Whether agents also observe, behind the rest, one number for each action: 1 for the last that they took."""
    folder: str = ""
    """Where the factory's module was found; it is looked for there where it is not found otherwise."""
    mix: Mix | None = None
    """The warehouses that episodes draw from in place of `layout`, with the settings of `scene`; None for one."""

    @property
    def name(self) -> str:
        """What messages call the environment."""
        scenes = self.mix.config.scenes if self.mix is not None else (self.scene.layout,) if self.scene else ()
        return self.factory or " ".join(("warehouse", *scenes))

    def parsed_layout(self) -> Layout:
        """Return the warehouse's map."""
        assert self.scene is not None
        return parse_layout(self.layout, Path(self.scene.layout).stem)

    @property
    def neighbours(self) -> NeighbourRows | None:
        """Where observations hold the neighbours; None where that is not known."""
        if self.scene is None:
            return None
        spec = observation_spec(self.scene.robot)
        count, width = next(field.shape for field in spec.fields if field.name == "neighbours")
        return NeighbourRows(spec.offsets["neighbours"], count, width)

    def to_json(self) -> str:
        """Return one line that `from_json` reads back."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "EnvSource":
        """Return what `to_json` wrote."""
        values = json.loads(text)
        for name, settings in (("scene", SceneConfig), ("mix", Mix)):
            values[name] = values[name] and read_settings(settings, values[name], "environment source")
        return cls(**values)


def make_env(source: EnvSource) -> "ParallelEnv[str, Any, int]":
    """Build the environment.

    Raises:
        InputError: the scene is not valid, or there is no such factory, or it makes no parallel environment.
    """
    if source.scene is not None:
        from sim.env import WarehouseEnv  # other environments need no pybullet

        return WarehouseEnv(source.scene, layout=source.parsed_layout())
    return build_env(source.factory, source.folder, json.loads(source.arguments))


class TeamEnv:
    """One environment whose agents act together and always as many.

    Observations are flattened and padded with zeros to the longest, missing actions are masked. The team's episode
    ends as soon as one of its agents leaves: as terminated when one terminated, else as truncated, which the source
    may count as terminated too; where others would have gone on, `left` names the first that ever did so.

    Args:
        source: what to build.

    Raises:
        InputError: as `make_env`, or a space that is neither a Box to observe nor Discrete to act in.
        EnvError: the environment breaks the interface of PettingZoo; so do `reset` and `step`.
    """

    def __init__(self, source: EnvSource) -> None:
        self.env = make_env(source)
        name = self._name = source.name
        self.left: str | None = None
        self.robots = len(self.env.possible_agents)
        agents = tuple(self.env.possible_agents)
        with own_code(name, "its spaces"):
            boxes = [observation_box(self.env.observation_space(agent), name, agent) for agent in agents]
            actions = [discrete_actions(self.env.action_space(agent), name, agent) for agent in agents]
        self._shapes = [box.shape for box in boxes]
        self._choices = [(int(space.n),) for space in actions]
        self._sizes = [math.prod(shape) for shape in self._shapes]
        self._first_action = [int(space.start) for space in actions]
        self._shares = len(agents) if source.team_reward == "mean" else 1
        self._ends_truncated = source.truncation == "end"
        n_actions = max(int(space.n) for space in actions)
        self.allowed = np.array([[a < space.n for a in range(n_actions)] for space in actions])
        """The actions that each agent has at all [agents, actions]."""
        scales = np.zeros((len(agents), max(self._sizes)), np.float32)
        for row, box, size in zip(scales, boxes, self._sizes, strict=True):
            row[:size] = scale_of(box)
        scale = scales.max(axis=0)
        self._own_state = self._has_state()
        state_scale = self._state_scale() if self._own_state else np.tile(scale, len(agents))
        self._own_features = len(scale)
        self._action_rows = np.eye(n_actions, n_actions if source.last_action else 0, dtype=np.float32)
        shown = np.append(scale, self._action_rows.max(axis=0))
        self.team = Team(agents, n_actions, shown, state_scale)
        self._infos: Mapping[str, Mapping[str, Any]] = {}

    def _has_state(self) -> bool:
        with own_code(self._name, "reset"):
            read_reset(self._name, self.env.reset(seed=0), self.env.possible_agents)
        try:
            with own_code(self._name, "state"):
                state = self.env.state()
        except EnvError as error:
            if isinstance(error.__cause__, NotImplementedError | AttributeError):
                return False
            raise
        if not isinstance(state, np.ndarray):
            raise EnvError.of(self._name, f"state returned {kind(state)}", "a NumPy array, or no method state")
        self._state_shape = state.shape
        return True

    def _state_scale(self) -> NDArray[np.float32]:
        space = getattr(self.env, "state_space", None)
        if not isinstance(space, Box):
            return np.ones(math.prod(self._state_shape), np.float32)
        if space.shape != self._state_shape:
            found = f"the state is an array of shape {self._state_shape}"
            raise EnvError.of(self._name, found, f"that of its state_space, {space.shape}")
        return scale_of(space)

    def reset(
        self, seed: int, observation: NDArray[np.float32], state: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> None:
        """Start an episode and write what its first step shows.

        Args:
            seed: fixes the episode.
            observation: [agents, features], written; padding stays.
            state: [state], written.
            mask: [agents, actions], written.
        """
        observations, self._infos = read_reset(self._name, self.env.reset(seed=seed), self.team.agents)
        observation[:, self._own_features :] = 0.0
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
        observation[:, self._own_features :] = self._action_rows[actions]
        actions = [a + first for a, first in zip(actions, self._first_action, strict=True)]
        agents = self.team.agents
        step = self.env.step(dict(zip(agents, actions, strict=True)))
        observations, rewards, terminations, truncations, self._infos = read_step(self._name, step)
        self._write(observations, observation, state, mask)
        terminated = any(terminations.values())
        staying = len(self.env.agents)
        if 0 < staying < len(agents) and self.left is None:
            self.left = next(agent for agent in agents if agent not in self.env.agents)
        done = terminated or any(truncations.values()) or staying < len(agents)
        reward = total_reward(self._name, rewards) / self._shares
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
            allowed = (self._infos.get(agent) or {}).get("action_mask")
            if isinstance(seen, Mapping):
                allowed = seen.get("action_mask", allowed)
                seen = seen.get("observation")
            seen = read_array(self._name, f"the observation of {agent}", seen, self._shapes[i])
            observation[i, : self._sizes[i]] = seen if seen.ndim == 1 else seen.reshape(-1)
            if allowed is not None:
                allowed = read_array(self._name, f"the mask of {agent}", np.asarray(allowed), self._choices[i])
                mask[i, : len(allowed)] &= allowed.astype(np.bool_)
        if self._own_state:
            state[:] = read_array(self._name, "the state", self.env.state(), self._state_shape).reshape(-1)
        else:
            state[:] = observation[:, : self._own_features].reshape(-1)

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
