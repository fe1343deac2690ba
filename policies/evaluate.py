"""How good a fleet is: greedy episodes on fixed seeds, against robots that are each alone."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.actor import Actor, play_episodes, random_actions
from policies.agent import AgentNetwork
from policies.env_batch import EnvBatch
from policies.environments import EnvSource
from policies.episode import DecisionTimes, Episode, EpisodeMeter, throughput
from policies.fleet_policies import AlwaysGo, FleetPolicy
from policies.planners.episode import run_alone
from policies.planners.names import SOLO, PlannerName
from policies.results import ReturnRow, Row, make_row, mean_and_ci95
from sim.env import Controller, WarehouseEnv
from sim.layout import Layout, load_layout
from sim.scene import DriveModel, SceneConfig, open_scene
from sim.warehouse import Warehouse

LookOn = Callable[[Warehouse, FleetPolicy | PlannerName], AbstractContextManager[object]]
"""Looks on in a warehouse while somebody drives there, such as a recording."""


def play(
    env: WarehouseEnv, seed: int, act: Callable[[NDArray[np.float32]], NDArray[np.int64]], first_robot: int = 0
) -> Iterator[list[Mapping[str, Any]]]:
    """Play an episode in the warehouse, and yield the infos of all robots after each decision.

    Args:
        env: the warehouse.
        seed: of the episode.
        act: maneuvers [robots] from observations [robots, features].
        first_robot: as in `WarehouseEnv.reset`.
    """
    observations, _ = env.reset(seed, {"first_robot": first_robot})
    robots = env.possible_agents
    while env.agents:
        maneuvers = act(np.stack([observations[robot] for robot in robots]))
        observations, _, _, _, infos = env.step(dict(zip(robots, maneuvers.tolist(), strict=True)))
        yield [infos[robot] for robot in robots]


def run_episode(env: WarehouseEnv, policy: FleetPolicy, seed: int, first_robot: int = 0) -> Episode:
    """Return what a policy's episode brought, and what its decisions took; arguments as in `play`."""
    policy.reset(len(env.possible_agents))
    meter, times = EpisodeMeter(env.scene), DecisionTimes(env.scene, env.scene.ticks)

    def act(observations: NDArray[np.float32]) -> NDArray[np.int64]:
        started = time.thread_time()
        maneuvers = policy.act(observations)
        times.add(time.thread_time() - started)
        return maneuvers

    for infos in play(env, seed, act, first_robot):
        meter.add(infos)
    if env.warehouse.sensors.traffic is not None:
        times.add_to_periods(env.warehouse.sensors.traffic.took[1:])  # the first is the reset's
    return times.told_of(meter.episode())


def run_solo(scene: SceneConfig, layout: Layout, seeds: Iterable[int]) -> list[Episode]:
    """Play every robot of every episode alone in the warehouse, with the start and orders that it has in the fleet.

    Returns:
        One Episode a seed, summed over its robots: what a fleet without any interference would reach.
    """
    return [run_alone(scene, layout, seed) for seed in seeds]


def choose_scene(
    trained: SceneConfig, layout: Layout, scene: str | None, robots: int | None, drive: DriveModel
) -> tuple[SceneConfig, Layout]:
    """Return where to evaluate a policy: where it was trained, or elsewhere with the same robots.

    Args:
        trained: the scene of the training.
        layout: its map.
        scene: another scene, a name or a map file.
        robots: how many; by default as many as in training, or as another scene's map asks for.
        drive: the drive model.

    Raises:
        InputError: there is no such scene, or its map or the number of robots is not valid.
    """
    if scene is not None:
        layout = load_layout(scene)
        trained = dataclasses.replace(trained, layout=scene, robots=layout.robots)
    return open_scene(trained, robots, drive, layout)


def solo_throughput(scene: SceneConfig, layout: Layout, seeds: Iterable[int] = range(20)) -> float:
    """Return the deliveries per robot-hour of robots that are alone, as in `run_solo`."""
    return throughput(run_solo(scene, layout, seeds), scene)


def evaluate_fleet(
    policies: Sequence[FleetPolicy],
    scene: SceneConfig,
    layout: Layout,
    episodes: int = 20,
    seed: int = 0,
    controller: Controller | None = None,
    watch: LookOn | None = None,
) -> list[Row]:
    """Measure always-go, the given policies, and the robots alone, on the same seeds `seed`, `seed + 1`, ...

    Args:
        policies: what to measure besides always-go.
        scene: the scene, the fleet and the drive model.
        layout: its map.
        episodes: how many.
        seed: of the first episode.
        controller: replaces the built-in controller for the given policies.
        watch: looks on while the given policies drive.

    Returns:
        One row a policy, in the order of the first sentence.
    """
    seeds = range(seed, seed + episodes)
    solo = run_solo(scene, layout, seeds)
    alone = throughput(solo, scene)
    rows = []
    for policy in (AlwaysGo(scene.right_of_way), *policies):
        given = not isinstance(policy, AlwaysGo)
        with (
            WarehouseEnv(scene, layout=layout, controller=controller if given else None) as env,
            watch(env.warehouse, policy) if watch is not None and given else nullcontext(),
        ):
            rows.append(make_row(policy.name, scene, [run_episode(env, policy, s) for s in seeds], alone))
    return [*rows, make_row(SOLO, scene, solo, alone)]


def evaluate_returns(source: EnvSource, agent: AgentNetwork, name: str, episodes: int, seed: int) -> list[ReturnRow]:
    """Measure a trained network against random actions, in an environment that is no warehouse, on the same seeds.

    Args:
        source: the environment.
        agent: the network.
        name: what the table calls it.
        episodes: how many.
        seed: of the first; the others follow.
    """
    envs = EnvBatch(source, 1)
    rows = []
    for policy in ("random", name):
        returns, random = [], np.random.default_rng(seed)
        for episode in range(seed, seed + episodes):
            choose = partial(random_actions, random) if policy == "random" else Actor(agent, 1).best
            returns += [played.team_return for played in play_episodes(envs, [episode], choose)]
        rows.append(ReturnRow(policy, source.factory, episodes, *mean_and_ci95(returns)))
    envs.close()
    return rows
