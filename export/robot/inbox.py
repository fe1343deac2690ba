"""What a robot's process keeps of the messages that arrive: the newest good one, and a count of all others."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from export.protocol.framing import WireError
from export.protocol.messages import Sensors, Wire
from export.protocol.ordering import STALE_AFTER, Ordering

_FOREVER = 2**62  # [ns]


class Received(NamedTuple):
    """Sensors that were accepted."""

    sensors: Sensors
    arrival: int
    """When, by this process's monotonic clock [ns]."""
    fresh_until: int
    """When they will be too old [ns]."""


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
        self._ordering = Ordering(timed, rival="second_base" if timed else None)
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
        """Store a message if it is newer than what is here; called by the transport."""
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
        """End a `take` that is waiting."""
        with self._condition:
            self._woken = True
            self._condition.notify()

    def take(self, timeout: float) -> Received | None:
        """Return the newest sensors, once; wait for them at most `timeout` [s], or until `wake`."""
        with self._condition:
            self._condition.wait_for(lambda: self._newest is not None or self._woken, max(timeout, 0.0))
            received, self._newest, self._woken = self._newest, None, False
            return received
