"""How hard robots touch each other: their closing speed when a contact begins."""

import numpy as np
from numpy.typing import NDArray


class ContactMeter:
    """The contacts of a fleet, followed from control period to control period.

    Args:
        control_period: [s].
    """

    def __init__(self, control_period: float) -> None:
        self._period = control_period
        self._poses = self._motion = np.zeros((0, 2))
        self._touching = np.zeros(0, np.bool_)
        self.worst = 0.0
        """Largest closing speed at which a contact began [m/s]."""
        self.count = 0
        """Robots whose contact began; both of a pair count."""

    def before(self, poses: NDArray[np.float64], velocities: NDArray[np.float64]) -> None:
        """Note that a control period begins at `poses` [robots, 3] with `velocities` [robots, 2]."""
        self._poses = poses[:, :2].copy()
        self._motion = velocities[:, :1] * np.stack([np.cos(poses[:, 2]), np.sin(poses[:, 2])], 1)

    def after(self, poses: NDArray[np.float64], touching: NDArray[np.bool_]) -> None:
        """Note that it ended at `poses` [robots, 3]; `touching` [robots] tells who touches a robot."""
        before = self._touching if len(self._touching) == len(touching) else np.zeros_like(touching)
        for i in np.flatnonzero(touching & ~before).tolist():
            self.count += 1
            distances = np.hypot(*(poses[:, :2] - poses[i, :2]).T)
            distances[i] = np.inf
            j = int(np.argmin(distances))
            apart = self._poses[j] - self._poses[i]
            length = float(np.hypot(*apart))
            closing = float((self._motion[i] - self._motion[j]) @ apart) / max(length, 1e-9)
            mean = (length - float(distances[j])) / self._period
            self.worst = max(self.worst, closing, mean)
        self._touching = touching.copy()
