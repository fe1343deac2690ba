"""The example shows an environment of tuples as the trainer wants it."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, Tuple
from pettingzoo.test import parallel_api_test

from examples.tuple_env import TupleEnv


class Counting(gymnasium.Env[Any, Any]):
    """Two agents see the time; agent 0 is paid 1 a step, agent 1 its action; `done` after `length` steps."""

    def __init__(self, length: int) -> None:
        self._length = length
        self.observation_space = Tuple((Box(0, 99, (1,)), Box(0, 99, (2,))))
        self.action_space = Tuple((Discrete(2), Discrete(3)))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        self._time = 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, Any]:
        self._time += 1
        return self._observe(), [1.0, float(action[1])], self._time >= self._length, False, {}

    def _observe(self) -> tuple[Any, Any]:
        return np.full(1, self._time, np.float32), np.full(2, self._time, np.float32)


@pytest.mark.parametrize(("length", "ends"), [(2, (True, False)), (3, (False, True))])
def test_an_end_at_the_time_limit_is_a_truncation(length: int, ends: tuple[bool, bool]) -> None:
    env = TupleEnv(Counting(length), time_limit=3)
    observations, _ = env.reset(seed=1)
    assert {agent: seen.tolist() for agent, seen in observations.items()} == {"agent_0": [0], "agent_1": [0, 0]}
    for _ in range(length):
        assert env.agents == ["agent_0", "agent_1"]
        observations, rewards, terminations, truncations, _ = env.step({"agent_0": 0, "agent_1": 2})
    assert rewards == {"agent_0": 1.0, "agent_1": 2.0}
    assert observations["agent_1"].tolist() == [length, length]
    assert (terminations["agent_1"], truncations["agent_1"]) == ends
    assert env.agents == []


def test_it_is_a_parallel_environment() -> None:
    parallel_api_test(TupleEnv(Counting(7), time_limit=9), num_cycles=20)


def test_foraging_pays_a_team_up_to_one() -> None:
    pytest.importorskip("lbforaging")
    from examples.tuple_env import foraging_8x8_2p_3f

    env = foraging_8x8_2p_3f()
    assert [env.action_space(agent).n for agent in env.possible_agents] == [6, 6]  # type: ignore[attr-defined]
    parallel_api_test(env, num_cycles=100)
