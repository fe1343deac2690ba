"""How good a fleet is: greedy episodes on fixed seeds, against robots that are each alone."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.agent import AgentNetwork
from policies.collector import Actor, play_episodes, random_actions
from policies.env_batch import EnvBatch
from policies.environments import EnvSource
from policies.episode import DecisionTimes, Episode, EpisodeMeter, throughput
from policies.fleet_policies import AlwaysGo, FleetPolicy
from policies.planners.episode import run_alone, run_planner
from policies.planners.names import ALWAYS_GO, PlannerName, PolicyName
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
        started = time.perf_counter()
        maneuvers = policy.act(observations)
        times.add(time.perf_counter() - started)
        return maneuvers

    for infos in play(env, seed, act, first_robot):
        meter.add(infos)
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
    planners: Sequence[PlannerName] = (),
    watch: LookOn | None = None,
) -> list[Row]:
    """Measure always-go, the given policies, planners, and the robots alone, on the seeds `seed`, `seed + 1`, ...

    Args:
        policies: what to measure besides always-go.
        scene: the scene, the fleet and the drive model.
        layout: its map.
        episodes: how many.
        seed: of the first episode.
        controller: replaces the built-in controller for the given policies.
        planners: which of them.
        watch: looks on while the given policies drive.

    Returns:
        One row a policy, in the order of the first sentence.
    """
    seeds = range(seed, seed + episodes)
    solo = run_solo(scene, layout, seeds)
    alone = throughput(solo, scene)
    rows = [_evaluate_policy(AlwaysGo(), scene, layout, seeds, alone)]
    rows += [_evaluate_policy(policy, scene, layout, seeds, alone, controller, watch) for policy in policies]
    planned = [_evaluate_planner(name, scene, layout, seeds, alone) for name in planners]
    return [*rows, *planned, make_row("solo", scene, solo, alone)]


def evaluate_without_run(
    names: Sequence[PolicyName],
    scene: SceneConfig,
    layout: Layout,
    episodes: int,
    seed: int,
    watch: LookOn | None = None,
) -> list[Row]:
    """Measure policies that need no run, and the robots alone; arguments and rows as in `evaluate_fleet`.

    Whoever looks on sees the first of them.
    """
    seeds = range(seed, seed + episodes)
    solo = run_solo(scene, layout, seeds)
    alone = throughput(solo, scene)
    rows = [
        _evaluate_policy(AlwaysGo(), scene, layout, seeds, alone, watch=watch if name == names[0] else None)
        if name == ALWAYS_GO
        else _evaluate_planner(name, scene, layout, seeds, alone, watch if name == names[0] else None)
        for name in dict.fromkeys(names)
    ]
    return [*rows, make_row("solo", scene, solo, alone)]


def _evaluate_policy(
    policy: FleetPolicy,
    scene: SceneConfig,
    layout: Layout,
    seeds: Iterable[int],
    alone: float,
    controller: Controller | None = None,
    watch: LookOn | None = None,
) -> Row:
    env = WarehouseEnv(scene, layout=layout, controller=controller)
    with nullcontext() if watch is None else watch(env.warehouse, policy):
        row = make_row(policy.name, scene, [run_episode(env, policy, seed) for seed in seeds], alone)
    env.close()
    return row


def _evaluate_planner(
    name: PlannerName,
    scene: SceneConfig,
    layout: Layout,
    seeds: Iterable[int],
    alone: float,
    watch: LookOn | None = None,
) -> Row:
    short = Warehouse(dataclasses.replace(scene, time_limit=scene.decision_period), layout)
    run_planner(short, name, 0)  # compiles what no decision should be told to wait for
    short.close()
    warehouse = Warehouse(scene, layout)
    with nullcontext() if watch is None else watch(warehouse, name):
        played = [run_planner(warehouse, name, seed) for seed in seeds]
    warehouse.close()
    return make_row(name, scene, played, alone)


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
