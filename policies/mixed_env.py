"""A warehouse and a fleet that are drawn anew at each reset, behind the interface of `TeamEnv`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.environments import EnvSource
from policies.mix import Mix
from policies.team import Team
from sim.env import WarehouseEnv
from sim.observation import MANEUVERS, observation_spec, state_spec
from sim.scene import SceneConfig, robot_names


class MixedEnv:
    """One warehouse after the other, each with a fleet of its own; arrays are padded to the largest fleet.

    Args:
        source: the settings of the scenes, and the mix.

    Raises:
        InputError: a scene is not valid; so does `reset`.
    """

    left: None = None
    """Nobody leaves a warehouse."""

    def __init__(self, source: EnvSource) -> None:
        assert source.scene is not None
        assert source.mix is not None
        self._scene: SceneConfig = source.scene
        self._mix: Mix = source.mix
        side, most = self._mix.side(), self._mix.config.robots[1]
        state = state_spec(self._scene.robot, most, side, side)
        self._robot_state = state.slice("robots").stop // most
        scale = observation_spec(self._scene.robot).scale
        self.team = Team(tuple(robot_names(most)), len(MANEUVERS), scale, state.scale, self._robot_state)
        self._ends_truncated = source.truncation == "end"
        self._env: WarehouseEnv | None = None
        self._infos: Mapping[str, Mapping[str, Any]] = {}

    @property
    def robots(self) -> int:
        """Robots of the present episode."""
        return self._env.scene.robots if self._env is not None else 0

    def reset(
        self, seed: int, observation: NDArray[np.float32], state: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> None:
        """Draw a warehouse and a fleet by the seed, and start an episode of it; as `TeamEnv.reset`."""
        name, layout, robots = self._mix.draw(seed)
        scene = replace(self._scene, layout=name, robots=robots)
        if self._env is None or self._env.scene != scene:
            self.close()
            self._env = WarehouseEnv(scene, layout=layout)
        observations, self._infos = self._env.reset(seed=seed)
        self._write(observations, observation, state, mask)

    def step(
        self,
        actions: list[int],
        observation: NDArray[np.float32],
        state: NDArray[np.float32],
        mask: NDArray[np.bool_],
    ) -> tuple[float, bool, bool]:
        """Step the fleet; as `TeamEnv.step`. Actions of absent robots are left out."""
        assert self._env is not None
        agents = self._env.possible_agents
        observations, rewards, _, truncations, self._infos = self._env.step(dict(zip(agents, actions, strict=False)))
        self._write(observations, observation, state, mask)
        done = any(truncations.values())
        return sum(rewards.values()) / len(agents), done and self._ends_truncated, done

    def _write(
        self,
        observations: Mapping[str, NDArray[np.float32]],
        observation: NDArray[np.float32],
        state: NDArray[np.float32],
        mask: NDArray[np.bool_],
    ) -> None:
        assert self._env is not None
        robots = len(observations)
        observation[:robots], observation[robots:] = np.stack(list(observations.values())), 0.0
        shown, own, rest = self._env.state(), robots * self._robot_state, len(self.team.agents) * self._robot_state
        state[:own], state[own:rest], state[rest:] = shown[:own], 0.0, shown[own:]
        mask[:] = True

    def totals(self) -> dict[str, float]:
        """Return the numbers in the last infos, each summed over the robots."""
        names = next(iter(self._infos.values()))
        return {name: float(sum(info[name] for info in self._infos.values())) for name in names}

    def close(self) -> None:
        """End the present warehouse."""
        if self._env is not None:
            self._env.close()
