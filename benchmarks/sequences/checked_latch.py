"""The model of an emergency stop's latch: what each message means for the stops that hold; it forgets none."""

from export.protocol.framing import EVERY_ROBOT, address
from export.protocol.messages import StopState, read_stop
from export.protocol.stop_latch import MOST_STOPS, StopLatch


class ProtocolError(AssertionError):
    """Something that must hold did not."""


class CheckedLatch(StopLatch):
    """A latch that is held against its model after each message.

    Raises:
        ProtocolError: it does not hold a stop that it was told of and that nobody released, or holds another one.
    """

    def __init__(self, robot: str) -> None:
        super().__init__(robot)
        self._names = (address(robot), address(EVERY_ROBOT))
        self.must: dict[int, tuple[int, int]] = {}
        """Number of each stop that must hold: session and sequence of its sender."""
        self.crowded = False
        """Whether stops must hold for which there was no place."""
        self.gone: set[int] = set()
        """Numbers of the stops that ended."""

    @property
    def must_stop(self) -> bool:
        """Whether a stop must hold."""
        return bool(self.must) or self.crowded

    @property
    def remembered(self) -> int:
        """How many stops it remembers."""
        return len(self.holding) + len(self._released)

    @property
    def forgetful(self) -> bool:
        """Whether there were more stops than it can tell apart."""
        return self.crowded or len(self.gone) >= MOST_STOPS

    def receive(self, data: bytes, releases: bool) -> bool:
        """As `StopLatch.receive`."""
        held = self.holding
        mine = super().receive(data, releases)
        stop = read_stop(data, self._names)
        if not stop.release:
            self._tell(stop.number, (stop.header.session, stop.header.sequence), held)
        elif releases:
            self._end(stop.number, held)
        self._compare()
        return mine

    def merge(self, peer: StopState, releases: bool) -> None:
        """As `StopLatch.merge`."""
        held = self.holding if peer.number else []
        super().merge(peer, releases)
        if peer.number and peer.latched:
            self._tell(peer.number, (0, 0), held)
        elif peer.number and releases:
            self._end(peer.number, held)
        self._compare()

    def _tell(self, number: int, sender: tuple[int, int], held: list[int]) -> None:
        if number in self.must or number in self.gone or number in held:
            return
        session, sequence = sender
        for earlier, (other, count) in list(self.must.items()):
            if other == session != 0 and count < sequence:
                self._end(earlier, held)
        if number in self.holding or len(self.holding) <= MOST_STOPS:
            self.must[number] = sender
        else:  # all places are taken, also by stops that were released so long ago that they count as new
            self.crowded = True

    def _end(self, number: int, held: list[int]) -> None:
        if number in self.must:
            del self.must[number]
            self.gone.add(number)
        elif number in held and number not in self.gone:  # the number that stands for those without a place
            self.crowded = False
            self.gone.add(number)

    def _compare(self) -> None:
        if self.must_stop and not self.stopped:
            raise ProtocolError(f"{len(self.must)} stops were lost")
        if len(self.must) < 64 and not self.must.keys() <= set(self.holding):
            raise ProtocolError("one of several stops was lost")
        if self.stopped and not self.must_stop and not self.forgetful:
            raise ProtocolError("a stop holds that nobody sent, or that was released")
