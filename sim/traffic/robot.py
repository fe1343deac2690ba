"""One robot's right of way as it runs on the robot, in plain Python."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sim.layout import Layout
from sim.traffic.broadcast import RECORD, RECORD_SIZE
from sim.traffic.claims import begin
from sim.traffic.right_of_way import keep_right_of_way
from sim.traffic.rules import Rules
from sim.traffic.state import MEMORY, Chart, Heard, new_scratch
from sim.traffic.ways import fill_costs_to

_GOALS = 64
"""Goals whose ways are remembered."""


class RightOfWay:
    """One robot's right of way.

    Args:
        layout: its own map.
        rules: distances and times.
        name: its own number, which no other robot of the fleet has.
        x: where it is at first [m].
        y: where it is at first [m].
    """

    def __init__(self, layout: Layout, rules: Rules, name: int, x: float, y: float) -> None:
        self._layout, self._rules = layout, rules
        self._costs = layout.costs
        self._scratch = new_scratch(layout.blocked.size)
        self._to_goal = lru_cache(_GOALS)(self._costs_to)
        self._memory = np.zeros(len(MEMORY))
        self.record = np.zeros(RECORD_SIZE)
        """What it broadcasts, in the order of `RECORD` [RECORD_SIZE]."""
        begin(self.record, self._memory, float(name), int(y) * layout.columns + int(x), rules)

    def _costs_to(self, goal: int) -> NDArray[np.float64]:
        costs = np.empty(self._layout.blocked.size)
        fill_costs_to(goal, self._costs, self._layout.columns, np.zeros(len(costs), np.bool_), costs)
        return costs

    def step(
        self,
        pose: tuple[float, float, float],
        velocity: tuple[float, float],
        carrying: bool,
        goal: int,
        heard: Heard,
    ) -> float:
        """Do one control period; return how far the robot may drive on its path [m]. The rest is in `record`.

        Args:
            pose: x, y [m], heading [rad].
            velocity: speed [m/s], turn rate [rad/s].
            carrying: on the way to a station.
            goal: the cell that it is sent to.
            heard: what it heard.
        """
        own = self.record
        own[RECORD.x], own[RECORD.y], own[RECORD.heading] = pose
        own[RECORD.speed], own[RECORD.turn_rate] = velocity
        own[RECORD.carrying] = carrying
        chart = Chart(self._layout.blocked, self._costs, self._to_goal(goal))
        keep_right_of_way(own, self._memory, goal, chart, heard, self._scratch, self._rules)
        return float(self._memory[MEMORY.room])
