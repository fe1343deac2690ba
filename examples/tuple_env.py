"""Train in a Gymnasium environment whose observations, actions and rewards are tuples: level-based foraging, RWARE.

    pip install "fleetmix[bench]"
    fleetmix train --env examples.tuple_env:foraging_8x8_2p_3f --steps 2000000

`fleetmix train --env` takes any function that returns a PettingZoo parallel environment; such a function for another
environment is one line below `TupleEnv`.
"""

from typing import Any

import gymnasium
from pettingzoo import ParallelEnv


class TupleEnv(ParallelEnv[str, Any, int]):
    """A Gymnasium environment of tuples, one entry an agent, as a PettingZoo parallel environment.

    Args:
        env: its observation_space and action_space are `gymnasium.spaces.Tuple`; step returns one reward an agent.
        time_limit: env steps after which `env` ends an episode without saying whether it was done: that counts as a
            truncation, since the team could have gone on.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], time_limit: int) -> None:
        self.metadata = {"name": env.spec.id if env.spec else type(env.unwrapped).__name__}
        self._env, self._time_limit = env, time_limit
        count = len(env.action_space)  # type: ignore[arg-type] # a Tuple
        self.possible_agents = [f"agent_{i}" for i in range(count)]

    def observation_space(self, agent: str) -> gymnasium.Space[Any]:
        """Return what the agent observes."""
        space: gymnasium.Space[Any] = self._env.observation_space[self.possible_agents.index(agent)]  # type: ignore[index]
        return space

    def action_space(self, agent: str) -> gymnasium.Space[Any]:
        """Return how the agent may act."""
        space: gymnasium.Space[Any] = self._env.action_space[self.possible_agents.index(agent)]  # type: ignore[index]
        return space

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        """Start an episode; return observations and infos by agent."""
        observations, _ = self._env.reset(seed=seed, options=options)
        self.agents, self._steps = list(self.possible_agents), 0
        return self._by_agent(observations), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> tuple[Any, Any, Any, Any, Any]:
        """Step all agents; return observations, rewards, terminations, truncations and infos by agent."""
        agents, self._steps = self.agents, self._steps + 1
        observations, rewards, terminated, truncated, _ = self._env.step(tuple(actions[agent] for agent in agents))
        over = terminated or truncated
        cut = over and (truncated or self._steps >= self._time_limit)
        self.agents = [] if over else agents
        terminations, truncations = dict.fromkeys(agents, over and not cut), dict.fromkeys(agents, cut)
        infos: dict[str, dict[str, Any]] = {agent: {} for agent in agents}
        return self._by_agent(observations), self._by_agent(rewards), terminations, truncations, infos

    def close(self) -> None:
        """End the environment."""
        self._env.close()

    def _by_agent(self, values: Any) -> dict[str, Any]:
        return dict(zip(self.possible_agents, values, strict=True))


def foraging_8x8_2p_3f() -> TupleEnv:
    """Return level-based foraging on 8 x 8 cells with 2 agents and 3 foods, which pay the team 1 in all."""
    return _foraging("Foraging-8x8-2p-3f-v3")


def foraging_10x10_3p_3f() -> TupleEnv:
    """Return level-based foraging on 10 x 10 cells with 3 agents and 3 foods."""
    return _foraging("Foraging-10x10-3p-3f-v3")


def rware_tiny_2ag() -> TupleEnv:
    """Return the smallest robotic warehouse of RWARE, with 2 agents."""
    import rware  # noqa: F401 # it registers its environments

    return TupleEnv(gymnasium.make("rware-tiny-2ag-v2", disable_env_checker=True), time_limit=500)


def _foraging(name: str) -> TupleEnv:
    import lbforaging  # noqa: F401 # it registers its environments

    return TupleEnv(gymnasium.make(name, disable_env_checker=True), time_limit=50)
