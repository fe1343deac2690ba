"""What one base's radio sends: where its robot is now, and what its process claimed a control period ago.

A robot that stands because something is wrong is silent, like one that is switched off: what it claims is not what it
does, and the others see it by lidar.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.layout import Layout
from sim.traffic.broadcast import RECORD, RECORD_SIZE
from sim.traffic.claims import begin
from sim.traffic.rules import Rules
from sim.traffic.state import MEMORY


class Voice:
    """The broadcasts of one base.

    Args:
        number: its robot's, from `export.protocol.broadcasts.robot_number`.
    """

    def __init__(self, number: float) -> None:
        self._number, self._begins = number, True
        self._told: NDArray[np.float64] | None = None

    def begin(self) -> None:
        """Begin a session: until its process answers, the robot tells that it stays in the cell where it is."""
        self._begins, self._told = True, None

    def answered(self, told: NDArray[np.float64] | None) -> None:
        """Take what the process told the others [RECORD_SIZE]; none where it said stop, or is gone."""
        self._begins, self._told = False, told

    def broadcast(
        self, pose: Sequence[float], velocity: Sequence[float], carrying: bool, layout: Layout
    ) -> NDArray[np.float64] | None:
        """Return what the radio sends [RECORD_SIZE], or nothing.

        Args:
            pose: x, y [m], heading [rad].
            velocity: speed [m/s], turn rate [rad/s].
            carrying: on the way to a station.
            layout: the map.
        """
        if self._begins:
            record = standing(self._number, pose[0], pose[1], layout)
        elif self._told is not None:
            record = self._told.copy()
        else:
            return None
        record[RECORD.name] = self._number  # whatever a process says: a radio knows whose it is
        record[RECORD.x], record[RECORD.y], record[RECORD.heading] = pose
        record[RECORD.speed], record[RECORD.turn_rate] = velocity
        record[RECORD.carrying] = carrying
        return record


def standing(number: float, x: float, y: float, layout: Layout) -> NDArray[np.float64]:
    """Return the broadcast of a robot that has claimed the cell where it is, and goes nowhere [RECORD_SIZE]."""
    record, cell = np.zeros(RECORD_SIZE), int(y) * layout.columns + int(x)
    begin(record, np.zeros(len(MEMORY)), number, cell, Rules())
    record[RECORD.x], record[RECORD.y] = record[RECORD.waypoint_x], record[RECORD.waypoint_y] = x, y
    return record
