"""What an episode brought, and how often something happened per robot-hour of simulated time.

contact: a robot begins to touch a robot (or a rack). deadlock: a robot drives less than 0.5 m in 20 s; counted when it
begins. throughput: deliveries per robot-hour.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    """What was counted, summed over the agents: deliveries, robot_contacts, rack_contacts, deadlocks and others."""


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
        return Episode(math.nan, self._length, {**totals, "deadlocks": float(self._deadlocks)})


def merge(alone: Sequence[Episode]) -> Episode:
    """Return the episodes of robots that were each alone, all of one length, as one episode of their fleet."""
    first, *others = alone
    assert all(episode.length == first.length for episode in others)
    totals = {name: sum(episode.totals[name] for episode in alone) for name in first.totals}
    return Episode(math.nan, first.length, totals)


def per_robot_hour(name: str, episodes: Sequence[Episode], scene: SceneConfig) -> float:
    """Return how often `name` was counted in all the episodes, per robot-hour of simulated time."""
    # hours = sum of T * n * dt / 3600 s, for T decisions of n robots every dt seconds.
    hours = sum(episode.length for episode in episodes) * scene.robots * scene.decision_period / 3600
    return sum(episode.totals[name] for episode in episodes) / hours


def throughput(episodes: Sequence[Episode], scene: SceneConfig) -> float:
    """Return the deliveries per robot-hour of all the episodes."""
    return per_robot_hour("deliveries", episodes, scene)
