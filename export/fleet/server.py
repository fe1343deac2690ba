"""The simulated warehouse that robots' processes connect to: physics, orders, radio, and a base for every robot.

Every control period each robot is sent its own sensors on its own key, and the answers that come in time move the
wheels. In real time the clock sets the pace, whoever answers; in lock-step the warehouse waits for every process that
lives, so that an episode is the same however long an answer takes.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np
import zenoh
from numpy.typing import NDArray

from export.fleet.base import RobotBase
from export.fleet.config import SOUND, RadioConfig
from export.fleet.radio import Radio
from export.fleet.voice import standing
from export.protocol import transport
from export.protocol.messages import Sensors, Wire, map_hash
from export.protocol.ordering import STALE_AFTER
from export.protocol.stop_service import serve_stops
from policies.episode import Episode, EpisodeMeter
from sim.errors import InputError
from sim.layout import Layout
from sim.scene import SceneConfig, robot_names
from sim.traffic.broadcast import RECORD
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
        radio: what goes wrong by radio.

    Raises:
        InputError: there is no robot of a name in `radio`.
    """

    def __init__(
        self,
        scene: SceneConfig,
        layout: Layout,
        session: zenoh.Session,
        timed: bool,
        radio: RadioConfig = SOUND,
    ) -> None:
        scene = radio.applied_to(scene)
        # Where robots may hear less than the warehouse knows, it can not compute their right of way with them.
        known = scene if not radio.radio_off and not timed else replace(scene, right_of_way="none")
        self.scene, self.warehouse = scene, Warehouse(known, layout)
        self._session = session
        self.timed = timed
        """Whether it runs in real time."""
        self._wire, self._map = Wire(scene.robot, scene.control_period), map_hash(layout.text())
        self.bases = [RobotBase(name, self._wire, timed) for name in robot_names(scene.robots)]
        self._radio = Radio(scene, radio.radio_off, self._wire.slots)
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
        self._radio.begin(seed)
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
        self._radio.send(self.periods, self._broadcasts(), warehouse.poses)
        for i, (base, publish) in enumerate(zip(self.bases, self._publish, strict=True)):
            with self._changed:
                header = base.expect()
            pose, velocity, goal = (
                warehouse.poses[i].tolist(),
                warehouse.velocities[i].tolist(),
                sensed.goals[i].tolist(),
            )
            sensors = Sensors(
                header, self._map, tuple(pose), tuple(velocity), tuple(goal), bool(warehouse.carrying[i]),
                base.latch.tell(), base.process, sensed.lidar[i], *self._radio.heard(i, self.periods),
            )  # fmt: skip
            publish(self._wire.pack_sensors(base.address, sensors))
        self.periods += 1

    def _broadcasts(self) -> list[NDArray[np.float64] | None]:
        """Return what each base's radio sends [RECORD_SIZE], or nothing."""
        warehouse, layout = self.warehouse, self.warehouse.layout
        poses, velocities = warehouse.poses.tolist(), warehouse.velocities.tolist()
        if self.scene.right_of_way == "none":
            return [self._broadcast_without_rules(i) for i in range(len(self.bases))]
        return [
            base.voice.broadcast(pose, velocity, bool(carrying), layout)
            for base, pose, velocity, carrying in zip(self.bases, poses, velocities, warehouse.carrying, strict=True)
        ]

    def _broadcast_without_rules(self, robot: int) -> NDArray[np.float64]:
        """Return where a robot is and heads: as in training, its waypoint is heard at once."""
        told = self.warehouse.sensors.broadcasts[robot]
        record = standing(float(robot), told[RECORD.x], told[RECORD.y], self.warehouse.layout)
        heads_nowhere = record[[RECORD.waypoint_x, RECORD.waypoint_y]]
        record[: len(told)] = told
        if not self.bases[robot].present:
            record[[RECORD.waypoint_x, RECORD.waypoint_y]] = heads_nowhere
        return record

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
