"""Order types: where robots are sent, what is counted there, and what the team is rewarded for, in one class each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.layout import Layout
from sim.scene import SceneConfig


class Orders(Protocol):
    """The interface of an order type, whose arrays are updated in place."""

    events: tuple[str, ...]
    """The names under which a robot's info counts what it completed; throughput counts `deliveries`."""
    goal: NDArray[np.int64]
    """The cell that each robot is sent to [robots]."""
    carrying: NDArray[np.bool_]
    """What each robot observes and broadcasts of its order [robots]."""

    def reset(self, streams: Sequence[np.random.Generator]) -> None:
        """Give every robot its first order; `streams` holds one generator for each robot."""

    def complete(self, robot: int) -> str:
        """Send a robot that has reached its goal to another one; return which of the events that was."""

    def reward(
        self,
        events: Mapping[str, int],
        progress: NDArray[np.float64],
        new_contacts: NDArray[np.bool_],
        in_contact: NDArray[np.bool_],
    ) -> float:
        """Return the reward that all robots share for one decision.

        Args:
            events: how often each happened in the whole fleet in this decision.
            progress: by how much each robot's remaining path got shorter [robots], m.
            new_contacts: robots whose contact began [robots].
            in_contact: robots in contact [robots].
        """


OrderType = Callable[[Layout, SceneConfig], Orders]
"""Makes the orders of a fleet: a class whose constructor takes the map and the scene."""


class PickAndDeliver:
    """Each robot's order: go to a pick cell, then to a station, then the next order, without end.

    Every robot draws from a random stream of its own, so its orders do not depend on what the others do.
    """

    events: tuple[str, ...] = ("deliveries", "picks")

    def __init__(self, layout: Layout, scene: SceneConfig) -> None:
        self._layout, self._weights = layout, scene.reward
        self.goal = np.zeros(scene.robots, np.int64)
        self.carrying = np.zeros(scene.robots, np.bool_)
        """Whether it is on the way to a station [robots]."""
        self._streams: Sequence[np.random.Generator] = ()

    def reset(self, streams: Sequence[np.random.Generator]) -> None:
        """Send every robot to a pick cell."""
        self._streams = streams
        self.carrying[:] = False
        for robot in range(len(self.goal)):
            self.goal[robot] = self._draw(robot, self._layout.picks)

    def complete(self, robot: int) -> str:
        """Send a robot from a pick cell to a station, from a station to the next pick cell."""
        delivered = bool(self.carrying[robot])
        self.goal[robot] = self._draw(robot, self._layout.picks if delivered else self._layout.stations)
        self.carrying[robot] = not delivered
        return "deliveries" if delivered else "picks"

    def reward(
        self,
        events: Mapping[str, int],
        progress: NDArray[np.float64],
        new_contacts: NDArray[np.bool_],
        in_contact: NDArray[np.bool_],
    ) -> float:
        """Return the weighted sum of `RewardConfig`, averaged over the robots."""
        weights = self._weights
        total = (
            weights.delivery * events["deliveries"]
            + weights.pick * events["picks"]
            + weights.progress * float(progress.sum())
            + weights.new_contact * int(np.count_nonzero(new_contacts))
            + weights.in_contact * int(np.count_nonzero(in_contact))
        )
        return total / len(progress)

    def _draw(self, robot: int, cells: tuple[int, ...]) -> int:
        return cells[self._streams[robot].integers(len(cells))]
