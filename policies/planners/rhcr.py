"""Rolling-horizon planning in space and time: everybody's way for the next seconds, planned anew every second.

After Li, Tinka, Kiesel, Durham, Kumar and Koenig, "Lifelong Multi-Agent Path Finding in Large-Scale Warehouses" (RHCR,
2021): conflicts are resolved within a window only. In it, prioritized planning: one robot after the other takes the
cheapest way around those before it; then large-neighbourhood search (Li, Chen, Harabor, Stuckey and Koenig, "Anytime
Multi-Agent Path Finding via Large Neighborhood Search", 2021) plans small groups anew and keeps what is better.

Robots never keep to a plan's times exactly. What is executed is the order in which they visit each cell (Hönig et al.,
"Persistent and Robust Execution of MAPF Schedules in Warehouses", 2019): the planned times are the ranks of
`policies.planners.ways`.
"""

import numpy as np
from numpy.typing import NDArray

from policies.planners.departures import Departures
from policies.planners.driving import LONGEST
from policies.planners.fields import Fields
from policies.planners.space_time import FOREVER, LEAVE, STAY, Grid, Trip, hold, hold_way, nothing_held, release, search
from policies.planners.ways import Ways
from sim.warehouse import Warehouse

WINDOW = 12.0
"""How far ahead is planned [s]."""
EVERY, EVERY_PER_PAIR = 1.0, 0.3
"""All is planned anew after at most so long, or so long for each pair of robots, as two or three are soon planned, and
whenever a robot gets another goal [s]."""
IMPROVEMENTS, IMPROVEMENTS_PER_ROBOT = 24, 3
"""How many groups are planned anew to improve a plan: at least, and for each robot."""
LARGEST_GROUP = 5
"""Robots in a group at most."""
CORNER, BACK = 0.1, 1.2
"""What a corner costs that is driven at speed, and what turning back costs [s]."""
START, PIVOT = 0.3, 1.0
"""What it costs to start from rest, and to turn in place before [s]."""
NO_WAY = 3 * WINDOW
"""What it costs to have no way [s]."""
OLD = 15.0
"""A second of an order that is so old counts twice, and more as it gets older: nobody waits for ever [s]."""
SLACK = 0.3
"""How much longer a robot that has not been planned yet is taken to need, to get out of its cell [s]."""


class Rhcr:
    """Plans the ways of a fleet, control period by control period.

    Args:
        warehouse: the warehouse, after its reset.
        ways: the robots' ways.
        fields: path lengths over the map.
        seed: of the random choices of groups.
    """

    def __init__(self, warehouse: Warehouse, ways: Ways, fields: Fields, seed: int = 0) -> None:
        robot, n, cells = warehouse.scene.robot, warehouse.scene.robots, warehouse.layout.blocked.size
        self._warehouse, self._ways, self._fields, self._n = warehouse, ways, fields, n
        self._random = np.random.default_rng(seed)
        leg = 1.0 / robot.max_speed
        self._grid = Grid(fields.around, fields.extra * leg, fields.way_out, _turns(), leg)
        self._departures = Departures(warehouse, ways, self._grid.leg)
        self._held = nothing_held(cells, 2 * n + 16)
        self._cells, self._times = np.zeros((n, LONGEST), np.int64), np.zeros((n, LONGEST))
        self._counts, self._until = np.zeros(n, np.int64), np.zeros(n)
        self._costs, self._least = np.zeros(n), np.zeros(n)
        self._order = list(range(n))
        self._goals = ways.course.goals.copy()
        self._given, self._weights = np.zeros(n), np.ones(n)
        self._ticks, self._period = 0, warehouse.scene.control_period
        self._every = max(1, round(min(EVERY, EVERY_PER_PAIR * n * (n - 1) / 2) / self._period))

    def plan(self) -> None:
        """Plan all ways anew, if it is time or a robot has just got another goal: the others' best ways change too."""
        goals = self._ways.course.goals
        new = np.flatnonzero(goals != self._goals).tolist()
        self._goals[:] = goals
        now = self._ticks * self._period
        self._given[new] = now
        self._weights[:] = 1.0 + ((now - self._given) / OLD) ** 2
        if new or self._ticks % self._every == 0:
            self._departures.decide()
            self._departures.estimate(now)
            self._plan_all(now)
            self._follow(now)
        self._ticks += 1

    def _plan_all(self, now: float) -> None:
        leg, starts = self._grid.leg, self._departures.cells
        self._held.counts[:] = 0
        for robot in range(self._n):
            goal = int(self._goals[robot])
            cells = self._fields.to(goal)[starts[robot]] + self._fields.way_out[goal]
            self._least[robot] = self._departures.times[robot] + cells * leg
            self._stand(robot)
        for robot in self._order:
            self._plan_one(robot, now)
        for _ in range(max(IMPROVEMENTS, IMPROVEMENTS_PER_ROBOT * self._n) if self._n > 1 else 0):
            self._improve(now)

    def _stand(self, robot: int) -> None:
        """Reserve what a robot holds that has not been planned: its cell, until it can surely be out of it."""
        release(self._held, robot)
        self._departures.hold(self._held, robot)
        cell, facing = self._departures.cells[robot], self._departures.facings[robot]
        slowest = self._grid.turns[facing][self._grid.around[cell] >= 0].max()
        hold(self._held, cell, -FOREVER, self._departures.times[robot] + slowest + LEAVE + SLACK, robot)

    def _plan_one(self, robot: int, now: float) -> None:
        """Find a robot's way around all that is reserved, and reserve it."""
        release(self._held, robot)
        departures, goal = self._departures, int(self._goals[robot])
        cell, begin = int(departures.cells[robot]), float(departures.times[robot])
        trip = Trip(cell, begin, int(departures.facings[robot]), goal, now + WINDOW)
        cells, times = self._cells[robot], self._times[robot]
        count, cost, stays = search(trip, self._grid, self._fields.to(goal), self._held, cells, times)
        if count == 0:
            cells[0], times[0], count, stays = cell, begin, 1, True
            cost = now + NO_WAY + self._fields.to(goal)[cell] * self._grid.leg
        self._counts[robot], self._costs[robot] = count, cost
        self._until[robot] = now + WINDOW + STAY if stays else times[count - 1] + STAY
        departures.hold(self._held, robot)
        hold_way(self._held, cells, times, count, self._until[robot], self._grid.leg, robot)

    def _improve(self, now: float) -> None:
        """Plan a group of robots anew, in another order, and keep that unless it is worse."""
        late = self._weights * np.maximum(self._costs - self._least, 0.0)
        if late.max() < 0.3:
            return
        group = self._group(late)
        plans = (self._cells, self._times, self._counts, self._costs, self._until)
        kept, cost = [plan[group].copy() for plan in plans], self._weights[group] @ self._costs[group]
        for robot in group:
            self._stand(robot)
        order = group if self._random.random() < 0.5 else self._random.permutation(group).tolist()
        for robot in order:
            self._plan_one(robot, now)
        if self._weights[group] @ self._costs[group] <= cost:
            self._order = order + [robot for robot in self._order if robot not in group]
            return
        for plan, values in zip(plans, kept, strict=True):
            plan[group] = values
        for robot in group:
            release(self._held, robot)
        for robot in group:
            self._departures.hold(self._held, robot)
            cells, times, count = self._cells[robot], self._times[robot], int(self._counts[robot])
            hold_way(self._held, cells, times, count, self._until[robot], self._grid.leg, robot)

    def _group(self, late: NDArray[np.float64]) -> list[int]:
        """Return robots to plan anew: one that is late, drawn by how late it is, and some near it."""
        first = int(self._random.choice(self._n, p=(late + 0.01) / (late + 0.01).sum()))
        size = min(self._n, int(self._random.integers(2, LARGEST_GROUP + 1)))
        offsets = self._warehouse.poses[:, :2] - self._warehouse.poses[first, :2]
        near = np.argsort(np.hypot(*offsets.T) + self._random.uniform(0.0, 3.0, self._n)).tolist()
        return [first, *(robot for robot in near if robot != first)][:size]

    def _follow(self, now: float) -> None:
        """Put the plans in place of what is not decided of the ways."""
        self._departures.rank_decided(now)
        for robot in range(self._n):
            self._ways.cut(robot, int(self._departures.keeps[robot]) + 1)
            for k in range(1, int(self._counts[robot])):
                self._ways.append(robot, int(self._cells[robot, k]), float(self._times[robot, k]))


def _turns() -> NDArray[np.float64]:
    """Return `Grid.turns`."""
    turns = np.full((6, 4), CORNER)
    for side in range(4):
        turns[side, side], turns[side, (side + 2) % 4] = 0.0, BACK
    turns[4], turns[5] = (START, START + PIVOT) * 2, (START + PIVOT, START) * 2
    return turns
