"""The simulated base of one robot: takes the commands of that robot's process, and brakes when there is none.

A command counts only for the control period whose sensors it answers. So a command that is missing, late, doubled or
from a second process is no command, and the base brakes in the arc that it is on: that is the way out which the
governor found clear one period before.
"""

import time
from collections import Counter, deque
from collections.abc import Callable

from export.protocol.framing import Header, WireError, address
from export.protocol.messages import Command, Mode, Wire
from export.protocol.ordering import STALE_AFTER, Ordering
from export.protocol.stop_latch import StopLatch

MISSED = 3
"""Control periods without an answer after which a process counts as gone."""
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
        self._ordering = Ordering(timed=False)
        self._process, self._last_arrival = 0, -(2**62)
        self._expected: Header | None = None
        self._answer: Command | None = None
        self._missed = MISSED
        self.dropped: Counter[str] = Counter()
        """Commands that did not count, by reason."""
        self.reasons: Counter[str] = Counter()
        """Control periods in which the process asked for a stop, by its reason, sent nothing (`silent`), or sent it too
        long ago (`stale`)."""
        self.latencies: deque[int] = deque(maxlen=_LATENCIES)
        """From the sensors' sending to the command's arrival [ns], of the last commands that counted."""
        self.answers = 0
        """Commands that counted."""
        self.oldest = 0
        """Age of the oldest sensors whose answer moved the wheels [ns]."""

    @property
    def waiting(self) -> bool:
        """Whether the process lives and has not answered yet."""
        return self._answer is None and self.present

    @property
    def present(self) -> bool:
        """Whether the process answered lately."""
        return self._missed < MISSED

    def arrived(self) -> None:
        """Wait for answers from now on: the process has connected."""
        self._missed = 0

    def expect(self, header: Header) -> None:
        """Let only a command that answers these sensors count from now on."""
        self._expected, self._answer = header, None

    def receive(self, data: bytes) -> None:
        """Store a command if it counts; called by the transport, under the fleet's lock."""
        arrival = self._now()
        try:
            command = self._wire.read_command(data, self.address)
        except WireError as error:
            self.dropped[error.what] += 1
            return
        self.latch.merge(command.stop, releases=False)
        header = command.header
        if header.session != self._process and arrival - self._last_arrival < STALE_AFTER * 1e9:
            self.dropped["second_process"] += 1
            return
        wrong, _ = self._ordering.judge(header, arrival)
        if wrong:
            self.dropped[wrong] += 1
            return
        self._process, self._last_arrival, self._missed = header.session, arrival, 0
        if command.answers != self._expected:
            self.dropped["late"] += 1
            return
        self._answer = command
        self.answers += 1
        self.latencies.append(arrival - command.answers.stamp)

    def command(self, speed: float, turn_rate: float) -> tuple[float, float]:
        """Return what the wheels do in this control period: v [m/s], w [rad/s].

        Args:
            speed: what it is now [m/s].
            turn_rate: what it is now [rad/s].
        """
        answer, self._expected = self._answer, None
        if answer is None:
            self._missed += 1
            self.reasons["silent"] += 1
        elif answer.mode is Mode.STOP:
            self.reasons[answer.reason.name.lower()] += 1
        elif (age := self._age(answer)) > STALE_AFTER * 1e9:
            self.reasons["stale"] += 1  # the base itself was kept waiting
        elif not self.latch.stopped:
            self.oldest = max(self.oldest, age)
            return answer.speed, answer.turn_rate
        return 0.0, (turn_rate if abs(speed) > _STANDING else 0.0)

    def _age(self, answer: Command) -> int:
        """Return the age of the sensors that a command answers [ns]; 0 in lock-step."""
        return self._now() - answer.answers.stamp if self._timed else 0
