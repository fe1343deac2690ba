"""What a robot can do, as one array that compiled and plain code read by name."""

from dataclasses import asdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.scene import RobotConfig


class Limit(NamedTuple):
    """Where the array of limits holds the settings of `RobotConfig`, and the time between two commands [s]."""

    radius: int
    max_speed: int
    max_turn_rate: int
    max_acceleration: int
    max_turn_acceleration: int
    lidar_range: int
    heading_gain: int
    safety_margin: int
    control_period: int


LIMIT = Limit(*range(len(Limit._fields)))


def pack_limits(config: RobotConfig, control_period: float) -> NDArray[np.float64]:
    """Return a robot's limits in the order of `LIMIT` [9]; `control_period` in seconds."""
    values = {**asdict(config), "control_period": control_period}
    return np.array([values[name] for name in LIMIT._fields])
