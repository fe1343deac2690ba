"""What an episode brought, and how often something happened per robot-hour of simulated time.

contact: a robot begins to touch a robot (or a rack). deadlock: a robot drives less than 0.5 m in 20 s; counted when it
begins. throughput: deliveries per robot-hour. leg: half an order, a pick or a delivery; few orders are completed in a
minute in a large warehouse, so legs tell more there.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sim.scene import SceneConfig

DEADLOCK_DISTANCE = 0.5
"""A robot that drives less than this [m] ..."""
DEADLOCK_TIME = 20.0
"""... in this time [s] is deadlocked."""


@dataclass(frozen=True)
class Episode:
    """What one episode brought."""

    team_return: float
    """Sum of the team's rewards, not discounted; `math.nan` (itself, so that equal episodes are equal) if unknown."""
    length: int
    """Env steps, which are decisions in a warehouse."""
    totals: dict[str, float]
    """What was counted, summed over the agents: deliveries, legs, robot_contacts, rack_contacts, deadlocks, others."""
    decision_us: float = field(default=math.nan, compare=False)
    """Mean processor time to decide, a robot and control period [us]; nan where it was not measured."""
    decision_us_p99: float = field(default=math.nan, compare=False)
    """99% of the control periods took at most so long, a robot [us]; likewise."""
    robots: int | None = None
    """Robots of the fleet, where it may be another than the scene's."""


class DecisionTimes:
    """How much processor time the decisions of a fleet take: what other processes do beside it does not count.

    Args:
        scene: the fleet.
        periods: control periods that a decision is good for; in all of them but the first nothing is decided.
    """

    def __init__(self, scene: SceneConfig, periods: int = 1) -> None:
        self._robots, self._idle, self._took = scene.robots, [0.0] * (periods - 1), list[float]()

    def add(self, seconds: float) -> None:
        """Note what one decision took for the whole fleet, by `time.thread_time` [s]."""
        self._took += [1e6 * seconds / self._robots, *self._idle]

    def add_to_periods(self, seconds: Sequence[float]) -> None:
        """Note what else was decided for the whole fleet, in each of the control periods up to now [s]."""
        self._took = [took + 1e6 * more / self._robots for took, more in zip(self._took, seconds, strict=True)]

    def told_of(self, episode: Episode) -> Episode:
        """Return the episode with what its decisions took."""
        mean, p99 = float(np.mean(self._took)), float(np.percentile(self._took, 99))
        return replace(episode, decision_us=mean, decision_us_p99=p99)


class EpisodeMeter:
    """Measures an episode in a warehouse while it runs, decision by decision, from the infos of its robots."""

    def __init__(self, scene: SceneConfig) -> None:
        window = round(DEADLOCK_TIME / scene.decision_period)
        self._driven = deque([[0.0] * scene.robots], maxlen=window + 1)
        self._stuck = [False] * scene.robots
        self._length, self._deadlocks = 0, 0
        self._infos: Sequence[Mapping[str, Any]] = ()

    def add(self, infos: Sequence[Mapping[str, Any]]) -> None:
        """Measure a decision; `infos` are each robot's counts since the reset, as `Warehouse.infos` gives them."""
        self._infos = infos
        self._length += 1
        self._driven.append([info["distance"] for info in infos])
        if len(self._driven) == self._driven.maxlen:
            now, then = self._driven[-1], self._driven[0]
            still = [a - b < DEADLOCK_DISTANCE for a, b in zip(now, then, strict=True)]
            self._deadlocks += sum(is_ and not was for is_, was in zip(still, self._stuck, strict=True))
            self._stuck = still

    def episode(self) -> Episode:
        """Return what was measured up to now."""
        names = ("deliveries", "robot_contacts", "rack_contacts")
        totals = {name: float(sum(info[name] for info in self._infos)) for name in names}
        # Of an order type that has no picks each delivery counts as two legs.
        picks = float(sum(info.get("picks", info["deliveries"]) for info in self._infos))
        counts = {**totals, "legs": totals["deliveries"] + picks, "deadlocks": float(self._deadlocks)}
        return Episode(math.nan, self._length, counts)


def merge(alone: Sequence[Episode]) -> Episode:
    """Return the episodes of robots that were each alone, all of one length, as one episode of their fleet."""
    first, *others = alone
    assert all(episode.length == first.length for episode in others)
    totals = {name: sum(episode.totals[name] for episode in alone) for name in first.totals}
    return Episode(math.nan, first.length, totals)


def per_robot_hour(name: str, episodes: Sequence[Episode], scene: SceneConfig) -> float:
    """Return how often `name` was counted in all the episodes, per robot-hour of simulated time."""
    # hours = sum of T * n * dt / 3600 s over the episodes, for T decisions of n robots every dt seconds.
    steps = sum(episode.length * (episode.robots or scene.robots) for episode in episodes)
    hours = steps * scene.decision_period / 3600
    return sum(episode.totals[name] for episode in episodes) / hours


def throughput(episodes: Sequence[Episode], scene: SceneConfig) -> float:
    """Return the deliveries per robot-hour of all the episodes."""
    return per_robot_hour("deliveries", episodes, scene)
