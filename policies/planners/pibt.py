"""Priority inheritance with backtracking, without rounds: a cell is claimed when a robot needs it.

After Okumura, Machida, Défago and Tamura, "Priority Inheritance with Backtracking for Iterative Multi-agent Path
Finding" (2022). There all robots step at once; here each one claims its next cell when little of its way is left, so
that none waits for another one's step to end:

- A cell that another robot's way ends in can't be claimed. One that the other is going to leave can, and is entered
  when it has been left: first come, first served (`policies.planners.ways`).
- A robot whose wanted cell is the end of another one's way asks that one to make way, if its own priority is higher.
  Who is asked claims the best of its neighbour cells that can be had; where others' ways end there it asks on, with the
  priority that it was asked with, but none of those that ask: so nobody waits in a circle.
- Where the one asked stands in a dead end with no room to dodge, the two change priorities: it has to come out first.
- The priority is the age of the order. Who has been refused for too long starts anew.
"""

import numpy as np

from policies.planners.fields import Fields
from policies.planners.ways import Ways
from sim.warehouse import Warehouse

CLAIM_AHEAD = 1.6
"""A robot claims its next cell when less of its way is left than this [m]."""
MOST_ASKED = 3.5
"""Who has more of its way left than this is not asked to make way [m]."""
PATIENCE = 3.0
"""Who has been refused its next cell for so long starts anew, with the lowest priority [s]."""


class Pibt:
    """Claims cells for a fleet, control period by control period.

    Args:
        warehouse: the warehouse, after its reset.
        ways: the robots' ways.
        fields: path lengths over the map.
    """

    def __init__(self, warehouse: Warehouse, ways: Ways, fields: Fields) -> None:
        n = warehouse.scene.robots
        self._ways, self._fields = ways, fields
        self._period = warehouse.scene.control_period
        self.ages = np.zeros(n)
        """The age of each robot's order, its priority [robots], s; set back where it lost its patience."""
        self._end: list[int] = ways.ends.tolist()
        self._holder = {cell: robot for robot, cell in enumerate(self._end)}
        self._goals = ways.course.goals.copy()
        self._rest = ways.rest
        self._refused = np.zeros(n)
        self._moved: set[int] = set()  # who was asked to make way in this control period, and did
        self._claims = 0

    def plan(self) -> None:
        """Claim cells for all robots that need one now, the oldest order first."""
        self._note_orders()
        self._rest = self._ways.rest
        self._moved.clear()
        for robot in np.argsort(-self.ages, kind="stable").tolist():
            needs = self._rest[robot] < CLAIM_AHEAD and self._end[robot] != self._goals[robot]
            if not needs or robot in self._moved or self._claim(robot, [], self.ages[robot]):
                self._refused[robot] = 0.0
                continue
            self._refused[robot] += self._period
            if self._refused[robot] > PATIENCE:
                self.ages[robot] = self._refused[robot] = 0.0

    def _note_orders(self) -> None:
        goals = self._ways.course.goals
        self.ages += self._period
        self.ages[goals != self._goals] = 0.0
        self._goals[:] = goals

    def _claim(self, robot: int, askers: list[int], priority: float) -> bool:
        """Claim the best cell for a robot, or, where it is asked to make way, any; return whether one could be had."""
        field, here = self._fields.to(int(self._goals[robot])), self._end[robot]
        for cell in self._fields.best_first(here, int(self._goals[robot])):
            if not askers and field[cell] >= field[here]:
                continue  # it leads away
            holder = self._holder.get(cell)
            if holder is not None and not self._moves_away(holder, [*askers, robot], priority):
                continue
            del self._holder[here]
            self._holder[cell], self._end[robot] = robot, cell
            self._claims += 1
            self._ways.append(robot, cell, self._claims)
            if askers:
                self._moved.add(robot)
            return True
        return False

    def _moves_away(self, holder: int, askers: list[int], priority: float) -> bool:
        """Ask the robot whose way ends in the wanted cell to make way; return whether it does."""
        if holder in askers or holder in self._moved or self.ages[holder] >= priority:
            return False
        if not self._can_dodge(holder, askers[-1]):
            if len(askers) == 1 and self._can_dodge(askers[0], holder):
                self.ages[[askers[0], holder]] = self.ages[[holder, askers[0]]]
            return False
        return bool(self._rest[holder] <= MOST_ASKED) and self._claim(holder, askers, priority)

    def _can_dodge(self, asked: int, asker: int) -> bool:
        """Return whether, on the side of the asked robot, there is room for all robots beside the asker's own way."""
        way = set(self._fields.way(self._end[asker], int(self._goals[asker])))
        reached, robots, room = [self._end[asked]], 0, 0
        seen = {self._end[asker], reached[0]}
        for cell in reached:
            robots += cell in self._holder
            room += cell not in way
            if room >= len(self._end):
                return True
            new = [beside for beside in self._fields.beside[cell] if beside not in seen]
            seen.update(new)
            reached += new
        return room >= robots
