"""Environments that each break PettingZoo's parallel interface in one way, from the third step of an episode on."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from pettingzoo import ParallelEnv

from tests.policies.tiny_envs import Guess, Uneven


class NanObservation(Uneven):
    def _observe(self) -> dict[str, Any]:
        seen = super()._observe()
        if self._time >= 3:
            seen["high"][1] = np.nan
        return seen


class HugeObservation(Uneven):
    def _observe(self) -> dict[str, Any]:
        return {agent: seen + (1e39 if self._time >= 3 else 0) for agent, seen in super()._observe().items()}


class InfiniteState(Guess):
    def state(self) -> Any:
        return np.array([0.0, 1.0, np.inf if self._time >= 3 else 0.0])


class NoState(Guess):
    def state(self) -> Any:
        return None


class GrowingState(Guess):
    def state(self) -> Any:
        return np.zeros(5 if self._time >= 3 else 4)


class OtherStateSpace(Guess):
    state_space = Box(0, 1, (7,))

    def state(self) -> Any:
        return np.zeros(4)


class InfiniteReward(Guess):
    def step(self, actions: dict[str, int]) -> Any:
        answer = super().step(actions)
        if self._time >= 3:
            answer[1]["right"] = -np.inf
        return answer


class NothingAllowed(Uneven):
    def _infos(self) -> dict[str, Any]:
        infos = super()._infos()
        if self._time >= 3:
            infos["high"]["action_mask"] = np.zeros(3, np.int8)
        return infos


class LongMask(Uneven):
    def _infos(self) -> dict[str, Any]:
        return {**super()._infos(), "low": {"action_mask": np.ones(3, np.int8)}}


class Lists(Uneven):
    def _observe(self) -> dict[str, Any]:
        return {agent: seen.tolist() for agent, seen in super()._observe().items()}


class WrongShape(Uneven):
    def _observe(self) -> dict[str, Any]:
        return {agent: seen[:2] for agent, seen in super()._observe().items()}


class Four(Uneven):
    def step(self, actions: dict[str, int]) -> Any:
        return super().step(actions)[:4]


class OnlyObservations(Uneven):
    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed)[0]


class Unseeded(Uneven):
    def reset(self) -> Any:  # type: ignore[override] # the mistake
        return super().reset()


class NoAgents(Uneven):
    def __init__(self) -> None:
        super().__init__()
        self.possible_agents = []


class NoSpaces(ParallelEnv[str, Any, int]):
    metadata = {"name": "no spaces"}  # noqa: RUF012 # as PettingZoo has it
    possible_agents = ["one"]  # noqa: RUF012 # likewise

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return {}, {}


def with_argument(robots: int) -> Uneven:
    return Uneven()


def failing() -> Uneven:
    raise RuntimeError("no licence\nfor this machine")


def turns() -> object:
    from pettingzoo.utils import parallel_to_aec

    return parallel_to_aec(Uneven())
