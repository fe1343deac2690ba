"""One robot's right of way over starts, stops and gaps; the rules themselves are in `sim.traffic`."""

import math

import numpy as np
from numpy.typing import NDArray

from export.protocol.framing import Header
from export.protocol.messages import Sensors
from sim.layout import Layout
from sim.scene import SceneConfig
from sim.traffic.broadcast import FARTHEST_CLAIM, RECORD
from sim.traffic.robot import RightOfWay
from sim.traffic.rules import FORGET
from sim.traffic.state import Heard


class OwnRightOfWay:
    """The claims and the planned way of the robot that a process drives.

    Args:
        layout: the robot's own copy of the map.
        scene: the mode and the control period.
        number: the robot's, from `export.protocol.broadcasts.robot_number`.
    """

    def __init__(self, layout: Layout, scene: SceneConfig, number: float) -> None:
        self._layout, self._last = layout, Header(0, 0, 0)
        self._kept = RightOfWay(layout, scene, number)
        self._begin(layout.middle(layout.free[0]))

    @property
    def record(self) -> NDArray[np.float64]:
        """What the robot tells the others [RECORD_SIZE]."""
        return self._kept.record

    @property
    def seen(self) -> NDArray[np.float32]:
        """The lidar ranges to drive by [rays], m."""
        return self._kept.seen

    def keep(self, sensors: Sensors, goal: int, heard: Heard) -> float:
        """Do one control period; return how far the robot may drive [m]. The record has its waypoint then.

        Without the last second, of which the others remember nothing any more, it starts anew where it stands; so it
        does in a new session, and where somebody has moved it.

        Args:
            sensors: what the robot senses.
            goal: the cell that it is sent to.
            heard: what it believes of what it heard.
        """
        place, missed = sensors.pose[:2], sensors.header.sequence - self._last.sequence
        claimed = self._layout.middle(int(self.record[RECORD.claims]))
        follows = sensors.header.session == self._last.session and 0 < missed <= FORGET
        if not follows or math.dist(claimed, place) > FARTHEST_CLAIM:
            self._begin(place)
        self._last = sensors.header
        return self._kept.step(sensors.pose, sensors.velocity, sensors.carrying, goal, sensors.lidar, heard)

    def _begin(self, place: tuple[float, float]) -> None:
        """Claim the free cell whose middle is nearest: by its odometry a robot can be a little inside a rack."""
        cell = min(self._layout.free, key=lambda cell: math.dist(self._layout.middle(cell), place))
        self._kept.begin(*self._layout.middle(cell))
