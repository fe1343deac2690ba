"""What holds for every scene that ships, in the manner of the PettingZoo tests but failing where those warn."""

import hashlib
import itertools
import math
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from pettingzoo.test import parallel_api_test, parallel_seed_test
from pettingzoo.test.state_test import state_test
from pettingzoo.utils import parallel_to_aec

from sim.env import WarehouseEnv
from sim.layout import load_layout, scene_names
from sim.observation import MANEUVERS, NEIGHBOUR
from sim.scene import DRIVE_MODELS, DriveModel

ROOT = Path(__file__).parents[2]
GO = MANEUVERS.index("go")
SCENES = scene_names()
Choose = Callable[[np.random.Generator], int]


def at_random(rng: np.random.Generator) -> int:
    return int(rng.integers(len(MANEUVERS)))


def mostly_go(rng: np.random.Generator) -> int:
    return GO if rng.random() < 0.7 else at_random(rng)


def play(env: WarehouseEnv, seed: int, choose: Choose = at_random, steps: int = 10_000) -> Iterator[list[Any]]:
    """Yield all that reset and each step return, and the state then, until the episode ends."""
    rng = np.random.default_rng(seed)
    yield [*env.reset(seed=seed), env.state()]
    for _ in range(steps):
        yield [*env.step({agent: choose(rng) for agent in env.agents}), env.state()]
        if not env.agents:
            return


def digest(episode: Iterator[list[Any]]) -> str:
    """Return a fingerprint of every bit of an episode."""
    record = hashlib.sha256()
    for returned in episode:
        for value in returned:
            for item in value.values() if isinstance(value, dict) else [value]:
                record.update(item.tobytes() if isinstance(item, np.ndarray) else repr(item).encode())
    return record.hexdigest()


def arrays_in(value: Any, seen: set[int] | None = None) -> Iterator[NDArray[Any]]:
    """Yield every array that can be reached from a value of this project."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, dict):
        yield from itertools.chain.from_iterable(arrays_in(item, seen) for item in value.values())
    elif isinstance(value, list | tuple):
        yield from itertools.chain.from_iterable(arrays_in(item, seen) for item in value)
    elif type(value).__module__.startswith(("sim.", "gymnasium.spaces")):
        yield from arrays_in(vars(value), seen)


@pytest.mark.parametrize("scene", SCENES)
def test_pettingzoo_finds_nothing_to_warn_of(make: Callable[..., WarehouseEnv], scene: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(make(scene), num_cycles=200)
        parallel_seed_test(lambda: make(scene), num_cycles=50)
        state_test(parallel_to_aec(make(scene)), make(scene), num_cycles=20)


@pytest.mark.parametrize("scene", SCENES)
def test_the_seed_fixes_the_episode_whatever_was_played_before(make: Callable[..., WarehouseEnv], scene: str) -> None:
    env = make(scene)
    first = digest(play(env, seed=7, steps=60))
    assert digest(play(env, seed=8, steps=60)) != first
    for seed, steps in ((9, 3), (10, 150), (11, 17)):
        for _ in play(env, seed, mostly_go, steps):
            pass
    assert digest(play(env, seed=7, steps=60)) == first
    assert digest(play(make(scene), seed=7, steps=60)) == first


def test_another_process_plays_the_same_episodes(make: Callable[..., WarehouseEnv]) -> None:
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]; import test_env_properties as t\n"
        "for scene in t.SCENES: print(t.digest(t.play(t.WarehouseEnv(scene), seed=3, steps=40)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    there = [line for line in result.stdout.split() if len(line) == 64]
    assert there == [digest(play(make(scene), seed=3, steps=40)) for scene in SCENES]


def test_resets_without_a_seed_follow_from_the_last_seed(make: Callable[..., WarehouseEnv]) -> None:
    env = make("small")

    def three() -> list[bytes]:
        starts = []
        for seed in (5, None, None):
            env.reset(seed=seed)
            starts.append(env.state().tobytes())
        return starts

    assert three() == three()
    assert len(set(three())) == 3


@pytest.mark.parametrize("drive", DRIVE_MODELS)
def test_wheels_and_velocities_are_repeatable(make: Callable[..., WarehouseEnv], drive: DriveModel) -> None:
    env = make("narrow", drive=drive)
    first = digest(play(env, seed=1, choose=mostly_go, steps=10))
    assert digest(play(env, seed=2, choose=mostly_go, steps=5)) != first
    assert digest(play(env, seed=1, choose=mostly_go, steps=10)) == first
    assert all(info["distance"] > 0.2 for info in env.step(dict.fromkeys(env.agents, GO))[4].values())


@pytest.mark.parametrize("scene", SCENES)
def test_what_is_returned_is_the_callers_own(make: Callable[..., WarehouseEnv], scene: str) -> None:
    env = make(scene)
    kept = list(itertools.islice(play(env, seed=0), 4))
    bits = [digest(iter([returned])) for returned in kept]
    returned = [array for one in kept for array in arrays_in(one)]
    assert len(returned) == 4 * (env.scene.robots + 1)
    inside = list(arrays_in(env))
    assert len(inside) > 20
    for one, other in itertools.chain(itertools.combinations(returned, 2), itertools.product(returned, inside)):
        assert not np.shares_memory(one, other)
    for agent in env.agents:
        kept[-1][0][agent][:] = np.nan  # what the caller does with it is the caller's business
    for _ in range(5):
        observations = env.step(dict.fromkeys(env.agents, GO))[0]
    assert all(np.isfinite(observation).all() for observation in observations.values())
    env.reset(seed=1)
    assert [digest(iter([returned])) for returned in kept[:-1]] == bits[:-1]


@pytest.mark.parametrize("choose", [at_random, mostly_go, lambda _: GO])
@pytest.mark.parametrize("scene", SCENES)
def test_observations_and_states_stay_inside_their_spaces(
    make: Callable[..., WarehouseEnv], scene: str, choose: Choose
) -> None:
    env = make(scene)
    for observations, *_, state in play(env, seed=4, choose=choose):
        assert env.state_space.contains(state)
        for agent, observation in observations.items():
            assert env.observation_space(agent).contains(observation)


@pytest.mark.parametrize("scene", SCENES)
def test_every_element_varies(make: Callable[..., WarehouseEnv], scene: str) -> None:
    layout = load_layout(scene)
    env = make(scene, min(layout.robots, 16))
    steps = max(25, math.ceil(math.hypot(layout.columns, layout.rows)))  # on a large floor, goals are farther away
    episodes = [list(play(env, seed, mostly_go, steps)) for seed in range(40)]
    observations = np.array([o for episode in episodes for first, *_ in episode for o in first.values()])
    states = np.array([last for episode in episodes for *_, last in episode])
    spec, fillable = env.observation_spec, min(env.scene.robots - 1, env.scene.robot.neighbours)
    start = spec.slice("neighbours").start + fillable * len(NEIGHBOUR)
    empty = range(start, spec.slice("neighbours").stop)
    constant = {int(i) for i in np.flatnonzero(np.ptp(observations, axis=0) == 0.0)}
    assert constant == set(empty), [spec.element(i) for i in constant]
    assert not observations[:, start : empty.stop].any()
    still = [env.state_spec.element(int(i)) for i in np.flatnonzero(np.ptp(states, axis=0) == 0.0)]
    assert not still


@pytest.mark.parametrize("scene", SCENES)
def test_infos_count_alike_for_all_and_never_backwards(make: Callable[..., WarehouseEnv], scene: str) -> None:
    env = make(scene)
    last: dict[str, dict[str, Any]] = {}
    for returned in play(env, seed=6, choose=mostly_go):
        infos = returned[-2]
        for agent, info in infos.items():
            assert set(info) == {"deliveries", "picks", "robot_contacts", "rack_contacts", "distance"}
            assert 0 <= info["picks"] - info["deliveries"] <= 1
            assert all(info[name] >= value for name, value in last.get(agent, {}).items())
            assert info["distance"] - last.get(agent, info)["distance"] < 1.2 * 0.4 + 0.01  # top speed for a decision
        last = infos


@pytest.mark.parametrize("scene", SCENES)
def test_a_robot_alone_gets_the_start_and_the_orders_that_it_has_in_the_fleet(
    make: Callable[..., WarehouseEnv], scene: str
) -> None:
    fleet, alone = make(scene), make(scene, robots=1)

    def tracks(env: WarehouseEnv, seed: int, first: int = 0) -> tuple[NDArray[np.float32], list[list[list[float]]]]:
        """Return the state at the start, a row for each robot, and the goals that each is sent to."""
        rng = np.random.default_rng(seed)
        env.reset(seed=seed, options={"first_robot": first})
        starts = env.state()[:-1].reshape(-1, 10)
        goals: list[list[list[float]]] = [[] for _ in env.agents]
        while env.agents:
            for own, goal in zip(goals, env.state()[:-1].reshape(-1, 10)[:, 6:8].tolist(), strict=True):
                if own[-1:] != [goal]:
                    own.append(goal)
            env.step({agent: mostly_go(rng) for agent in env.agents})
        return starts, goals

    second_orders = 0
    for seed in range(21, 27):
        starts, goals = tracks(fleet, seed)
        for i in range(min(fleet.scene.robots, 3)):
            own_start, (own_goals,) = tracks(alone, seed, first=i)
            # All but the path ahead: a fleet is led another way round than a robot alone.
            np.testing.assert_array_equal(own_start[0][:-1], starts[i][:-1])
            both = min(len(own_goals), len(goals[i]))
            assert own_goals[:both] == goals[i][:both]
            second_orders += both >= 3
    assert second_orders


@pytest.mark.slow
@pytest.mark.parametrize("drive", DRIVE_MODELS)
def test_two_thousand_resets_do_not_grow_memory(make: Callable[..., WarehouseEnv], drive: DriveModel) -> None:
    env, process = make("small", drive=drive), psutil.Process()

    def churn(resets: int) -> int:
        for seed in range(resets):
            env.reset(seed=seed)
            if drive == "velocity" or seed % 20 == 0:
                env.step(dict.fromkeys(env.agents, GO))
        return int(process.memory_info().rss)

    settled = churn(200)
    assert churn(2_000) - settled < 2_000_000  # bytes
