"""What a view shows of a moment, and who looks on while a fleet drives and lets time pass as fast as was asked for."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.observation import MANEUVERS
from sim.traffic.broadcast import RECORD
from sim.warehouse import Warehouse
from sim.waypoint import way_to_goal

QValues = Callable[[], NDArray[np.float32]]


@dataclass(frozen=True)
class Moment:
    """A fleet at the beginning of a control period."""

    time: float
    """Simulated, since the episode began [s]."""
    episode: int
    poses: NDArray[np.float64]
    """x, y [m], heading [rad], [robots, 3]."""
    velocities: NDArray[np.float64]
    """Speed [m/s], turn rate [rad/s], [robots, 2]."""
    goals: NDArray[np.float64]
    """x, y [robots, 2], m."""
    carrying: NDArray[np.bool_]
    touching: NDArray[np.bool_]
    """Who touches a robot or a rack [robots]."""
    lidar: NDArray[np.float32]
    """Ranges [robots, rays], m."""
    ways: list[list[tuple[float, float]]]
    """Each robot's way to its goal: points x, y [m]."""
    claims: list[list[int]]
    """Cells that each robot claims; none without right of way."""
    choices: list[str]
    """Each robot's maneuver, or what it waits for."""
    q_values: NDArray[np.float32] | None
    """[robots, maneuvers], where a network chooses."""
    counts: dict[str, int]
    """What the whole fleet did in this episode: deliveries, picks, contacts."""
    states: list[str]
    """What each base does, where processes drive."""


class EndedError(Exception):
    """Nobody looks on any more."""


class Onlooker:
    """Looks on in a warehouse (`sim.warehouse.Watch`) and holds it back: the view's clock decides how fast time passes.

    Args:
        warehouse: which.
        q_values: tells the values behind the maneuvers, where a network chooses.
        states: tells what each base does, where processes drive.
        chosen: tells each robot's maneuver; by default what the warehouse was told.
        paced: whether this holds the warehouse back; processes in real time do so themselves.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        q_values: QValues | None = None,
        states: Callable[[], list[str]] = list,
        paced: bool = True,
        chosen: Callable[[], list[int]] | None = None,
    ) -> None:
        self._warehouse, self._q_values, self._states, self._paced = warehouse, q_values, states, paced
        self._chosen = chosen or warehouse.sensors.maneuvers.tolist
        self._changed = threading.Condition()
        self._episode, self._ticks = 0, 0
        self._running, self._steps, self._ended = True, 0, False
        self._next = time.monotonic()
        self.speed = 1.0
        """How many times faster than real time."""
        self.moment: Moment | None = None
        """The last."""
        warehouse.watch = self

    def began(self, seed: int) -> None:
        """Note that an episode begins."""
        self._episode, self._ticks = seed, 0

    def decided(self) -> None:
        """Note nothing: `commanded` follows."""

    def commanded(self, commands: NDArray[np.float64]) -> None:
        """Keep what there is to see, and wait until it is time to go on.

        Raises:
            EndedError: nobody looks on any more.
        """
        self.moment = self._look()
        self._ticks += 1
        if self._paced:
            self._wait()
        if self._ended:
            raise EndedError

    def _wait(self) -> None:
        self._next += self._warehouse.scene.control_period / self.speed
        with self._changed:
            while not self._ended and not self._steps:
                left = self._next - time.monotonic()
                if self._running and left <= 0:
                    break
                self._changed.wait(left if self._running else None)
            self._steps = max(self._steps - 1, 0)
        self._next = max(self._next, time.monotonic() - 0.2)  # it does not catch up on what was too fast for it

    @property
    def ended(self) -> bool:
        """Whether nobody looks on any more."""
        return self._ended

    def run(self, running: bool) -> None:
        """Let time pass, or hold it."""
        with self._changed:
            self._running, self._next = running, time.monotonic()
            self._changed.notify_all()

    def step(self) -> None:
        """Let one control period pass while time is held."""
        with self._changed:
            self._steps += 1
            self._changed.notify_all()

    def end(self) -> None:
        """Look on no longer: the warehouse's thread ends."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _look(self) -> Moment:
        warehouse, sensors = self._warehouse, self._warehouse.sensors
        infos, columns = warehouse.infos(), warehouse.layout.columns
        names = (*warehouse.events, "robot_contacts", "rack_contacts")
        poses = warehouse.poses.copy()
        return Moment(
            time=self._ticks * warehouse.scene.control_period,
            episode=self._episode,
            poses=poses,
            velocities=warehouse.velocities.copy(),
            goals=sensors.goals.copy(),
            carrying=warehouse.carrying.copy(),
            touching=warehouse.touching[0] | warehouse.touching[1],
            lidar=sensors.lidar.copy(),
            ways=[way_to_goal(sensors.next_cell[i], columns, x, y) for i, (x, y) in enumerate(poses[:, :2].tolist())],
            claims=_claims(sensors.records) if sensors.traffic is not None else [[] for _ in poses],
            choices=[MANEUVERS[maneuver].replace("_", " ") for maneuver in self._chosen()],
            q_values=None if self._q_values is None else self._q_values().copy(),
            counts={name: sum(info[name] for info in infos) for name in names},
            states=self._states(),
        )


def _claims(records: NDArray[np.float64]) -> list[list[int]]:
    first, counts = RECORD.claims, records[:, RECORD.claim_count].astype(int)
    return [record[first : first + count].astype(int).tolist() for record, count in zip(records, counts, strict=True)]
