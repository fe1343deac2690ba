"""How good a fleet is: greedy episodes on fixed seeds, against the bound of robots that are alone.

throughput: deliveries per robot-hour of simulated time. efficiency: throughput over that of the same robots, each alone in the hall
and always going. contact: a robot begins to touch a robot (or a rack); per robot-hour. deadlock: a robot drives less than 0.5 m in
20 s; counted when it begins.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table

from policies.agent import AgentNetwork
from policies.planners import AlwaysGo
from sim.env import Controller, WarehouseEnv
from sim.errors import InputError
from sim.layout import Layout, load_layout
from sim.scene import DriveModel, SceneConfig

DEADLOCK_DISTANCE = 0.5
"""A robot that drives less than this [m] ..."""
DEADLOCK_TIME = 20.0
"""... in this time [s] is deadlocked."""


class FleetPolicy(Protocol):
    """Chooses the maneuvers of a fleet; each robot's from its own row of the observations alone."""

    name: str

    def reset(self, robots: int) -> None:
        """Forgets the past, before an episode with that many robots."""

    def act(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        """Maneuvers [robots] from observations [robots, features]."""


class GreedyPolicy:
    """A trained network's best maneuvers, computed with torch."""

    def __init__(self, agent: AgentNetwork, name: str) -> None:
        self.name = name
        self._agent = agent.eval()
        self._hidden = agent.initial_hidden(1)

    def reset(self, robots: int) -> None:
        """A fresh hidden state for each robot.

        Raises:
            InputError: the robots learned parameters of their own, and there are more or fewer of them.
        """
        if self._agent.sets > 1 and robots != self._agent.n_agents:
            raise InputError(
                f"robots is {robots}, but each of the {self._agent.n_agents} robots learned parameters of its own; "
                f"valid is {self._agent.n_agents}"
            )
        self._hidden = self._agent.initial_hidden(1, robots)

    @torch.no_grad()
    def act(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        """The maneuver with the largest Q value [robots]."""
        q, self._hidden = self._agent(torch.from_numpy(observations)[None, None], self._hidden)
        return q[0, 0].argmax(-1).numpy()


@dataclass(frozen=True)
class Episode:
    """What one episode brought, summed over its robots."""

    hours: float
    """Robot-hours of simulated time."""
    deliveries: int
    robot_contacts: int
    rack_contacts: int
    deadlocks: int


@dataclass(frozen=True)
class Row:
    """One line of the table that `evaluate` and `drive` print, and one object of their JSON."""

    policy: str
    scene: str
    robots: int
    drive: str
    episodes: int
    throughput: float
    """Deliveries per robot-hour."""
    throughput_ci95: float
    """Half the width of its 95% confidence interval, over the episodes."""
    efficiency: float
    """Throughput over the solo bound's."""
    robot_contacts: float
    """Contacts with robots per robot-hour; each robot of a pair counts."""
    rack_contacts: float
    """Contacts with racks or walls per robot-hour."""
    deadlocks: int
    """Deadlocks in all episodes."""
    empty_episodes: int
    """Episodes in which nothing was delivered."""


def run_episode(env: WarehouseEnv, policy: FleetPolicy, seed: int, first_robot: int = 0) -> Episode:
    """One greedy episode; `first_robot` as in `WarehouseEnv.reset`."""
    observations, infos = env.reset(seed, {"first_robot": first_robot})
    robots = env.possible_agents
    policy.reset(len(robots))
    window = round(DEADLOCK_TIME / env.scene.decision_period)
    driven = [[0.0] * len(robots)]
    stuck, deadlocks = [False] * len(robots), 0
    while env.agents:
        maneuvers = policy.act(np.stack([observations[robot] for robot in robots]))
        observations, _, _, _, infos = env.step(dict(zip(robots, maneuvers.tolist(), strict=True)))
        driven.append([infos[robot]["distance"] for robot in robots])
        if len(driven) > window:
            still = [now - then < DEADLOCK_DISTANCE for now, then in zip(driven[-1], driven[-1 - window], strict=True)]
            deadlocks += sum(now and not before for now, before in zip(still, stuck, strict=True))
            stuck = still
    total = {key: sum(info[key] for info in infos.values()) for key in infos[robots[0]]}
    hours = len(robots) * env.scene.decisions * env.scene.decision_period / 3600
    return Episode(hours, total["deliveries"], total["robot_contacts"], total["rack_contacts"], deadlocks)


def mean_and_ci95(values: Sequence[float]) -> tuple[float, float]:
    """The mean and half the width of its 95% confidence interval (Student's t; nan for a single value)."""
    from scipy.stats import t  # half a second to import, needed only here

    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan")
    return mean, float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))


def make_row(policy: str, scene: SceneConfig, episodes: Sequence[Episode], bound: float) -> Row:
    """The figures of some episodes; `bound` is the solo throughput that efficiency is measured by."""
    hours = sum(episode.hours for episode in episodes)
    throughput, ci95 = mean_and_ci95([episode.deliveries / episode.hours for episode in episodes])
    return Row(
        policy=policy,
        scene=Path(scene.layout).stem,
        robots=scene.robots,
        drive=scene.drive,
        episodes=len(episodes),
        throughput=throughput,
        throughput_ci95=ci95,
        efficiency=throughput / bound if bound else float("nan"),
        robot_contacts=sum(episode.robot_contacts for episode in episodes) / hours,
        rack_contacts=sum(episode.rack_contacts for episode in episodes) / hours,
        deadlocks=sum(episode.deadlocks for episode in episodes),
        empty_episodes=sum(episode.deliveries == 0 for episode in episodes),
    )


def run_solo(scene: SceneConfig, layout: Layout, seeds: Iterable[int]) -> list[Episode]:
    """Every robot of every episode alone in the hall, always going, with the very start and orders that it has in the fleet.

    Returns:
        One Episode a seed, summed over its robots: the bound that a fleet without any interference would reach.
    """
    env = WarehouseEnv(dataclasses.replace(scene, robots=1), layout=layout)
    bound = []
    for seed in seeds:
        alone = [run_episode(env, AlwaysGo(), seed, first_robot) for first_robot in range(scene.robots)]
        bound.append(Episode(*(sum(values) for values in zip(*map(dataclasses.astuple, alone), strict=True))))
    env.close()
    return bound


def choose_scene(
    trained: SceneConfig, layout: Layout, scene: str | None, robots: int | None, drive: DriveModel
) -> tuple[SceneConfig, Layout]:
    """Where to evaluate a policy: where it was trained, or elsewhere with the same robots.

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
    return dataclasses.replace(trained, robots=trained.robots if robots is None else robots, drive=drive), layout


def solo_throughput(scene: SceneConfig, layout: Layout, seeds: Iterable[int] = range(20)) -> float:
    """Deliveries per robot-hour of robots that are alone, as `run_solo`."""
    return _throughput(run_solo(scene, layout, seeds))


def _throughput(episodes: Sequence[Episode]) -> float:
    return sum(e.deliveries for e in episodes) / sum(e.hours for e in episodes)


def evaluate_fleet(
    policies: Sequence[FleetPolicy],
    scene: SceneConfig,
    layout: Layout,
    episodes: int = 20,
    seed: int = 0,
    controller: Controller | None = None,
) -> list[Row]:
    """Always-go, the given policies and the solo bound, on the same seeds `seed`, `seed + 1`, ...

    Args:
        policies: what to measure besides always-go.
        scene: the scene, the fleet and the drive model.
        layout: its map.
        episodes: how many.
        seed: of the first episode.
        controller: replaces the built-in controller for the given policies.

    Returns:
        One row a policy, in the order of the first sentence.
    """
    seeds = range(seed, seed + episodes)
    solo = run_solo(scene, layout, seeds)
    bound = _throughput(solo)
    rows = []
    for policy in (AlwaysGo(), *policies):
        env = WarehouseEnv(scene, layout=layout, controller=None if isinstance(policy, AlwaysGo) else controller)
        rows.append(make_row(policy.name, scene, [run_episode(env, policy, s) for s in seeds], bound))
        env.close()
    return [*rows, make_row("solo bound", scene, solo, bound)]


def as_table(rows: Sequence[Row]) -> Table:
    """The rows for a terminal."""
    first = rows[0]
    title = f"{first.scene}, {first.robots} robots, drive {first.drive}, {first.episodes} episodes"
    table = Table(title=title, caption="throughput: deliveries per robot-hour, with 95% interval; contacts per robot-hour")
    table.add_column("policy")
    for name in ("throughput", "efficiency", "robot contacts", "rack contacts", "deadlocks"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.policy,
            f"{row.throughput:.1f} ± {row.throughput_ci95:.1f}",
            f"{row.efficiency:.2f}",
            f"{row.robot_contacts:.2f}",
            f"{row.rack_contacts:.2f}",
            str(row.deadlocks),
        )
    return table


def as_json(rows: Sequence[Row]) -> str:
    """The rows as a JSON list; what is no number is null."""
    values = [{k: None if v != v else v for k, v in dataclasses.asdict(row).items()} for row in rows]
    return json.dumps(values, indent=2) + "\n"
