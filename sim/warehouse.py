"""The running warehouse, one control period at a time: the hall with its robots, their orders and their sensors.

Who commands the robots is not its business: `sim.env` lets them act in step inside one process, `export.fleet` lets
processes of their own command them. Both count alike: a contact is counted once a decision, when it begins.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.layout import Layout
from sim.orders import Orders, team_reward
from sim.physics.world import World
from sim.scene import SceneConfig
from sim.sensing import DISTANCE, PROGRESS, Sensors


class Warehouse:
    """A hall whose robots pick and deliver without end.

    `sensors` holds what every robot senses, in arrays that are updated in place; `poses` [robots, 3] and `velocities`
    [robots, 2] are those of `World`; `deliveries`, `picks` [robots] count since the reset.

    Args:
        scene: the fleet, with everything decided (`sim.scene.open_scene`).
        layout: its map.
    """

    def __init__(self, scene: SceneConfig, layout: Layout) -> None:
        self.scene, self.layout = scene, layout
        n = scene.robots
        self._world = World(layout.racks(), (layout.columns, layout.rows), scene)
        self._orders = Orders(layout, n)
        self.poses, self.velocities = self._world.poses, self._world.velocities
        self.carrying = self._orders.carrying
        self.deliveries, self.picks = self._orders.deliveries, self._orders.picks
        self.sensors = Sensors(layout, scene, self.poses, self.velocities, self.carrying)
        self._contacts = np.zeros((2, n), np.int64)
        # A robot, a rack: at some time of this decision, and of the one before.
        self._touched, self._touched_before = np.zeros((2, n), np.bool_), np.zeros((2, n), np.bool_)
        self._done = [0, 0]  # picks and deliveries of this decision

    def reset(self, seed: int, first_robot: int = 0) -> None:
        """Starts an episode: robots at rest on distinct random cells, each with its first order.

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
        self.sensors.start(self.poses)
        for i in range(n):
            self.sensors.send(i, int(self._orders.goal[i]))
        self._touched[:] = False
        self._contacts[:] = 0
        self._sense()

    def begin_decision(self) -> None:
        """What follows is counted as a new decision."""
        self.sensors.tally[:, PROGRESS] = 0.0
        self._touched_before[:] = self._touched
        self._touched[:] = False
        self._done = [0, 0]

    def tick(self, commands: NDArray[np.float64]) -> None:
        """A control period passes under `commands` [robots, 2] (m/s, rad/s); orders that are done are followed up."""
        self._world.advance(commands)
        self._touched |= self._world.touching
        self._sense()

    def end_decision(self) -> float:
        """Counts the contacts that began; returns the team's reward for the decision."""
        begun = self._touched > self._touched_before
        if begun.any():
            self._contacts += begun
        picks, deliveries = self._done
        return team_reward(
            self.scene.reward,
            deliveries,
            picks,
            self.sensors.tally[:, PROGRESS],
            begun[0] | begun[1],
            self._touched[0] | self._touched[1],
        )

    def _sense(self) -> None:
        """Reads all sensors and hands out new orders."""
        orders, sensors = self._orders, self.sensors
        while (robot := sensors.update()) >= 0:
            self._done[int(orders.carrying[robot])] += 1
            orders.complete(robot)
            sensors.send(robot, int(orders.goal[robot]))

    @property
    def touching_robot(self) -> NDArray[np.bool_]:
        """Who touched another robot at the end of the last control period [robots]."""
        return self._world.touching_robot

    def infos(self) -> list[dict[str, Any]]:
        """Each robot's counts since the reset: deliveries, picks, contacts with robots and racks, distance [m]."""
        columns = (self.deliveries, self.picks, *self._contacts, self.sensors.tally[:, DISTANCE])
        return [
            {
                "deliveries": deliveries,
                "picks": picks,
                "robot_contacts": robot_contacts,
                "rack_contacts": rack_contacts,
                "distance": distance,
            }
            for deliveries, picks, robot_contacts, rack_contacts, distance in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ]

    def render(self) -> NDArray[np.uint8]:
        """A picture of the hall [height, width, 3]."""
        layout, stations = self.layout, np.array([self.layout.middle(cell) for cell in self.layout.stations])
        scale = max(1, 720 // max(layout.columns, layout.rows))
        width, height = layout.columns * scale, layout.rows * scale
        return self._world.render(width, height, self.carrying, self.sensors.goals, stations)

    def close(self) -> None:
        """Ends the simulation; calling it again does nothing."""
        self._world.close()
