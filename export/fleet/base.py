"""The simulated base of one robot: takes the commands of that robot's process, and brakes when there is none.

A command counts only for the control period whose sensors it answers, and not after a stop that answers the same. So a
command that is missing, late, doubled or from a second process is no command, and the base brakes in the arc that it is
on: that is the way out which the governor found clear one period before. It also brakes instead of driving into what
its own lidar shows, whatever it is told.
"""

import secrets
import time
from collections import Counter, deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from export.fleet.protective_field import ProtectiveField
from export.fleet.voice import Voice
from export.protocol.broadcasts import robot_number
from export.protocol.framing import Header, WireError, address
from export.protocol.messages import Command, Mode, Reason, Wire
from export.protocol.ordering import STALE_AFTER, Ordering
from export.protocol.stop_latch import StopLatch

MISSED = 3
"""Control periods without an answer after which a process counts as gone."""
_UNHEARD = 3
"""Control periods in a row in which the process answered none of as many last sensors, or found them stale, after which
the base begins a new session."""
_LATENCIES = 1_000
_STANDING = 0.02
"""Below this speed a braking robot stops turning too [m/s]."""


class RobotBase:
    """One robot's base.

    Args:
        name: the robot's name.
        wire: reads its messages.
        timed: whether age counts; not in lock-step.
        now: the monotonic clock [ns].
    """

    def __init__(self, name: str, wire: Wire, timed: bool, now: Callable[[], int] = time.monotonic_ns) -> None:
        self.name, self.address, self.latch = name, address(name), StopLatch(name)
        self._wire, self._timed, self._now = wire, timed, now
        self._field = ProtectiveField(wire.robot, wire.control_period)
        self._ordering = Ordering(timed=False, rival="second_process")
        self._session, self._period, self._unheard = 0, 0, 0
        self._complained, self._understood = False, False
        self._expected: Header | None = None
        self._answer: Command | None = None
        self._missed = MISSED
        self.state = "no process"
        """What the robot did in the last control period: `driven`, or why not."""
        self.maneuver = 0
        """Number of the maneuver in the last command that counted."""
        self.dropped: Counter[str] = Counter()
        """Commands that did not count, by reason."""
        self.reasons: Counter[str] = Counter()
        """Control periods in which the process asked for a stop, by its reason, sent nothing (`silent`), sent it too
        long ago (`stale`), or would have driven into something (`blocked`)."""
        self.latencies: deque[int] = deque(maxlen=_LATENCIES)
        """From the sensors' sending to the command's arrival [ns], of the last commands that counted."""
        self.voice = Voice(robot_number(name))
        """What its radio sends."""
        self.answers = 0
        """Commands that counted."""
        self.oldest = 0
        """Age of the oldest sensors whose answer moved the wheels [ns]."""
        self.begin()

    @property
    def waiting(self) -> bool:
        """Whether the process lives and has not answered yet."""
        return self._answer is None and self.present

    @property
    def present(self) -> bool:
        """Whether the process answered lately."""
        return self._missed < MISSED

    @property
    def process(self) -> int:
        """Session of the process that is obeyed; 0 for none."""
        return self._ordering.followed if self.present else 0

    def arrived(self) -> None:
        """Wait for answers from now on: the process has connected."""
        self._missed = 0

    def begin(self, session: int | None = None) -> None:
        """Begin a session, an episode or a mission, with that number or one that is drawn."""
        self._session = secrets.randbits(64) if session is None else session
        self._period, self._unheard = 0, 0
        self.voice.begin()

    def expect(self) -> Header:
        """Return the header of the next sensors; from now on, only a command that answers them counts."""
        self._expected, self._answer = Header(self._session, self._period, self._now()), None
        self._period += 1
        return self._expected

    def receive(self, data: bytes) -> None:
        """Store a command if it counts; called by the transport, under the fleet's lock."""
        arrival = self._now()
        try:
            command = self._wire.read_command(data, self.address)
        except WireError as error:
            self.dropped[error.what] += 1
            return
        self.latch.merge(command.stop, releases=False)
        wrong, _ = self._ordering.judge(command.header, arrival)
        if wrong:
            self.dropped[wrong] += 1
            return
        self._missed = 0
        self._notice(command)
        if command.answers != self._expected:
            self.dropped["late"] += 1
            return
        if self._answer is not None and self._answer.mode is Mode.STOP:
            self.dropped["after_a_stop"] += 1
            return
        self._answer, self.maneuver = command, command.maneuver
        self.answers += 1
        self.latencies.append(arrival - command.answers.stamp)

    def _notice(self, command: Command) -> None:
        """Note whether the process has understood the last sensors."""
        answered = command.answers
        lately = range(self._period - _UNHEARD, self._period)
        if answered.session != self._session or answered.sequence not in lately:
            self._complained |= answered.session != 0  # none yet
        elif command.reason is Reason.STALE_SENSORS:
            self._complained = True
        else:
            self._understood = True

    def _require_understanding(self) -> None:
        """Begin a new session when the process goes on refusing these sensors."""
        if self._complained or self._understood:
            self._unheard = self._unheard + 1 if self._complained else 0
        self._complained = self._understood = False
        if self._unheard >= _UNHEARD:
            self.dropped["answers_other_sensors"] += self._unheard
            self._session, self._unheard = secrets.randbits(64), 0

    def command(self, velocity: tuple[float, float], lidar: NDArray[np.float32]) -> tuple[float, float]:
        """Return what the wheels do in this control period: v [m/s], w [rad/s].

        Args:
            velocity: what they do now, v [m/s], w [rad/s].
            lidar: the base's own scan, ranges [rays], m.
        """
        self._require_understanding()
        answer, self._expected = self._answer, None
        self._missed += answer is None
        if answer is not None or not self.present:
            self.voice.answered(None if answer is None else answer.broadcast)
        refused = self._refusal(answer, velocity, lidar)
        if refused:
            self.reasons[refused] += 1
        if refused != "silent" or not self.present:
            self.state = "no process" if refused == "silent" else refused or "driven"
        if answer is not None and not refused:
            self.oldest = max(self.oldest, self._age(answer))
            return answer.speed, answer.turn_rate
        speed, turn_rate = velocity
        return 0.0, (turn_rate if abs(speed) > _STANDING else 0.0)

    def _refusal(self, answer: Command | None, velocity: tuple[float, float], lidar: NDArray[np.float32]) -> str:
        """Return why the robot is not driven as the process says, nothing (``) if it is."""
        if answer is None:
            return "silent"
        if self.latch.stopped:
            return "emergency_stop"
        if answer.mode is Mode.STOP:
            return answer.reason.name.lower()
        if self._age(answer) > STALE_AFTER * 1e9:
            return "stale"  # the base itself was kept waiting
        return "blocked" if self._field.blocked(velocity, (answer.speed, answer.turn_rate), lidar) else ""

    def _age(self, answer: Command) -> int:
        """Return the age of the sensors that a command answers [ns]; 0 in lock-step."""
        return self._now() - answer.answers.stamp if self._timed else 0
