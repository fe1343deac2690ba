"""A bench for one real robot process: a base under a test's control, on a real transport."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from export.fleet.processes import RobotProcesses, free_endpoint
from export.protocol import transport
from export.protocol.framing import Header, address
from export.protocol.messages import NO_STOP, Command, Mode, Reason, Sensors, Wire, map_hash
from sim.layout import Layout, load_layout
from sim.traffic.broadcast import RECORD, RECORD_SIZE
from tests.export.conftest import SCENE

NAME = "robot_0"
ME = address(NAME)
LAYOUT: Layout = load_layout(SCENE.layout)
WIRE = Wire(SCENE.robot, SCENE.control_period)
GOAL = LAYOUT.middle(LAYOUT.picks[0])
START = LAYOUT.middle(LAYOUT.stations[0])


FIRST = Header(1, 0, 0)


def some_sensors(header: Header = FIRST, **changes: Any) -> Sensors:
    """Valid sensors of a robot at rest on a station, nothing near."""
    sensors = Sensors(
        header=header,
        map=map_hash(LAYOUT.text()),
        pose=(*START, 0.5),
        velocity=(0.0, 0.0),
        goal=GOAL,
        carrying=False,
        stop=NO_STOP,
        process=0,
        lidar=np.full(SCENE.robot.lidar_rays, 2.0, np.float32),
        broadcasts=np.zeros((0, RECORD_SIZE)),
        ages=np.zeros(0),
    )
    return sensors._replace(**changes)


def some_broadcast(**changes: float) -> np.ndarray:
    """Of a robot at rest two cells off, which tells no way."""
    place = LAYOUT.picks[1]
    told = {"claim_count": 1.0, "claims": float(place), "wanted": -1.0, "name": 1.0, "clock": 7.0, "claimed_at": 7.0}
    x, y = LAYOUT.middle(place)
    record = np.zeros(RECORD_SIZE)
    for name, value in {**told, "x": x, "y": y, "waypoint_x": x, "waypoint_y": y, **changes}.items():
        record[getattr(RECORD, name)] = value
    return record


class Bench:
    """Sends what a test wants one robot process to sense, and keeps what it answers."""

    def __init__(self, session: Any, processes: RobotProcesses) -> None:
        self.session, self.processes = session, processes
        self.commands: list[tuple[float, Command]] = []
        self.state: dict[str, Any] = {}
        self.sequence, self.epoch = -1, 1
        self._changed = threading.Condition()
        self._publish = transport.publisher(session, transport.sensors_key(NAME)).put
        self._kept = [
            transport.subscribe(session, transport.command_key(NAME), self._command),
            transport.subscribe(session, transport.state_key(NAME), self._state),
        ]

    def _command(self, data: bytes) -> None:
        with self._changed:
            self.commands.append((time.monotonic(), WIRE.read_command(data, ME)))
            self._changed.notify_all()

    def _state(self, data: bytes) -> None:
        with self._changed:
            self.state = json.loads(data)
            self._changed.notify_all()

    def wait(self, condition: Callable[[], Any], seconds: float = 10.0) -> None:
        """Until the condition holds."""
        with self._changed:
            assert self._changed.wait_for(condition, seconds), self.said()

    def said(self) -> str:
        return self.processes.output(NAME)

    def says(self, text: str) -> None:
        """Waits until the robot's log has that."""
        end = time.monotonic() + 3
        while text not in self.said():
            assert time.monotonic() < end, self.said()
            time.sleep(0.02)

    def send_raw(self, data: bytes) -> None:
        self._publish(data)

    def send(self, stamp: int | None = None, **changes: Any) -> Header:
        """The next sensors, stamped now."""
        self.sequence += 1
        header = Header(self.epoch, self.sequence, time.monotonic_ns() if stamp is None else stamp)
        obeyed = {"process": self.commands[-1][1].header.session} if self.commands else {}
        self._publish(WIRE.pack_sensors(ME, some_sensors(header, **{**obeyed, **changes})))
        return header

    def ask(self, **changes: Any) -> Command:
        """The answer to the next sensors, which are sent a control period after the last ones."""
        time.sleep(SCENE.control_period)
        header = self.send(**changes)
        self.wait(lambda: self.answer(header) is not None, 3.0)
        answer = self.answer(header)
        assert answer is not None
        return answer

    def until_a_decision(self) -> None:
        """Goes on until the next sensors are those that the policy decides on."""
        while (self.sequence + 1) % SCENE.ticks:
            self.ask()

    def answer(self, header: Header) -> Command | None:
        return next((command for _, command in self.commands if command.answers == header), None)

    def drives(self, count: int = 1, **changes: Any) -> Command:
        """Lets the robot drive for a while, and checks that it does; a busy machine may need more than one try."""
        for _ in range(10):
            command = self.ask(**changes)
            count -= command.mode is Mode.DRIVE
            if count <= 0:
                return command
        raise AssertionError(self.said())

    def refuses(self, reason: Reason, **changes: Any) -> None:
        """Checks that these sensors are answered by a stop, and soon for this reason (or first: too busy)."""
        for _ in range(10):
            answer = self.ask(**changes)
            assert (answer.mode, answer.speed, answer.turn_rate) == (Mode.STOP, 0.0, 0.0)
            if answer.reason is reason:
                return
            assert answer.reason is Reason.OVERRUN
        raise AssertionError(self.said())

    def stops(self, reason: Reason, seconds: float = 3.0, after: int | None = None) -> float:
        """Waits for a stop with that reason; returns when it came, by `time.monotonic`.

        Args:
            reason: the reason.
            seconds: how long to wait.
            after: number of commands that don't count, by default all that have come.
        """
        begin = len(self.commands) if after is None else after
        found: list[float] = []

        def look() -> bool:
            found[:] = [at for at, c in self.commands[begin:] if (c.mode, c.reason) == (Mode.STOP, reason)]
            return bool(found)

        self.wait(look, seconds)
        return found[0]

    def counted(self, what: str, name: str, at_least: int = 1) -> None:
        """Waits until the robot's own report counts that."""
        self.wait(lambda: self.state.get(what, {}).get(name, 0) >= at_least, 3.0)


@contextmanager
def robot_bench(bundle: Path, *options: str) -> Iterator[Bench]:
    """A bench with the process of robot_0 connected."""
    endpoint = free_endpoint()
    with (
        transport.open_session(listen=endpoint) as session,
        RobotProcesses(bundle, [NAME], endpoint, *options) as processes,
    ):
        bench = Bench(session, processes)
        connected(bench)
        yield bench


def connected(bench: Bench) -> None:
    """Waits until the process has connected."""
    end = time.monotonic() + 15
    while not list(bench.session.liveliness().get(transport.alive_key(NAME), timeout=1.0)):
        bench.processes.require_running()
        assert time.monotonic() < end, bench.said()
        time.sleep(0.02)
