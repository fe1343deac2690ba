"""The base's own last check of a command: whether the robot would drive into what its lidar shows.

A safety scanner does the same with a field of its own: it knows nothing of maps, messages or networks, keeps no margin,
and takes everything for standing still. A real robot keeps its real scanner.
"""

import numpy as np
from numpy.typing import NDArray

from sim.scene import RobotConfig

_SAMPLES = 8
"""Points at which the arc while braking is checked."""
_SKIN = 0.01
"""What the lidar and the odometry may be off by [m]."""


class ProtectiveField:
    """The area that the robot sweeps in one control period and while it brakes afterwards.

    Args:
        robot: its size, its limits and its lidar.
        control_period: time for which a command holds [s].
    """

    def __init__(self, robot: RobotConfig, control_period: float) -> None:
        self._robot, self._period = robot, control_period
        angles = np.arange(robot.lidar_rays) * (2 * np.pi / robot.lidar_rays)
        self._rays = np.stack([np.cos(angles), np.sin(angles)], 1)

    def blocked(self, velocity: tuple[float, float], command: tuple[float, float], lidar: NDArray[np.float32]) -> bool:
        """Return whether the stopping arc of a command comes nearer than the robot's radius to what the lidar shows.

        What is nearer than that already blocks no command that leads away from it.

        Args:
            velocity: v [m/s], w [rad/s] now.
            command: v [m/s], w [rad/s] wanted.
            lidar: ranges [rays], m, the first ray ahead, counter-clockwise.
        """
        hit = lidar < self._robot.lidar_range
        if not hit.any():
            return False
        obstacles = self._rays[hit] * lidar[hit, None]
        away = np.linalg.norm(self._arc(velocity, command)[:, None] - obstacles, axis=2)  # [points, obstacles]
        limit = np.minimum(self._robot.radius, lidar[hit]) - _SKIN
        return bool((away < limit).any())

    def _arc(self, velocity: tuple[float, float], command: tuple[float, float]) -> NDArray[np.float64]:
        """Return where the robot's middle is at the end of the period and while it brakes [points, 2], in its frame."""
        robot, period = self._robot, self._period
        most = robot.max_acceleration * period, robot.max_turn_acceleration * period
        v, w = (
            now + min(max(wanted - now, -change), change)
            for now, wanted, change in zip(velocity, command, most, strict=True)
        )
        braking = abs(v) / robot.max_acceleration
        times = np.linspace(0.0, braking, _SAMPLES + 1)
        # v(t) = v (1 - t / braking): what is driven until t is v t - v t^2 / (2 braking).
        lengths = 0.5 * (velocity[0] + v) * period + v * times * (1.0 - 0.5 * times / max(braking, 1e-9))
        headings = 0.5 * (velocity[1] + w) * period + w * times
        middles = 0.5 * (headings + np.append(0.0, headings[:-1]))
        steps = np.diff(lengths, prepend=0.0)[:, None] * np.stack([np.cos(middles), np.sin(middles)], 1)
        arc: NDArray[np.float64] = np.cumsum(steps, axis=0)
        return arc
