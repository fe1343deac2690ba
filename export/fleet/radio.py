"""The radio between simulated bases: who hears whose broadcast, when, and which are lost.

In each control period every base sends where its robot is, and what its process told it in the period before. A base
keeps the newest broadcast of each other robot and hands it on until it is too old to count.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.scene import SceneConfig, robot_names
from sim.traffic.broadcast import RECORD_SIZE
from sim.traffic.fleet import RADIO_STREAM
from sim.traffic.rules import FORGET


class Radio:
    """The radio of a fleet: it loses and delays the very broadcasts that the simulator's does on the same seed.

    Args:
        scene: the fleet, how far a broadcast reaches, and what gets lost and late.
        without: names of robots without a radio.
        most: broadcasts that a robot is handed at most, those of the nearest.
    """

    def __init__(self, scene: SceneConfig, without: Sequence[str], most: int) -> None:
        self._range, self._period, self._most = scene.robot.radio_range, scene.control_period, most
        self._loss, self._latest = scene.radio_loss, round(scene.radio_delay / scene.control_period)
        self._forget = 0 if scene.right_of_way == "none" else FORGET
        robots, off = scene.robots, np.isin(robot_names(scene.robots), list(without))
        self._off = off[:, np.newaxis] | off[np.newaxis] | np.eye(robots, dtype=np.bool_)
        self._random = np.random.default_rng(0)
        self._under_way: list[tuple[int, int, int, int, NDArray[np.float64]]] = []
        self._sent = np.full((robots, robots), -1)
        self._newest = np.zeros((robots, robots, RECORD_SIZE))
        self._poses = np.zeros((robots, 3))

    def begin(self, seed: int) -> None:
        """Forget everything; `seed` decides what gets lost."""
        self._random = np.random.default_rng((seed, RADIO_STREAM))
        self._under_way.clear()
        self._sent.fill(-1)

    def send(self, period: int, told: Sequence[NDArray[np.float64] | None], poses: NDArray[np.float64]) -> None:
        """Let a control period pass in which the robots send.

        Args:
            period: its number.
            told: what each sends [RECORD_SIZE], or nothing.
            poses: where they are [robots, 3].
        """
        self._poses[:] = poses
        dx, dy = poses[:, :1] - poses[:, 0], poses[:, 1:2] - poses[:, 1]
        heard = (dx * dx + dy * dy < self._range * self._range) & ~self._off
        if self._loss > 0.0:
            heard &= self._random.random(heard.shape) >= self._loss
        late = np.zeros(heard.shape, np.int64)
        if self._latest > 0:
            late = self._random.integers(0, self._latest, heard.shape, endpoint=True)
        for to, sender in np.argwhere(heard).tolist():
            if (record := told[sender]) is not None:
                self._under_way.append((period + int(late[to, sender]), period, to, sender, record))
        arrived = [broadcast for broadcast in self._under_way if broadcast[0] <= period]
        self._under_way = [broadcast for broadcast in self._under_way if broadcast[0] > period]
        for _, sent, to, sender, record in arrived:
            if sent > self._sent[to, sender]:
                self._sent[to, sender], self._newest[to, sender] = sent, record

    def heard(self, robot: int, period: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what a robot has in a control period: broadcasts [count, RECORD_SIZE], and their ages [count], s."""
        sent = self._sent[robot]
        (rows,) = np.nonzero((sent >= 0) & (period - sent <= self._forget))
        if len(rows) > self._most:
            distance = np.hypot(*(self._poses[rows, :2] - self._poses[robot, :2]).T)
            rows = np.sort(rows[np.argsort(distance, kind="stable")[: self._most]])
        return self._newest[robot, rows], (period - sent[rows]) * self._period
