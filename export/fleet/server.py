"""The simulated warehouse that robots' processes connect to: physics, orders, radio, and a base for every robot.

Every control period each robot is sent its own sensors on its own key, and the answers that come in time move the
wheels. In real time the clock sets the pace, whoever answers; in lock-step the warehouse waits for every process that
lives, so that an episode is the same however long an answer takes.
"""

import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

import numpy as np
import zenoh
from numpy.typing import NDArray

from export.fleet.base import RobotBase
from export.protocol import transport
from export.protocol.messages import Sensors, Wire, map_hash
from export.protocol.ordering import STALE_AFTER
from export.protocol.stop_service import serve_stops
from policies.episode import Episode, EpisodeMeter
from sim.errors import InputError
from sim.layout import Layout
from sim.scene import SceneConfig, robot_names
from sim.traffic.broadcast import RECORD_SIZE
from sim.warehouse import Warehouse

_ANSWER_SHARE = 0.5
"""Share of the control period in which an answer has to come, in real time."""
_LOCK_STEP_TIMEOUT = 1.0
"""How long lock-step waits for an answer [s]."""
_BETWEEN_EPISODES = STALE_AFTER + 0.05
"""Silence after which processes follow a new session, in real time [s]."""


class Fleet:
    """A simulated warehouse and its robots' bases on a session.

    Args:
        scene: the fleet, with everything decided.
        layout: its map.
        session: the transport.
        timed: real time, or lock-step.
    """

    def __init__(self, scene: SceneConfig, layout: Layout, session: zenoh.Session, timed: bool) -> None:
        self.scene, self.warehouse = scene, Warehouse(scene, layout)
        self._session = session
        self.timed = timed
        """Whether it runs in real time."""
        self._wire, self._map = Wire(scene.robot, scene.control_period), map_hash(layout.text())
        self.bases = [RobotBase(name, self._wire, timed) for name in robot_names(scene.robots)]
        self._changed = threading.Condition()
        self._publish = [transport.publisher(session, transport.sensors_key(base.name)).put for base in self.bases]
        self._subscribers = [self._listen(base) for base in self.bases]
        self._stops = [serve_stops(session, base.name, "base", base.latch) for base in self.bases]
        self._commands = np.zeros((scene.robots, 2))
        self.periods = 0
        """Control periods since the episode began."""
        self._next = time.monotonic()
        self.slow_periods = 0
        """Control periods that took longer than they last, in real time."""

    def _listen(self, base: RobotBase) -> "zenoh.Subscriber[None]":
        def receive(data: bytes) -> None:
            with self._changed:
                base.receive(data)
                self._changed.notify()

        return transport.subscribe(self._session, transport.command_key(base.name), receive)

    def wait_for_robots(self, timeout: float, poll: Callable[[], None] = lambda: None) -> None:
        """Return when the process of every robot has connected.

        Args:
            timeout: how long to wait [s].
            poll: called while waiting; may raise.

        Raises:
            InputError: some have not connected in time.
        """
        end = time.monotonic() + timeout
        while missing := sorted({base.name for base in self.bases} - self.connected()):
            if time.monotonic() > end:
                raise InputError(f"after {timeout:g} s no process of {', '.join(missing)} has connected")
            poll()
            time.sleep(0.02)
        for base in self.bases:
            base.arrived()

    def connected(self) -> set[str]:
        """Return the names of the robots whose processes are connected."""
        replies = self._session.liveliness().get(transport.alive_key("*"), timeout=1.0)
        keys = {str(reply.ok.key_expr) for reply in replies if reply.ok is not None}
        return {base.name for base in self.bases if transport.alive_key(base.name) in keys}

    def begin(self, seed: int) -> None:
        """Start an episode; for the robots it is a new session."""
        self.warehouse.reset(seed)
        if self.timed and self.periods:
            time.sleep(_BETWEEN_EPISODES)
        for base in self.bases:
            base.begin()
        self.periods = 0
        self._next = time.monotonic()

    def decide(self) -> None:
        """Let one decision period pass."""
        self.warehouse.begin_decision()
        for _ in range(self.scene.ticks):
            self.tick()
        self.warehouse.end_decision()

    def tick(self) -> None:
        """Let one control period pass: sensors go out, answers come in, wheels turn."""
        self._send_sensors()
        self._wait()
        self._move()

    def run_episode(self, seed: int, poll: Callable[[], None] = lambda: None) -> Episode:
        """Return an episode of the scene's length; `poll` is called before each decision and may raise."""
        self.begin(seed)
        meter = EpisodeMeter(self.scene)
        for _ in range(self.scene.decisions):
            poll()
            self.decide()
            meter.add(self.warehouse.infos())
        return meter.episode()

    def _send_sensors(self) -> None:
        warehouse, sensed = self.warehouse, self.warehouse.sensors
        broadcasts = np.zeros((len(self.bases), RECORD_SIZE))
        for own, told, base in zip(broadcasts, sensed.broadcasts, self.bases, strict=True):
            own[: len(told)] = told
            if not base.present:  # nobody tells its radio where it heads, and it goes nowhere
                own[4:6] = own[0:2]
        for i, (base, publish) in enumerate(zip(self.bases, self._publish, strict=True)):
            with self._changed:
                header = base.expect()
            pose, velocity, goal = (
                warehouse.poses[i].tolist(),
                warehouse.velocities[i].tolist(),
                sensed.goals[i].tolist(),
            )
            received = broadcasts[in_radio_range(i, warehouse.poses, self.scene.robot.radio_range, self._wire.slots)]
            sensors = Sensors(
                header, self._map, tuple(pose), tuple(velocity), tuple(goal), bool(warehouse.carrying[i]),
                base.latch.tell(), base.process, sensed.lidar[i], received, np.zeros(len(received)),
            )  # fmt: skip
            publish(self._wire.pack_sensors(base.address, sensors))
        self.periods += 1

    def _wait(self) -> None:
        """Wait until every living process has answered or the time for it is over, then take the commands."""
        period = self.scene.control_period
        timeout = self._next + _ANSWER_SHARE * period - time.monotonic() if self.timed else _LOCK_STEP_TIMEOUT
        with self._changed:
            self._changed.wait_for(lambda: not any(base.waiting for base in self.bases), max(timeout, 0.0))
            velocities, scans = self.warehouse.velocities.tolist(), self.warehouse.sensors.lidar
            for row, base, (v, w), scan in zip(self._commands, self.bases, velocities, scans, strict=True):
                row[:] = base.command((v, w), scan)

    def _move(self) -> None:
        self.warehouse.tick(self._commands)
        if not self.timed:
            return
        self._next += self.scene.control_period
        left = self._next - time.monotonic()
        if left > 0:
            time.sleep(left)
        else:
            self.slow_periods += 1
            self._next = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the simulation, the session is the caller's; calling it again does nothing."""
        while self._subscribers:
            self._subscribers.pop().undeclare()
        for stops in self._stops:
            stops.close()
        self.warehouse.close()


def in_radio_range(me: int, poses: NDArray[np.float64], radio_range: float, most: int) -> list[int]:
    """Return the robots whose broadcasts robot `me` receives: the nearest, in the order of their numbers."""
    x, y = poses[me, 0], poses[me, 1]
    dx, dy = poses[:, 0] - x, poses[:, 1] - y
    square = dx * dx + dy * dy
    near: Iterable[int] = np.flatnonzero(square < radio_range * radio_range).tolist()
    others = [other for other in near if other != me]
    return sorted(sorted(others, key=lambda other: float(square[other]))[:most])
