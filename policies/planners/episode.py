"""Episodes that a central planner drives, in the same warehouse, with the same starts and orders as anybody else's."""

import time
from dataclasses import replace
from typing import Protocol

import numpy as np

from policies.episode import DecisionTimes, Episode, EpisodeMeter, merge
from policies.planners.alone import Alone
from policies.planners.fields import Fields
from policies.planners.names import PlannerName
from policies.planners.pibt import Pibt
from policies.planners.rhcr import Rhcr
from policies.planners.ways import Ways
from sim.layout import Layout
from sim.scene import SceneConfig
from sim.warehouse import Warehouse


class Planner(Protocol):
    """Lengthens the ways of all robots."""

    def plan(self) -> None:
        """Decide what there is to decide in this control period."""


def run_planner(warehouse: Warehouse, name: PlannerName, seed: int) -> Episode:
    """Return an episode that a planner drives, with the time that its decisions take.

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
    warehouse = Warehouse(replace(scene, robots=1, right_of_way="none"), layout.guided(1))
    fields, episodes = Fields(layout), []
    for robot in range(scene.robots):
        warehouse.reset(seed, robot)
        ways = Ways(warehouse, fields)
        episodes.append(_play(warehouse, ways, Alone(warehouse, ways)))
    warehouse.close()
    return merge(episodes)


def _play(warehouse: Warehouse, ways: Ways, planner: Planner) -> Episode:
    scene, meter, times = warehouse.scene, EpisodeMeter(warehouse.scene), DecisionTimes(warehouse.scene)
    commands = np.zeros((scene.robots, 2))
    for _ in range(scene.decisions):
        warehouse.begin_decision()
        for _ in range(scene.ticks):
            ways.sense()
            started = time.thread_time()
            planner.plan()
            times.add(time.thread_time() - started)
            ways.command(commands)
            warehouse.tick(commands)
        warehouse.end_decision()
        meter.add(warehouse.infos())
    return times.told_of(meter.episode())
