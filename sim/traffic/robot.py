"""One robot's right of way as it runs on the robot, in plain Python."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sim.layout import Layout
from sim.scene import SceneConfig
from sim.traffic.broadcast import RECORD, RECORD_SIZE
from sim.traffic.claims import begin
from sim.traffic.right_of_way import keep_right_of_way
from sim.traffic.rules import rules_of
from sim.traffic.state import MEMORY, Heard, new_chart, new_scratch
from sim.traffic.ways import fill_costs_to

_GOALS = 64
"""Goals whose ways are remembered."""


class RightOfWay:
    """One robot's right of way.

    Args:
        layout: its own map, with the path costs for its fleet.
        scene: the robot, the control period, and whether it plans.
        name: its own number, which no other robot of the fleet has.
    """

    def __init__(self, layout: Layout, scene: SceneConfig, name: float) -> None:
        self._layout, self._rules, self._name = layout, rules_of(scene), name
        cells = layout.blocked.size
        self._chart, self._scratch = new_chart(layout.blocked, layout.costs), new_scratch(cells)
        self._to_goal = lru_cache(_GOALS)(self._costs_to)
        self._memory = np.zeros(len(MEMORY))
        self.record = np.zeros(RECORD_SIZE)
        """What it broadcasts, in the order of `RECORD` [RECORD_SIZE]."""
        self.seen = np.zeros(scene.robot.lidar_rays, np.float32)
        """The lidar ranges to drive by [rays], m: nearer than measured to what nobody tells of."""

    def begin(self, x: float, y: float) -> None:
        """Start anew at a place [m]: with no claim but the cell there, and nothing planned."""
        begin(self.record, self._memory, self._name, int(y) * self._layout.columns + int(x), self._rules)
        self._chart.closed.fill(False)
        self._chart.watched.fill(-1.0)

    def _costs_to(self, goal: int) -> NDArray[np.float64]:
        costs = np.empty(self._layout.blocked.size)
        fill_costs_to(goal, self._layout.costs, self._layout.columns, self._scratch.nowhere, costs)
        return costs

    def step(
        self,
        pose: tuple[float, float, float],
        velocity: tuple[float, float],
        carrying: bool,
        goal: int,
        lidar: NDArray[np.float32],
        heard: Heard,
    ) -> float:
        """Do one control period, after `begin`; return how far the robot may drive on its path [m].

        Args:
            pose: x, y [m], heading [rad].
            velocity: speed [m/s], turn rate [rad/s].
            carrying: on the way to a station.
            goal: the cell that it is sent to.
            lidar: ranges [rays], m.
            heard: what it heard, in the order of the names.
        """
        own = self.record
        own[RECORD.x], own[RECORD.y], own[RECORD.heading] = pose
        own[RECORD.speed], own[RECORD.turn_rate] = velocity
        own[RECORD.carrying] = carrying
        if self._memory[MEMORY.goal] != goal:
            self._chart.to_goal[:] = self._to_goal(goal)
        keep_right_of_way(
            own, self._memory, goal, lidar, self._chart, heard, self._scratch, self._rules, self.seen
        )  # fmt: skip
        return float(self._memory[MEMORY.room])
