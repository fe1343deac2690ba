"""One robot's bases and processes: the real classes, on a simulated clock.

What must hold between them is checked in every control period of every base.
"""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np

from benchmarks.sequences.checked_latch import ProtocolError
from benchmarks.sequences.link import NAME, ROBOT, SECOND, WIRE, Link, Message, Side
from export.fleet.base import RobotBase
from export.protocol.messages import Command, Mode, Sensors
from export.protocol.ordering import STALE_AFTER
from export.robot.gate import Gate
from export.robot.inbox import SensorInbox
from export.robot.loop import RobotLoop
from export.robot.pilot import Decision
from sim.traffic.broadcast import RECORD_SIZE

SILENT_AT_MOST = SECOND
"""How long a robot may stay undriven when nothing is wrong any more [ns]."""
_PERIOD = round(WIRE.control_period * SECOND)
_VELOCITY, _BRAKING = (0.2, 0.1), (0.0, 0.1)
_CLEAR = np.full(WIRE.rays, WIRE.robot.lidar_range, np.float32)
_TOLD = np.zeros(RECORD_SIZE)
_LEARN = 2 * _PERIOD  # in which one stop at least is told, there and back


class BaseSide(Side):
    """A base, which sends sensors ten times a second and waits for the answer for half of the time."""

    def __init__(self, link: "Link") -> None:
        super().__init__(link)
        self.base = RobotBase(NAME, WIRE, True, self.now)
        self.base.latch = self.latch
        self._counted: list[tuple[Message, Command]] = []
        self._stood_since = link.now
        link.after(link.random.randrange(_PERIOD), self, self._begin_period)

    def receive(self, message: Message) -> None:
        """Take a command."""
        answers = self.base.answers
        self.base.receive(message.data)
        if self.base.answers > answers:
            self._counted.append((message, WIRE.read_command(message.data, ROBOT)))

    @property
    def reason(self) -> str:
        """Why it stands."""
        return self.base.state

    @property
    def remembered(self) -> int:
        """How many sessions and stops it remembers."""
        return len(self.base._ordering._sessions) + self.latch.remembered

    def _begin_period(self) -> None:
        self._counted.clear()
        header = self.base.expect()
        sensors = Sensors(
            header, 1, (1.5, 1.5, 0.0), _VELOCITY, (2.5, 1.5), False,
            self.latch.tell(), self.base.process, _CLEAR, np.zeros((0, RECORD_SIZE)), np.zeros(0),
        )  # fmt: skip
        self.link.last_sensors = sensors
        message = Message(WIRE.pack_sensors(ROBOT, sensors), header.session, free=not self.latch.must_stop)
        self.link.send(message, self.link.processes, self.link.sensors_cut)
        self.link.after(_PERIOD // 2, self, self._end_period)
        self.link.after(_PERIOD, self, self._begin_period)

    def _end_period(self) -> None:
        moved = self.base.command(_VELOCITY, _CLEAR)
        drove = moved != _BRAKING
        self.link.events["periods driven" if drove else "periods braked"] += 1
        if drove:
            self._check_driven(moved)
        self._check_silence(drove)

    def _check_driven(self, moved: tuple[float, float]) -> None:
        if self.latch.must_stop:
            raise ProtocolError("it moves although a stop holds")
        if not self._counted:
            raise ProtocolError(f"nobody drives it, and it does {moved}")
        if len({message.session for message, _ in self._counted}) != 1:
            raise ProtocolError(f"{len(self._counted)} answers of several processes counted in one control period")
        message, command = self._counted[-1]
        if not message.free:
            raise ProtocolError("it moves although its process holds a stop")
        if moved != (command.speed, command.turn_rate) or any(c.mode is Mode.STOP for _, c in self._counted):
            raise ProtocolError(f"it does {moved}, which is not what its process wants")
        if self.now() - command.answers.stamp > STALE_AFTER * 1e9:
            raise ProtocolError("it is moved by an answer to sensors that are too old")
        self._counted.clear()

    def _check_silence(self, drove: bool) -> None:
        link, process = self.link, self.link.undisturbed(self)
        if process is None:
            return
        told = len(self.latch.must) + len(process.latch.must)
        settled = link.now - max(link.disturbed, link.pressed) > SILENT_AT_MOST + told * _LEARN
        if settled and not self.latch.forgetful and not process.latch.forgetful:
            self._check_agreement(process)
        if drove or self.latch.stopped or process.latch.stopped:
            self._stood_since = link.now
        silent = link.now - max(self._stood_since, link.disturbed)
        link.longest = max(link.longest, silent)
        if silent > SILENT_AT_MOST:
            raise ProtocolError(f"nobody drives it for {silent / SECOND:.2f} s: {self.base.state}, {process.reason}")

    def _check_agreement(self, process: Side) -> None:
        mine, other = self.latch, process.latch
        if unknown := other.must.keys() - mine.must.keys() - mine.gone:
            raise ProtocolError(f"its process did not tell the base of {len(unknown)} stops")
        if unknown := mine.must.keys() - other.must.keys() - other.gone:
            raise ProtocolError(f"the base did not tell its process of {len(unknown)} stops")
        if other.must and not mine.must:
            raise ProtocolError("its process still holds what was released")


class Immediate(Executor):
    """Computes at once, in the thread that asks."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return what is done already."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class ProcessSide(Side):
    """A robot's process; its computation takes some time."""

    def __init__(self, link: "Link") -> None:
        super().__init__(link)
        self._busy, self._until, self._timer = 0, 0, 0
        self.inbox = SensorInbox(WIRE, ROBOT, True, self.now)
        self.gate = Gate(WIRE, ROBOT, WIRE.robot, WIRE.control_period, self.latch, self._send, self.now)
        self._loop = RobotLoop(
            self, self.inbox, self.latch, self.gate, WIRE.control_period, True,  # type: ignore[arg-type]
            lambda *_: None, lambda _: None, self.now, Immediate(),
        )  # fmt: skip
        self.wake()

    @property
    def reason(self) -> str:
        """Why it stands."""
        return f"{self.gate.reason.name.lower()}, dropped {dict(self.inbox.dropped)}"

    @property
    def remembered(self) -> int:
        """How many sessions and stops it remembers."""
        return len(self.inbox._ordering._sessions) + self.latch.remembered

    def now(self) -> int:
        """Return its monotonic clock [ns]; a computation takes some of it."""
        return super().now() + self._busy

    def decide(self, sensors: Sensors, fresh: bool) -> Decision:
        """Compute for a while."""
        self._busy += self.link.computation()
        return Decision(0.3, -0.05, _TOLD, 1)

    def _send(self, data: bytes) -> None:
        link = self.link
        link.last_command = WIRE.read_command(data, ROBOT)
        message = Message(data, self.gate.session, free=not self.latch.must_stop)
        link.send(message, link.bases, link.commands_cut, self._busy)

    def receive(self, message: Message) -> None:
        """Take sensors."""
        self.inbox.receive(message.data)
        self.wake()

    def wake(self) -> None:
        """Let its loop go round, once it has computed what it is at."""
        link = self.link
        self._timer += 1
        if link.now >= self._until:
            self._loop.step(0.0)
            self._until, self._busy = link.now + self._busy, 0
        mine, busy = self._timer, self._until - link.now
        delay = busy if busy > 0 else max(round(self._loop.patience() * SECOND), 1)
        link.after(delay, self, lambda: self.wake() if mine == self._timer else None)
