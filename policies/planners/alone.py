"""The planner of a robot that is alone: straight along its shortest path, as fast as the tracking allows."""

from policies.planners.departures import Departures
from policies.planners.ways import Ways
from sim.warehouse import Warehouse

AHEAD = 6
"""How many cells of its path a robot has before it."""


class Alone:
    """Gives each robot its own shortest path, diagonals too, whoever is in the way.

    Args:
        warehouse: the warehouse, after its reset.
        ways: the robots' ways.
    """

    def __init__(self, warehouse: Warehouse, ways: Ways) -> None:
        self._layout, self._ways = warehouse.layout, ways
        self._departures = Departures(warehouse, ways, 1.0 / warehouse.scene.robot.max_speed)
        self._goals = ways.course.goals.copy()

    def plan(self) -> None:
        """Lengthen each way; where there is a new goal, first take back what can be."""
        course = self._ways.course
        new = course.goals != self._goals
        if new.any():
            self._departures.decide()
        self._goals[:] = course.goals
        for robot, goal in enumerate(course.goals.tolist()):
            if new[robot]:
                self._ways.cut(robot, int(self._departures.keeps[robot]) + 1)
            following, cell = self._layout.path_field(goal).next_cell, int(self._ways.ends[robot])
            while cell != goal and course.counts[robot] <= course.heads[robot] + AHEAD:
                cell = int(following[cell])
                self._ways.append(robot, cell, 0.0)
