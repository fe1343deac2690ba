"""Episodes that a central planner drives, in the same warehouse, with the same starts and orders as anybody else's."""

import time
from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args

import numpy as np

from policies.episode import Episode, EpisodeMeter, merge
from policies.planners.alone import Alone
from policies.planners.fields import Fields
from policies.planners.pibt import Pibt
from policies.planners.rhcr import Rhcr
from policies.planners.ways import Ways
from sim.layout import Layout
from sim.scene import SceneConfig
from sim.warehouse import Warehouse

PlannerName = Literal["pibt", "rhcr"]
PLANNERS: tuple[PlannerName, ...] = get_args(PlannerName)


class Planner(Protocol):
    """Lengthens the ways of all robots."""

    def plan(self) -> None:
        """Decide what there is to decide in this control period."""


@dataclass(frozen=True)
class PlannedEpisode:
    """An episode, and what its decisions took."""

    episode: Episode
    mean_ms: float
    """Of all control periods: time to decide for the whole fleet [ms]."""
    max_ms: float
    """The longest [ms]; in a process's first episode that includes loading compiled code."""


def run_planner(warehouse: Warehouse, name: PlannerName, seed: int) -> PlannedEpisode:
    """Play an episode that a planner drives.

    Args:
        warehouse: where; it is reset.
        name: of the planner.
        seed: of the episode, and of what the planner draws.

    Raises:
        InputError: the seed is negative.
    """
    warehouse.reset(seed)
    fields = Fields(warehouse.layout)
    ways = Ways(warehouse, fields, firm=name == "pibt")
    planner = Pibt(warehouse, ways, fields) if name == "pibt" else Rhcr(warehouse, ways, fields, seed)
    return _play(warehouse, ways, planner)


def run_alone(scene: SceneConfig, layout: Layout, seed: int) -> Episode:
    """Play an episode of each robot alone, with the start and the orders that it has in the fleet; return their sum."""
    warehouse = Warehouse(replace(scene, robots=1), layout)
    fields, episodes = Fields(layout), []
    for robot in range(scene.robots):
        warehouse.reset(seed, robot)
        ways = Ways(warehouse, fields)
        episodes.append(_play(warehouse, ways, Alone(warehouse, ways)).episode)
    warehouse.close()
    return merge(episodes)


def _play(warehouse: Warehouse, ways: Ways, planner: Planner) -> PlannedEpisode:
    scene, meter = warehouse.scene, EpisodeMeter(warehouse.scene)
    commands, took = np.zeros((scene.robots, 2)), []
    for _ in range(scene.decisions):
        warehouse.begin_decision()
        for _ in range(scene.ticks):
            ways.sense()
            started = time.perf_counter()
            planner.plan()
            took.append(1e3 * (time.perf_counter() - started))
            ways.command(commands)
            warehouse.tick(commands)
        warehouse.end_decision()
        meter.add(warehouse.infos())
    return PlannedEpisode(meter.episode(), float(np.mean(took)), float(np.max(took)))
