"""The emergency stop: latched by any message that asks for it, released only by one that names the stop that it ends.

So a release that was sent before a stop, or comes twice, can't undo that stop. A robot stands as long as one of its
stops holds. Base and process have a latch each and tell each other about them in every message: what one of them has
missed, or lost in a restart, it learns from the other.
"""

import secrets
import threading
import time
from collections import Counter, deque

from export.protocol.framing import EVERY_ROBOT, Header, WireError, address
from export.protocol.messages import Stop, StopState, pack_stop, read_stop

MOST_STOPS = 256
"""Stops that hold, and released ones, of which the numbers are remembered."""
_PEER = Header(0, 0, 0)


class StopLatch:
    """Whether a robot is stopped.

    Each sender has one place: its next stop, by the sequence number, takes the place of the one before; one that was
    overtaken on the way takes a place of its own. Stops beyond `MOST_STOPS` share one stop
    of the latch's own, whose number is told to those who ask what holds. So every stop holds, and none is lost.

    Args:
        robot: its name; it also obeys what is addressed to all.
    """

    def __init__(self, robot: str) -> None:
        self._addresses = (address(robot), address(EVERY_ROBOT))
        self._lock = threading.Lock()
        self._holding: dict[int, Header] = {}  # number: header of its message, _PEER from the other side; as they came
        self._overflow = 0  # number of the stop that stands for those that found no place
        self._released: deque[int] = deque(maxlen=MOST_STOPS)
        self._peer_released = 0  # a released stop that the other side still holds
        self._told = 0  # messages to the other side
        self.dropped: Counter[str] = Counter()
        """Messages that changed nothing, by reason."""

    @property
    def stopped(self) -> bool:
        """Whether a stop holds."""
        return bool(self._holding) or self._overflow != 0

    @property
    def holding(self) -> list[int]:
        """The numbers of the stops that hold."""
        with self._lock:
            return [*self._holding, *([self._overflow] if self._overflow else [])]

    def tell(self) -> StopState:
        """Return what the next message tells the other side: of the stops that hold the one whose turn it is, or that
        one which the other side holds was released."""
        held = self.holding
        self._told += 1
        return StopState(held[self._told % len(held)], True) if held else StopState(self._peer_released, False)

    def receive(self, data: bytes, releases: bool) -> bool:
        """Obey a message; return whether it was one for this robot.

        Args:
            data: the message.
            releases: whether a release counts: not where everybody who may stop can send one.
        """
        with self._lock:
            try:
                stop = read_stop(data, self._addresses)
            except WireError as error:
                self.dropped[error.what] += 1
                return False
            if stop.release and not releases:
                self.dropped["release_as_stop"] += 1
                return True
            obeyed = self._release(stop.number) if stop.release else self._latch(stop.number, stop.header)
            self.dropped["without_effect"] += not obeyed
            return True

    def merge(self, peer: StopState, releases: bool) -> None:
        """Take over what the other side knows; `releases` tells whether its releases count."""
        with self._lock:
            self._peer_released = 0
            if peer.latched and not self._latch(peer.number, _PEER) and peer.number in self._released:
                self._peer_released = peer.number
            elif releases and not peer.latched:
                self._release(peer.number)

    def _latch(self, number: int, sent: Header) -> bool:
        if number in (0, self._overflow) or number in self._holding or number in self._released:
            return False
        session, sequence, _ = sent
        earlier = [n for n, of in self._holding.items() if of.session == session != 0 and of.sequence < sequence]
        self._holding[number] = sent  # before the earlier one goes: there is no moment without a stop
        for held in earlier:
            self._release(held)
        if len(self._holding) > MOST_STOPS:
            del self._holding[number]
            self._overflow = self._overflow or draw_number()
            self.dropped["overflow"] += 1
        return True

    def _release(self, number: int) -> bool:
        if number == 0 or (number not in self._holding and number != self._overflow):
            return False
        if number == self._overflow:
            self._overflow = 0
        else:
            del self._holding[number]
        self._released.append(number)
        return True


def draw_number() -> int:
    """Return a number for a new stop."""
    return 1 + secrets.randbelow(2**64 - 1)


def stop_message(robot: str, number: int, release: bool = False) -> bytes:
    """Return a message that stops one robot, or all (`EVERY_ROBOT`), or ends the stop with that number."""
    return pack_stop(address(robot), Stop(Header(secrets.randbits(64), 0, time.monotonic_ns()), number, release))
