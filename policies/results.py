"""The figures of an evaluation: what an episode brought, a row of the table, and the table itself.

throughput: deliveries per robot-hour of simulated time. efficiency: throughput over that of the same robots, each alone
in the hall and always going. contact: a robot begins to touch a robot (or a rack); per robot-hour. deadlock: a robot
drives less than 0.5 m in 20 s; counted when it begins.
"""

import dataclasses
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from sim.scene import SceneConfig

DEADLOCK_DISTANCE = 0.5
"""A robot that drives less than this [m] ..."""
DEADLOCK_TIME = 20.0
"""... in this time [s] is deadlocked."""


@dataclass(frozen=True)
class Episode:
    """What one episode brought, summed over its robots."""

    hours: float
    """Robot-hours of simulated time."""
    deliveries: int
    robot_contacts: int
    rack_contacts: int
    deadlocks: int


class EpisodeMeter:
    """Measures an episode while it runs, decision by decision, from what `WarehouseEnv` tells in its infos."""

    def __init__(self, scene: SceneConfig) -> None:
        self._robots, self._period = scene.robots, scene.decision_period
        window = round(DEADLOCK_TIME / scene.decision_period)
        self._driven = deque([[0.0] * scene.robots], maxlen=window + 1)
        self._decisions = 0
        self._stuck = [False] * scene.robots
        self._deadlocks = 0
        self._infos: Sequence[Mapping[str, Any]] = ()

    def add(self, infos: Sequence[Mapping[str, Any]]) -> None:
        """A decision is over; `infos` are each robot's counts since the reset, as `Warehouse.infos` gives them."""
        self._infos = infos
        self._decisions += 1
        self._driven.append([info["distance"] for info in infos])
        if len(self._driven) == self._driven.maxlen:
            now, then = self._driven[-1], self._driven[0]
            still = [a - b < DEADLOCK_DISTANCE for a, b in zip(now, then, strict=True)]
            self._deadlocks += sum(is_ and not was for is_, was in zip(still, self._stuck, strict=True))
            self._stuck = still

    def episode(self) -> Episode:
        """The figures up to now."""
        hours = self._robots * self._decisions * self._period / 3600
        deliveries, robots, racks = (
            sum(info[key] for info in self._infos) for key in ("deliveries", "robot_contacts", "rack_contacts")
        )
        return Episode(hours, deliveries, robots, racks, self._deadlocks)


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


@dataclass(frozen=True)
class ReturnRow:
    """The same for an environment that is no warehouse, of which only rewards are known."""

    policy: str
    env: str
    episodes: int
    team_return: float
    """Sum of the team's rewards in an episode, not discounted."""
    team_return_ci95: float
    """Half the width of its 95% confidence interval, over the episodes."""


def mean_and_ci95(values: Sequence[float]) -> tuple[float, float]:
    """The mean and half the width of its 95% confidence interval (Student's t; nan for a single value)."""
    from scipy.stats import t  # half a second to import, needed only here

    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan")
    return mean, float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))


def throughput_of(episodes: Sequence[Episode]) -> float:
    """Deliveries per robot-hour of all episodes together."""
    return sum(e.deliveries for e in episodes) / sum(e.hours for e in episodes)


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


def as_table(rows: Sequence[Row] | Sequence[ReturnRow]) -> Table:
    """The rows for a terminal."""
    first = rows[0]
    if isinstance(first, ReturnRow):
        table = Table("policy", "team return", title=f"{first.env}, {first.episodes} episodes")
        for row in rows:
            assert isinstance(row, ReturnRow)
            table.add_row(row.policy, f"{row.team_return:.2f} ± {row.team_return_ci95:.2f}")
        return table
    table = Table(
        title=f"{first.scene}, {first.robots} robots, drive {first.drive}, {first.episodes} episodes",
        caption="throughput: deliveries per robot-hour, with 95% interval; contacts per robot-hour",
    )
    table.add_column("policy")
    for name in ("throughput", "efficiency", "robot contacts", "rack contacts", "deadlocks"):
        table.add_column(name, justify="right")
    for row in rows:
        assert isinstance(row, Row)
        table.add_row(
            row.policy,
            f"{row.throughput:.1f} ± {row.throughput_ci95:.1f}",
            f"{row.efficiency:.2f}",
            f"{row.robot_contacts:.2f}",
            f"{row.rack_contacts:.2f}",
            str(row.deadlocks),
        )
    return table


def as_json(rows: Sequence[Row] | Sequence[ReturnRow]) -> str:
    """The rows as a JSON list; what is no number is null."""
    values = [{k: None if v != v else v for k, v in dataclasses.asdict(row).items()} for row in rows]
    return json.dumps(values, indent=2) + "\n"
