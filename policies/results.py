"""Tables of an evaluation: their rows, and the rows for a terminal and as JSON.

What an episode brought, and throughput, are in `policies.episode`. efficiency: throughput over that of the same robots,
each alone in the warehouse, in the best motion that there is.
"""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from policies.communication import bytes_per_second
from policies.episode import Episode, per_robot_hour, throughput
from sim.scene import SceneConfig


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
    throughput_by_legs: float
    """Orders per robot-hour, counted by picks and deliveries, each half an order: less coarse in large warehouses."""
    throughput_by_legs_ci95: float
    """Half the width of its 95% confidence interval, over the episodes."""
    efficiency: float
    """Throughput over that of the same robots, each alone."""
    robot_contacts: float
    """Contacts with robots per robot-hour; each robot of a pair counts."""
    rack_contacts: float
    """Contacts with racks or walls per robot-hour."""
    deadlocks: int
    """Deadlocks in all episodes."""
    empty_episodes: int
    """Episodes in which nothing was delivered."""
    decision_us: float
    """Mean processor time to decide, a robot and control period [us]; nan where it was not measured."""
    decision_us_p99: float
    """99% of the control periods took at most so long, a robot, in the mean of the episodes [us]; likewise."""
    radio_bytes: float
    """What a robot sends, and is sent by a planner, in a second [bytes]."""


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
    """Return the mean and half the width of its 95% confidence interval (Student's t; nan for a single value)."""
    from scipy.stats import t  # half a second to import, needed only here

    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan")
    return mean, float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))


def make_row(policy: str, scene: SceneConfig, episodes: Sequence[Episode], solo_throughput: float | None = None) -> Row:
    """Return the row of a policy; efficiency is its throughput over `solo_throughput`, by default over itself."""
    of_each = [throughput([episode], scene) for episode in episodes]
    by_legs = [per_robot_hour("legs", [episode], scene) / 2 for episode in episodes]
    of_all = throughput(episodes, scene)
    alone = of_all if solo_throughput is None else solo_throughput
    return Row(
        policy=policy,
        scene=Path(scene.layout).stem,
        robots=scene.robots,
        drive=scene.drive,
        episodes=len(episodes),
        throughput=of_all,
        throughput_ci95=mean_and_ci95(of_each)[1],
        throughput_by_legs=mean_and_ci95(by_legs)[0],
        throughput_by_legs_ci95=mean_and_ci95(by_legs)[1],
        efficiency=of_all / alone if alone else math.nan,
        robot_contacts=per_robot_hour("robot_contacts", episodes, scene),
        rack_contacts=per_robot_hour("rack_contacts", episodes, scene),
        deadlocks=round(sum(episode.totals["deadlocks"] for episode in episodes)),
        empty_episodes=sum(episode.totals["deliveries"] == 0 for episode in episodes),
        decision_us=float(np.mean([episode.decision_us for episode in episodes])),
        decision_us_p99=float(np.mean([episode.decision_us_p99 for episode in episodes])),
        radio_bytes=bytes_per_second(policy, scene),
    )


def without_times(rows: Sequence[Row]) -> list[Row]:
    """Return the rows without what decisions took, which differs from day to day: for files that are to be equal."""
    return [dataclasses.replace(row, decision_us=math.nan, decision_us_p99=math.nan) for row in rows]


def as_table(rows: Sequence[Row] | Sequence[ReturnRow]) -> Table:
    """Return the rows for a terminal."""
    first = rows[0]
    if isinstance(first, ReturnRow):
        table = Table("policy", "team return", title=f"{first.env}, {first.episodes} episodes")
        for row in rows:
            assert isinstance(row, ReturnRow)
            table.add_row(row.policy, f"{row.team_return:.2f} ± {row.team_return_ci95:.2f}")
        return table
    table = Table(
        title=f"{first.scene}, {first.robots} robots, drive {first.drive}, {first.episodes} episodes",
        caption="throughput: deliveries per robot-hour, with 95% interval; by legs: picks and deliveries, each half; "
        "contacts per robot-hour; us: processor time to decide, a robot and control period, mean and 99%",
    )
    table.add_column("policy")
    for name in ("throughput", "by legs", "efficiency", "robot contacts", "rack contacts", "deadlocks", "us (99%)"):
        table.add_column(name, justify="right")
    for row in rows:
        assert isinstance(row, Row)
        table.add_row(
            row.policy,
            f"{row.throughput:.1f} ± {row.throughput_ci95:.1f}",
            f"{row.throughput_by_legs:.1f}",
            f"{row.efficiency:.2f}",
            f"{row.robot_contacts:.2f}",
            f"{row.rack_contacts:.2f}",
            str(row.deadlocks),
            "" if math.isnan(row.decision_us) else f"{row.decision_us:.1f} ({row.decision_us_p99:.0f})",
        )
    return table


def as_json(rows: Sequence[Row] | Sequence[ReturnRow]) -> str:
    """Return the rows as a JSON list; what is no number is null."""
    values = [{k: None if v != v else v for k, v in dataclasses.asdict(row).items()} for row in rows]
    return json.dumps(values, indent=2) + "\n"
