"""The running warehouse, one control period at a time: physics, orders and sensors of all robots.

It does not know who commands the robots: `sim.env` does so from one process, `export.fleet` from a process for each.
Both count alike: a contact is counted once a decision, when it begins.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.layout import Layout
from sim.orders import OrderType, PickAndDeliver
from sim.physics.world import World
from sim.scene import SceneConfig
from sim.sensing import Sensors
from sim.travel import TRAVEL


class Watch(Protocol):
    """Who looks on, for a recording or a picture: told before things happen, and to change nothing."""

    def began(self, seed: int) -> None:
        """Note that an episode begins."""

    def decided(self) -> None:
        """Note that every robot has chosen a maneuver, from the observations that the sensors still hold."""

    def commanded(self, commands: NDArray[np.float64]) -> None:
        """Note the commands [robots, 2] (m/s, rad/s) under which the next control period passes."""


class Warehouse:
    """Robots with an endless stream of orders.

    `sensors` holds what every robot senses, in arrays that are updated in place; `poses` [robots, 3] and `velocities`
    [robots, 2] are those of `World`; `events` counts each event of the orders since the reset [robots].

    Args:
        scene: the fleet, with everything decided (`sim.scene.open_scene`).
        layout: its map.
        orders: the order type.
    """

    def __init__(self, scene: SceneConfig, layout: Layout, orders: OrderType = PickAndDeliver) -> None:
        self.scene, self.layout = scene, layout
        n = scene.robots
        self._world = World(layout.racks(), (layout.columns, layout.rows), scene)
        self._orders = orders(layout, scene)
        self.poses, self.velocities = self._world.poses, self._world.velocities
        self.carrying = self._orders.carrying
        self.events = {event: np.zeros(n, np.int64) for event in self._orders.events}
        self.sensors = Sensors(layout, scene, self.poses, self.velocities, self.carrying)
        self._contacts = np.zeros((2, n), np.int64)
        # A robot, a rack: at some time of this decision, and of the one before.
        self._touched, self._touched_before = np.zeros((2, n), np.bool_), np.zeros((2, n), np.bool_)
        self._new_events = dict.fromkeys(self.events, 0)  # of the whole fleet in this decision
        self.watch: Watch | None = None
        """Who looks on."""

    def reset(self, seed: int, first_robot: int = 0) -> None:
        """Start an episode: robots at rest on distinct random cells, each with its first order.

        Args:
            seed: decides everything, from 0 up.
            first_robot: the robots take the starts and orders that this and the following robots of a larger fleet
                would have, so that one robot can be run as if the others were not there.

        Raises:
            InputError: there is no such first robot, or the seed is negative.
        """
        n, cells = self.scene.robots, self.layout.free
        if first_robot not in range(len(cells) - n + 1):
            raise InputError(f"first_robot is {first_robot!r}; valid is 0 to {len(cells) - n} with {n} robots")
        if seed < 0:
            raise InputError(f"seed is {seed}; valid is a whole number from 0 up")
        starts = np.random.default_rng((seed, 0)).permutation(cells)[first_robot : first_robot + n]
        streams = [np.random.default_rng((seed, 1 + first_robot + i)) for i in range(n)]
        headings = [stream.uniform(-np.pi, np.pi) for stream in streams]
        self._world.reset(np.array([(*self.layout.middle(c), h) for c, h in zip(starts, headings, strict=True)]))
        self._orders.reset(streams)
        self.sensors.start(self.poses, seed)
        for i in range(n):
            self.sensors.send(i, int(self._orders.goal[i]))
        self._touched[:] = False
        self._contacts[:] = 0
        for count in self.events.values():
            count[:] = 0
        self._sense()
        if self.watch is not None:
            self.watch.began(seed)

    def begin_decision(self) -> None:
        """Begin a decision: count progress, contacts and events anew."""
        self.sensors.travel[:, TRAVEL.progress] = 0.0
        self._touched_before[:] = self._touched
        self._touched[:] = False
        self._new_events = dict.fromkeys(self.events, 0)
        if self.watch is not None:
            self.watch.decided()

    def tick(self, commands: NDArray[np.float64]) -> None:
        """Let a control period pass under `commands` [robots, 2] (m/s, rad/s); give new goals to robots at theirs."""
        if self.watch is not None:
            self.watch.commanded(commands)
        self._world.advance(commands)
        self._touched |= self._world.touching
        self._sense()

    def end_decision(self) -> float:
        """Count the contacts that began; return the team's reward for the decision."""
        begun = self._touched > self._touched_before
        if begun.any():
            self._contacts += begun
        return self._orders.reward(
            self._new_events,
            self.sensors.travel[:, TRAVEL.progress],
            begun[0] | begun[1],
            self._touched[0] | self._touched[1],
        )

    def _sense(self) -> None:
        """Read all sensors and hand out new orders."""
        orders, sensors = self._orders, self.sensors
        while (robot := sensors.update()) >= 0:
            event = orders.complete(robot)
            self.events[event][robot] += 1
            self._new_events[event] += 1
            sensors.send(robot, int(orders.goal[robot]))

    @property
    def touching(self) -> NDArray[np.bool_]:
        """Who touched another robot, and who a rack, at the end of the last control period [2, robots]."""
        return self._world.touching

    @property
    def touching_robot(self) -> NDArray[np.bool_]:
        """Who touched another robot at the end of the last control period [robots]."""
        return self._world.touching_robot

    def infos(self) -> list[dict[str, Any]]:
        """Return each robot's counts since the reset: events, contacts with robots and racks, distance [m]."""
        names = (*self.events, "robot_contacts", "rack_contacts", "distance")
        columns = (*self.events.values(), *self._contacts, self.sensors.travel[:, TRAVEL.distance])
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def render(self) -> NDArray[np.uint8]:
        """Return a picture [height, width, 3]."""
        layout, stations = self.layout, np.array([self.layout.middle(cell) for cell in self.layout.stations])
        scale = max(1, 720 // max(layout.columns, layout.rows))
        width, height = layout.columns * scale, layout.rows * scale
        return self._world.render(width, height, self.carrying, self.sensors.goals, stations)

    def close(self) -> None:
        """End the simulation; calling it again does nothing."""
        self._world.close()
