"""The emergency stop: latched by any message that asks for it, released only by one that says so."""

import secrets
import threading
import time
from collections import Counter, OrderedDict

from export.wire import EVERY_ROBOT, Header, Stop, WireError, address, pack_stop, read_stop

_SENDERS = 256
"""Senders whose last message is remembered, so that a doubled release can't undo a later stop."""


class StopLatch:
    """Whether a robot is stopped.

    Args:
        robot: its name; it also obeys what is addressed to all.
    """

    def __init__(self, robot: str) -> None:
        self._addresses = (address(robot), address(EVERY_ROBOT))
        self._lock = threading.Lock()
        self._seen: OrderedDict[int, int] = OrderedDict()
        self.stopped = False
        """Latched."""
        self.dropped: Counter[str] = Counter()
        """Messages that were not obeyed, by reason."""

    def receive(self, data: bytes) -> bool:
        """Obeys a message; returns whether it was one that this robot had to obey."""
        with self._lock:
            try:
                stop = read_stop(data, self._addresses)
            except WireError as error:
                self.dropped[error.what] += 1
                return False
            header = stop.header
            if header.sequence <= self._seen.get(header.session, -1):
                self.dropped["doubled"] += 1
                return False
            self._seen[header.session] = header.sequence
            self._seen.move_to_end(header.session)
            while len(self._seen) > _SENDERS:
                self._seen.popitem(last=False)
            self.stopped = not stop.release
            return True


def stop_message(robot: str, release: bool) -> bytes:
    """A message that stops or releases one robot, or all (`EVERY_ROBOT`), from a sender of its own."""
    return pack_stop(address(robot), Stop(Header(secrets.randbits(64), 0, time.monotonic_ns()), release))
