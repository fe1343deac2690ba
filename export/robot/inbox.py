"""What a robot's process keeps of the messages that arrive: the newest good one, and a count of all others.

The transport may lose, double, delay or reorder messages. How late a message is can be told without a common clock:
its arrival minus its stamp is the offset between both clocks plus its time on the way, and the smallest of these in
the session is one that was hardly under way. Clocks drift, so the smallest rises with time, but no faster than clocks
can drift: messages that are all late, or come later and later, stay late.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

from export.protocol.messages import Header, Sensors, Wire, WireError

STALE_AFTER = 0.3
"""Age at which sensors no longer count [s]."""
_DRIFT = 0.002
"""By which share two clocks may run apart: quartzes differ by 0.0002 at most, and each may be slewed by 0.0005."""
_REMEMBERED = 64
"""Sessions of the past that are known to be over."""


_FOREVER = 2**62  # [ns]


class Received(NamedTuple):
    """Sensors that were accepted."""

    sensors: Sensors
    arrival: int
    """When, by this process's monotonic clock [ns]."""
    fresh_until: int
    """When they will be too old [ns]."""


class Ordering:
    """Judges by their headers whether messages of one kind come in order and in time.

    Args:
        timed: whether lateness counts; not in lock-step, where the sender waits.
    """

    def __init__(self, timed: bool) -> None:
        self._timed = timed
        self._last = Header(0, -1, 0)
        self._retired: deque[int] = deque(maxlen=_REMEMBERED)
        self._smallest: int | None = None  # offset in this session
        self._arrival = 0
        self.lost = 0
        """Messages that never came."""

    def judge(self, header: Header, arrival: int) -> tuple[str, int]:
        """What is wrong with a message, or nothing (``), and how late it is [ns]."""
        last = self._last
        if header.session in self._retired:
            return "retired_session", 0
        if header.session != last.session:
            if last.sequence >= 0:
                self._retired.append(last.session)
            self._smallest = None
        elif header.sequence <= last.sequence:
            return "doubled" if header.sequence == last.sequence else "out_of_order", 0
        else:
            self.lost += header.sequence - last.sequence - 1
        self._last = header
        if header.session == last.session and header.stamp <= last.stamp:
            self._smallest = None
            return "clock_jumped_back", 0
        late = self._lateness(arrival - header.stamp, arrival) if self._timed else 0
        return ("late" if late > STALE_AFTER * 1e9 else ""), late

    def _lateness(self, offset: int, arrival: int) -> int:
        if self._smallest is None:
            self._smallest = offset
        else:
            self._smallest = min(offset, self._smallest + round(_DRIFT * (arrival - self._arrival)))
        self._arrival = arrival
        return offset - self._smallest


class SensorInbox:
    """The newest sensors of one robot.

    Args:
        wire: reads the messages.
        robot: whose they are, from `export.protocol.messages.address`.
        timed: whether lateness and age count.
        now: the monotonic clock [ns].
    """

    def __init__(self, wire: Wire, robot: int, timed: bool, now: Callable[[], int] = time.monotonic_ns) -> None:
        self._wire, self._robot, self._timed, self._now = wire, robot, timed, now
        self._ordering = Ordering(timed)
        self._condition = threading.Condition()
        self._newest: Received | None = None
        self._woken = False
        self.dropped: Counter[str] = Counter()
        """Messages that were not accepted, or were followed by a newer one before they were used, by reason."""

    @property
    def lost(self) -> int:
        """Messages that never came."""
        return self._ordering.lost

    def receive(self, data: bytes) -> None:
        """Stores a message if it is newer than what is here; called by the transport."""
        arrival = self._now()
        with self._condition:
            try:
                sensors = self._wire.read_sensors(data, self._robot)
            except WireError as error:
                self.dropped[error.what] += 1
                return
            wrong, late = self._ordering.judge(sensors.header, arrival)
            if wrong:
                self.dropped[wrong] += 1
                return
            self.dropped["overtaken"] += self._newest is not None
            stale_after = round(STALE_AFTER * 1e9) if self._timed else _FOREVER
            self._newest = Received(sensors, arrival, arrival - late + stale_after)
            self._condition.notify()

    def wake(self) -> None:
        """Ends a `take` that is waiting."""
        with self._condition:
            self._woken = True
            self._condition.notify()

    def take(self, timeout: float) -> Received | None:
        """The newest sensors, once; waits for them at most `timeout` [s], or until `wake`."""
        with self._condition:
            self._condition.wait_for(lambda: self._newest is not None or self._woken, max(timeout, 0.0))
            received, self._newest, self._woken = self._newest, None, False
            return received
