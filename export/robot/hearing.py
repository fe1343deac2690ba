"""What a robot believes of the broadcasts that it heard: whatever can't be is left out and counted, and it drives on.

A robot that lies or is broken must not stop the others, so a broadcast is refused alone, not the sensors with it.
"""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from export.protocol.messages import Sensors
from sim.scene import RobotConfig
from sim.traffic.broadcast import RECORD, Fault, fault_of
from sim.traffic.state import Heard

TOO_FAST = 1.5
"""Times the largest speed or turn rate: odometry may overshoot a little, as when something pushes the robot."""
ENDLESS = 1e6
"""No heading or waypoint is as large [rad, m]."""
OLDEST = 10.0
"""No broadcast that still counts is older [s]."""


class Hearing:
    """One robot's judgement of broadcasts.

    Args:
        robot: the limits of all robots.
        blocked: the racks of its own map [rows, columns].
        number: its own, from `export.protocol.broadcasts.robot_number`.
        claims: whether the robots drive by right of way; else they tell no claims.
    """

    def __init__(self, robot: RobotConfig, blocked: NDArray[np.bool_], number: float, claims: bool) -> None:
        self._robot, self._blocked, self._number, self._claims = robot, blocked, number, claims
        self.refused: Counter[str] = Counter()
        """Broadcasts that were left out, by reason."""

    def listen(self, sensors: Sensors) -> Heard:
        """Return what is believed of the broadcasts in sensors, in the order of their senders' numbers."""
        return self.judge(sensors.broadcasts, sensors.ages)

    def judge(self, broadcasts: NDArray[np.float64], ages: NDArray[np.float64]) -> Heard:
        """Return what is believed of broadcasts [count, RECORD_SIZE], each so old [count], s; count the others."""
        believed: dict[float, int] = {}
        for row, (record, age) in enumerate(zip(broadcasts, ages.tolist(), strict=True)):
            fault, name = self._fault(record, age), float(record[RECORD.name])
            if not fault and self._claims and name in believed:
                fault = "doubled"
            if fault:
                self.refused[fault] += 1
            else:
                believed[name if self._claims else float(row)] = row
        rows = [believed[name] for name in sorted(believed)]
        return Heard(broadcasts[rows], np.arange(len(rows)), ages[rows])

    def _fault(self, record: NDArray[np.float64], age: float) -> str:
        """Return what is wrong with a broadcast, nothing (``) if it is believed."""
        if not np.isfinite(record).all():
            return Fault.NOT_FINITE.name.lower()
        if not 0.0 <= age <= OLDEST:
            return "age"
        if self._claims and record[RECORD.name] == self._number:
            return "own_name"
        if abs(record[RECORD.speed]) > TOO_FAST * self._robot.max_speed:
            return "speed"
        if np.abs(record[[RECORD.heading, RECORD.waypoint_x, RECORD.waypoint_y, RECORD.turn_rate]]).max() > ENDLESS:
            return "endless"
        if self._claims:
            return Fault(fault_of(record, self._blocked)).name.lower().replace("none", "")
        rows, columns = self._blocked.shape
        inside = 0.0 <= record[RECORD.x] < columns and 0.0 <= record[RECORD.y] < rows
        return "" if inside else Fault.POSE.name.lower()
