"""Where and when each robot's next plan begins: behind what of its way is decided, as it could not stop any earlier."""

import numpy as np

from policies.planners.driving import LEFT, OVER
from policies.planners.space_time import FOREVER, LEAVE, Held, hold
from policies.planners.ways import Ways
from sim.warehouse import Warehouse

AT_REST = 0.3
"""A robot that is slower than this stands [m/s]."""
BEFORE_ALL = 1.0
"""What is decided comes before all that is planned from now on: its ranks lie so far back, in its own order [s]."""
RANK_STEP = 1e-4


class Departures:
    """The decided part of each way.

    Args:
        warehouse: the warehouse.
        ways: the robots' ways.
        leg: time from the middle of a cell to the next at full speed [s].
    """

    def __init__(self, warehouse: Warehouse, ways: Ways, leg: float) -> None:
        n = warehouse.scene.robots
        self.keeps = np.zeros(n, np.int64)
        """The last decided cell of each way, counted from its beginning [robots] ..."""
        self.cells = np.zeros(n, np.int64)
        """... which cell that is [robots] ..."""
        self.times = np.zeros(n)
        """... when the robot is there [robots], s ..."""
        self.facings = np.zeros(n, np.int64)
        """... and how it comes there, as `space_time.Trip` says [robots]."""
        self._warehouse, self._course, self._leg = warehouse, ways.course, leg
        columns = ways.course.columns
        self._sides = {1: 0, columns: 1, -1: 2, -columns: 3}
        self._now = 0.0

    def decide(self) -> None:
        """Find where each robot could stop at the earliest, were its way beyond taken back now."""
        course, robot = self._course, self._warehouse.scene.robot
        speeds = np.abs(self._warehouse.velocities[:, 0])
        stops = speeds**2 / (2.0 * robot.max_acceleration) + speeds * self._warehouse.scene.control_period
        beyond = np.maximum(np.ceil(course.along + stops - OVER - 1e-9), 0.0).astype(np.int64)
        self.keeps[:] = np.minimum(course.heads + beyond, course.counts - 1)
        self._part()

    def estimate(self, now: float) -> None:
        """Find the cells in which what is decided ends, and when and how the robots come there."""
        course, robot = self._course, self._warehouse.scene.robot
        speeds = np.abs(self._warehouse.velocities[:, 0])
        self._now = now
        self.cells[:] = course.cells[np.arange(len(self.keeps)), self.keeps]
        ahead = np.maximum(self.keeps - course.heads - course.along, 0.0)
        ramp = (robot.max_speed - speeds) ** 2 / (2.0 * robot.max_acceleration * robot.max_speed)
        self.times[:] = now + ahead * self._leg + np.where(ahead > 0.0, ramp, 0.0)
        for i in range(len(self.keeps)):
            self.facings[i] = self._facing(i, float(speeds[i]))

    def _part(self) -> None:
        """Let no two ways be decided up to the same cell: who comes there later stays one cell back."""
        course, robots, changed = self._course, np.arange(len(self.keeps)), True
        while changed:
            changed, taken = False, set()
            for i in np.argsort(course.ranks[robots, self.keeps], kind="stable").tolist():
                cell = int(course.cells[i, self.keeps[i]])
                if cell in taken and self.keeps[i] > course.heads[i]:
                    self.keeps[i] -= 1
                    changed = True
                taken.add(cell)

    def _facing(self, i: int, speed: float) -> int:
        course, head, keep = self._course, self._course.heads[i], self.keeps[i]
        to = max(keep, head + 1)
        if keep > head or (to < course.counts[i] and speed > AT_REST):
            side = self._sides[int(course.cells[i, to] - course.cells[i, to - 1])]
            return side if speed > AT_REST else 4 + side % 2
        return 4 if abs(np.cos(self._warehouse.poses[i, 2])) > LEFT else 5

    def hold(self, held: Held, i: int) -> None:
        """Reserve what is decided of a robot's way, but for its last cell."""
        for m in range(int(self.keeps[i])):
            middle = self.times[i] - (self.keeps[i] - m) * self._leg
            hold(held, int(self._course.cells[i, m]), -FOREVER, max(middle, self._now - self._leg) + LEAVE, i)

    def rank_decided(self, now: float) -> None:
        """Rank what is decided of all ways, in the order that it has, before whatever is planned from now on."""
        ranks = self._course.ranks
        decided = [(ranks[i, m], i, m) for i, keep in enumerate(self.keeps.tolist()) for m in range(keep + 1)]
        for k, (_, i, m) in enumerate(sorted(decided)):
            ranks[i, m] = now - BEFORE_ALL + RANK_STEP * k
