"""Which messages come in order and in time: the transport may lose, double, delay or reorder them.

How late a message is can be told without a common clock: its arrival minus its stamp is the offset between both clocks
plus its time on the way, and the smallest of these in the session is one that was hardly under way. Clocks drift, so
the smallest rises with time, but no faster than clocks can drift: messages that are all late, or come later and later,
stay late.
"""

from collections import deque

from export.protocol.framing import Header

STALE_AFTER = 0.3
"""Age at which sensors no longer count [s]."""
_DRIFT = 0.002
"""By which share two clocks may run apart: quartzes differ by 0.0002 at most, and each may be slewed by 0.0005."""
_REMEMBERED = 64
"""Sessions of the past that are known to be over."""


class Ordering:
    """The judgement whether messages of one kind come in order and in time, by their headers.

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
        """Return what is wrong with a message, or nothing (``), and how late it is [ns]."""
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
