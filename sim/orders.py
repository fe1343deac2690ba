"""The endless stream of pick-and-deliver orders, and the team's reward."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.layout import Layout
from sim.scene import RewardConfig


class Orders:
    """Each robot's order: go to a pick cell, then to a station, then the next order.

    Every robot draws from a random stream of its own, so its orders do not depend on what the others do.
    """

    def __init__(self, layout: Layout, robots: int) -> None:
        self._layout = layout
        self.goal = np.zeros(robots, np.int64)
        """The cell that each robot is sent to [robots]."""
        self.carrying = np.zeros(robots, np.bool_)
        """Whether it is on the way to a station [robots]."""
        self.picks = np.zeros(robots, np.int64)
        """Orders picked up since the reset [robots]."""
        self.deliveries = np.zeros(robots, np.int64)
        """Orders delivered since the reset [robots]."""
        self._streams: Sequence[np.random.Generator] = ()

    def reset(self, streams: Sequence[np.random.Generator]) -> None:
        """Gives every robot a first order; `streams` holds one generator for each robot."""
        self._streams = streams
        self.picks[:] = 0
        self.deliveries[:] = 0
        self.carrying[:] = False
        for robot in range(len(self.goal)):
            self.goal[robot] = self._draw(robot, self._layout.picks)

    def complete(self, robot: int) -> None:
        """The robot has reached its goal: a pick cell is followed by a station, a station by the next order."""
        if self.carrying[robot]:
            self.deliveries[robot] += 1
            self.goal[robot] = self._draw(robot, self._layout.picks)
        else:
            self.picks[robot] += 1
            self.goal[robot] = self._draw(robot, self._layout.stations)
        self.carrying[robot] = not self.carrying[robot]

    def _draw(self, robot: int, cells: tuple[int, ...]) -> int:
        return cells[self._streams[robot].integers(len(cells))]


def team_reward(
    config: RewardConfig,
    deliveries: int,
    picks: int,
    progress: NDArray[np.float64],
    new_contacts: NDArray[np.bool_],
    in_contact: NDArray[np.bool_],
) -> float:
    """The reward that all robots share for one decision: every term is averaged over the robots.

    Args:
        config: the weights.
        deliveries: of the whole fleet in this decision.
        picks: of the whole fleet in this decision.
        progress: by how much each robot's remaining path got shorter [robots], m.
        new_contacts: robots whose contact began [robots].
        in_contact: robots in contact [robots].
    """
    total = (
        config.delivery * deliveries
        + config.pick * picks
        + config.progress * float(progress.sum())
        + config.new_contact * int(np.count_nonzero(new_contacts))
        + config.in_contact * int(np.count_nonzero(in_contact))
    )
    return total / len(progress)
