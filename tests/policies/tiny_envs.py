"""PettingZoo environments that can be followed by hand."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from pettingzoo import ParallelEnv

from sim.errors import InputError


class Uneven(ParallelEnv[str, Any, int]):
    """Two agents with 2 and 3 features, and 2 and 3 actions (the latter counted from 1); no state.

    Truncated after 5 steps. Each observes [time, seed mod 100]; the second also its last action, and may not repeat
    it. Rewards are 1 and 3.
    """

    metadata = {"name": "uneven"}  # noqa: RUF012 # as PettingZoo has it
    length = 5

    def __init__(self) -> None:
        self.possible_agents = ["low", "high"]
        self._spaces = {
            "low": Box(np.array([0, -200]), np.array([8, 100]), dtype=np.float64),
            "high": Box(np.array([0, 0, 0]), np.array([np.inf, 100, 4]), dtype=np.float64),
        }
        self._actions = {"low": Discrete(2), "high": Discrete(3, start=1)}

    def observation_space(self, agent: str) -> Box:
        return self._spaces[agent]

    def action_space(self, agent: str) -> Discrete:
        return self._actions[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        self.agents = list(self.possible_agents)
        self._time, self._seed, self._last = 0, (seed or 0) % 100, 0
        return self._observe(), self._infos()

    def step(self, actions: dict[str, int]) -> Any:
        assert actions["low"] in (0, 1)
        assert actions["high"] in (1, 2, 3)
        assert actions["high"] != self._last, "a masked action was taken"
        self._time, self._last = self._time + 1, actions["high"]
        done = self._time >= self.length
        agents, self.agents = self.agents, [] if done else self.agents
        rewards = {"low": 1.0, "high": 3.0}
        return self._observe(), rewards, dict.fromkeys(agents, False), dict.fromkeys(agents, done), self._infos()

    def _observe(self) -> dict[str, Any]:
        low = np.array([self._time, self._seed], np.float64)
        return {"low": low, "high": np.append(low, float(self._last))}

    def _infos(self) -> dict[str, Any]:
        mask = np.array([action != self._last for action in (1, 2, 3)], np.int8)
        return {"low": {"steps": self._time}, "high": {"steps": self._time, "action_mask": mask}}


class Leaving(Uneven):
    """The first agent ends for good after 2 steps, the other would stay; masks stand in the observations."""

    def observation_space(self, agent: str) -> Any:
        return Dict({"observation": self._spaces[agent], "action_mask": Box(0, 1, (3,), np.int8)})

    def step(self, actions: dict[str, int]) -> Any:
        observations, rewards, terminations, truncations, infos = super().step(actions)
        if self._time == 2:
            self.agents = ["high"]
            terminations["low"] = True
        return observations, rewards, terminations, truncations, infos

    def _observe(self) -> dict[str, Any]:
        masks = {"low": np.array([0, 1]), "high": self._infos()["high"]["action_mask"]}
        return {k: {"observation": v, "action_mask": masks[k]} for k, v in super()._observe().items()}


class Continuous(Uneven):
    def action_space(self, agent: str) -> Any:
        return Box(-1.0, 1.0, (2,))


class Failing(Uneven):
    def step(self, actions: dict[str, int]) -> Any:
        raise ValueError("the gripper is stuck")


class Poisoned(Uneven):
    """Its rewards become nan some time after training began."""

    steps = 0

    def step(self, actions: dict[str, int]) -> Any:
        result = super().step(actions)
        Poisoned.steps += 1
        if Poisoned.steps > 600:
            result[1]["low"] = float("nan")
        return result


class Guess(ParallelEnv[str, Any, int]):
    """Two agents each see a bit and are paid for saying it: 4 steps, at most 4 in all."""

    metadata = {"name": "guess"}  # noqa: RUF012 # as PettingZoo has it

    def __init__(self) -> None:
        self.possible_agents = ["left", "right"]
        self._box, self._say = Box(-1.0, 1.0, (2,), np.float32), Discrete(2)

    def observation_space(self, agent: str) -> Box:
        return self._box

    def action_space(self, agent: str) -> Discrete:
        return self._say

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        self.agents = list(self.possible_agents)
        self._random, self._time = np.random.default_rng(seed), 0
        return self._observe(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> Any:
        rewards = {agent: float(actions[agent] == self._bits[agent]) for agent in self.agents}
        self._time += 1
        agents, done = self.agents, self._time >= 4
        self.agents = [] if done else agents
        no = dict.fromkeys(agents, False)
        return self._observe(), rewards, no, dict.fromkeys(agents, done), {agent: {} for agent in agents}

    def _observe(self) -> dict[str, Any]:
        self._bits = {agent: int(self._random.integers(2)) for agent in self.possible_agents}
        return {agent: np.array([2 * bit - 1, 0], np.float32) for agent, bit in self._bits.items()}


def not_an_env() -> int:
    return 3


def invalid() -> ParallelEnv[str, Any, int]:
    raise InputError("wheels is 3; valid is 2 or 4")


class Hanging(Guess):
    """After 300 steps in a process it never answers again."""

    steps = 0

    def step(self, actions: dict[str, int]) -> Any:
        Hanging.steps += 1
        if Hanging.steps > 300:
            print("the environment hangs", flush=True)
            time.sleep(3600)
        return super().step(actions)


def hanging_factory() -> ParallelEnv[str, Any, int]:
    time.sleep(3600)
    return Guess()


class Unrepeatable(Uneven):
    """What it shows depends on more than seed and actions."""

    made = 0

    def __init__(self) -> None:
        super().__init__()
        Unrepeatable.made += 1
        self._number = Unrepeatable.made

    def _observe(self) -> dict[str, Any]:
        seen = super()._observe()
        seen["low"][1] = self._number
        return seen


class Crashing(Guess):
    """It takes its process with it."""

    def step(self, actions: dict[str, int]) -> Any:
        os.kill(os.getpid(), signal.SIGSEGV)


class HangingOnce(Guess):
    """It hangs in a process that finds no file $HANG_ONCE, which it leaves."""

    def step(self, actions: dict[str, int]) -> Any:
        mark = Path(os.environ["HANG_ONCE"])
        if not mark.exists():
            mark.touch()
            time.sleep(3600)
        return super().step(actions)


class Slow(Guess):
    """A step takes 0.4 s."""

    def step(self, actions: dict[str, int]) -> Any:
        time.sleep(0.4)
        return super().step(actions)


class Corner(ParallelEnv[str, Any, int]):
    """Two agents see nothing, and are paid for each action that is not their last one, which is 0 at first; 6 steps."""

    metadata = {"name": "corner"}  # noqa: RUF012 # as PettingZoo has it

    def __init__(self) -> None:
        self.possible_agents = ["left", "right"]
        self._box, self._turn = Box(0.0, 1.0, (1,), np.float32), Discrete(2)

    def observation_space(self, agent: str) -> Box:
        return self._box

    def action_space(self, agent: str) -> Discrete:
        return self._turn

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        self.agents, self._time, self._last = list(self.possible_agents), 0, dict.fromkeys(self.possible_agents, 0)
        return self._observe(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> Any:
        rewards = {agent: float(actions[agent] != self._last[agent]) for agent in self.agents}
        self._time, self._last = self._time + 1, dict(actions)
        agents, done = self.agents, self._time >= 6
        self.agents = [] if done else agents
        no = dict.fromkeys(agents, False)
        return self._observe(), rewards, no, dict.fromkeys(agents, done), {agent: {} for agent in agents}

    def _observe(self) -> dict[str, Any]:
        return {agent: np.zeros(1, np.float32) for agent in self.possible_agents}
