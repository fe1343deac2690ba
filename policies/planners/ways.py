"""The way of every robot: cells in their order, and who goes first in each cell.

A planner gives each robot cells to drive through, each with a rank, and `policies.planners.driving` drives: a cell that
is on several ways is entered by rank, the lower one first, the next one when it has been left. So a delay costs time
and nothing else; and where no rank waits for a higher one, nobody waits in a circle.
"""

import numpy as np
from numpy.typing import NDArray

from policies.planners.driving import LONGEST, Course, advance, drive
from policies.planners.fields import Fields
from sim.limits import pack_limits
from sim.observation import observation_spec
from sim.warehouse import Warehouse

STOP_SHORT = 0.1
"""A goal counts as reached 0.35 m before its middle. A way to a goal ends so far before the middle [m]: the robot is
slow enough there to turn back, and fast enough to go on ..."""
STOP_SHORT_IN_LANE = 0.25
"""... the same in a lane, where every other order leads back [m] ..."""
STOP_SHORT_IN_DEAD_END = 0.33
"""... and where every order leads back [m]."""


class Ways:
    """The ways of a fleet, and the commands that follow them.

    `course` holds the ways: see `Course`. The cells before a robot's head are those that it has not left yet.

    Args:
        warehouse: the warehouse after its reset; every robot stands in its cell.
        fields: path lengths over its map.
        firm: whether the planner never takes back what it has added to a way.
    """

    def __init__(self, warehouse: Warehouse, fields: Fields, firm: bool = False) -> None:
        scene, columns = warehouse.scene, warehouse.layout.columns
        n = scene.robots
        sides = np.array([len(beside) for beside in fields.beside])
        short = np.where(sides == 1, STOP_SHORT_IN_DEAD_END, np.where(sides == 2, STOP_SHORT_IN_LANE, STOP_SHORT))
        self.course = Course(
            cells=np.zeros((n, LONGEST), np.int64),
            ranks=np.full((n, LONGEST), -np.inf),
            counts=np.ones(n, np.int64),
            heads=np.zeros(n, np.int64),
            along=np.zeros(n),
            grants=np.zeros(n),
            gears=np.ones(n, np.int64),
            goals=np.zeros(n, np.int64),
            stop_short=short,
            columns=columns,
            firm=firm,
        )
        self._warehouse = warehouse
        spec = observation_spec(scene.robot)
        senses = [spec.slice(name) for name in ("lidar", "velocity", "neighbours")]
        self._offsets = np.array([(sense.start, sense.stop) for sense in senses], np.int64)
        self._limits = pack_limits(scene.robot, scene.control_period)
        self.course.cells[:, 0] = cells_at(warehouse.poses, columns)
        self.sense()

    def sense(self) -> None:
        """Look where the robots are and where they are sent: the first thing in each control period."""
        self.course.goals[:] = cells_at(self._warehouse.sensors.goals, self.course.columns)
        advance(self.course, self._warehouse.poses)

    @property
    def ends(self) -> NDArray[np.int64]:
        """The last cell of each way [robots]."""
        last: NDArray[np.int64] = self.course.cells[np.arange(len(self.course.counts)), self.course.counts - 1]
        return last

    @property
    def rest(self) -> NDArray[np.float64]:
        """How many cells of its way each robot still has before it, counted from where it is [robots]."""
        left: NDArray[np.float64] = self.course.counts - 1 - self.course.heads - self.course.along
        return left

    def append(self, robot: int, cell: int, rank: float) -> None:
        """Lengthen a robot's way by a cell beside its end; what no longer fits is left out until the way is shorter."""
        count = self.course.counts[robot]
        if count < LONGEST:
            self.course.cells[robot, count], self.course.ranks[robot, count] = cell, rank
            self.course.counts[robot] = count + 1

    def cut(self, robot: int, count: int) -> None:
        """Shorten a robot's way to its first `count` cells."""
        self.course.counts[robot] = count

    def command(self, commands: NDArray[np.float64]) -> None:
        """Write every robot's command [robots, 2] (m/s, rad/s) for the control period that follows."""
        warehouse = self._warehouse
        drive(
            self.course, warehouse.poses, warehouse.velocities, warehouse.sensors.observations, self._offsets,
            self._limits, commands,
        )  # fmt: skip


def cells_at(places: NDArray[np.float64], columns: int) -> NDArray[np.int64]:
    """Return the cells [robots] that hold the places [robots, 2 or more] (x, y, m)."""
    cells: NDArray[np.int64] = np.floor(places[:, 1]).astype(np.int64) * columns + np.floor(places[:, 0]).astype(
        np.int64
    )
    return cells
