"""Which messages come from the sender that is followed, in order and in time.

The transport may lose, double, delay or reorder messages, and somebody else may send on the same key. One session is
followed as long as it lives; another one takes over when it has been silent. What was seen of a session is remembered,
so that its old messages don't count again, and the session itself does, once the other one is silent.

How late a message is can be told without a common clock: its arrival minus its stamp is the offset between both clocks
plus its time on the way, and the smallest of these in the session is one that was hardly under way. Clocks drift, so
the smallest rises with time, but no faster than clocks can drift: messages that are all late, or come later and later,
stay late.
"""

from dataclasses import dataclass

from export.protocol.framing import Header

STALE_AFTER = 0.3
"""Age at which sensors no longer count, and silence after which another session may take over [s]."""
_DRIFT = 0.002
"""By which share two clocks may run apart: quartzes differ by 0.0002 at most, and each may be slewed by 0.0005."""
_REMEMBERED = 64
"""Sessions of which the last message is remembered."""


@dataclass
class _Session:
    """What was seen of one session of a sender."""

    last: Header
    """Of its newest message."""
    alive: int
    """When its last message came that was good and hardly late [ns]."""
    measured: int = 0
    """When its lateness was last measured [ns]."""
    smallest: int | None = None
    """Smallest offset between its clock and this one [ns], as of `measured`."""


class Ordering:
    """The judgement whether messages of one kind come from the followed session, in order and in time.

    Args:
        timed: whether lateness counts; not in lock-step, where the sender waits.
        rival: what a message of another session is called while the followed one lives; without it, every new session
            is followed at once.
    """

    def __init__(self, timed: bool, rival: str | None) -> None:
        self._timed, self._rival = timed, rival
        self._sessions: dict[int, _Session] = {}  # the followed one last
        self.followed = 0
        """The session that is followed, 0 before the first; other threads may read it."""
        self.lost = 0
        """Messages that never came."""

    def judge(self, header: Header, arrival: int) -> tuple[str, int]:
        """Return what is wrong with a message, or nothing (``), and how late it is [ns]."""
        followed = self._sessions.get(self.followed)
        lives = followed is not None and arrival - followed.alive < STALE_AFTER * 1e9
        if self._rival and lives and header.session != self.followed:
            return self._rival, 0
        session = self._sessions.get(header.session)
        if session is None:
            session = _Session(header, arrival)
        elif header.sequence <= session.last.sequence:
            return "doubled" if header.sequence == session.last.sequence else "out_of_order", 0
        else:
            self.lost += header.sequence - session.last.sequence - 1
        self._follow(session)
        back = header.sequence > session.last.sequence and header.stamp <= session.last.stamp
        session.last = header
        if back:
            session.smallest = None
            return "clock_jumped_back", 0
        late = self._lateness(session, arrival - header.stamp, arrival) if self._timed else 0
        if late > STALE_AFTER * 1e9:
            return "late", late
        if late < STALE_AFTER * 1e9 / 2:  # else another session may take over, as one whose lateness is not mistaken
            session.alive = arrival
        return "", late

    def _follow(self, session: _Session) -> None:
        self._sessions.pop(session.last.session, None)
        self._sessions[session.last.session] = session
        self.followed = session.last.session
        if len(self._sessions) > _REMEMBERED:
            del self._sessions[next(iter(self._sessions))]

    def _lateness(self, session: _Session, offset: int, arrival: int) -> int:
        if session.smallest is None:
            session.smallest = offset
        else:
            session.smallest = min(offset, session.smallest + round(_DRIFT * (arrival - session.measured)))
        session.measured = arrival
        return offset - session.smallest
