"""What the fleet's loop reads of a base while the transport's thread writes it."""

import sys
from collections.abc import Callable
from itertools import count
from types import FrameType
from typing import Any, TypeVar

import pytest

from export.fleet.base import RobotBase
from export.fleet.host import BaseWatch
from export.protocol.framing import Header
from export.protocol.messages import NO_STOP, Command, Mode, Reason
from tests.export.robot_bench import ME, NAME, WIRE

Result = TypeVar("Result")


def interrupted(read: Callable[[], Result], write: Callable[[], object]) -> Result:
    """Return what `read` returns when `write` runs before and after each call in it, as another thread's might."""

    def switch(frame: FrameType, event: str, argument: Any) -> None:
        sys.setprofile(None)
        write()
        sys.setprofile(switch)

    sys.setprofile(switch)
    try:
        return read()
    finally:
        sys.setprofile(None)


@pytest.fixture
def base() -> RobotBase:
    """A base for which a second passes between any two messages, so that each new process is obeyed."""
    seconds = count()
    base = RobotBase(NAME, WIRE, False, lambda: next(seconds) * 10**9)
    base.arrived()
    return base


def test_it_tells_whom_it_obeys_while_processes_come_and_go(base: RobotBase) -> None:
    sessions = count(1)

    def begin_process() -> None:
        header, reason = Header(next(sessions), 0, 0), Reason.NO_SENSORS
        stop = Command(header, Header(0, 0, 0), 0.0, 0.0, None, Mode.STOP, reason, 0, NO_STOP)
        base.receive(WIRE.pack_command(ME, stop))

    begin_process()
    assert interrupted(lambda: base.process, begin_process) in range(1, next(sessions))


def test_each_reason_of_a_drop_is_told_once_whenever_it_comes(base: RobotBase) -> None:
    names, watch = count(), BaseWatch(base)

    def drop() -> None:
        base.dropped[f"reason {next(names)}"] += 1

    drop()
    told = [*interrupted(watch.changes, drop), *interrupted(watch.changes, drop), *watch.changes()]
    assert next(names) > 10
    assert sorted(told) == sorted(f"{NAME}: drops messages: {name}" for name in base.dropped)


def test_the_totals_are_told_while_messages_are_dropped(base: RobotBase) -> None:
    names, watch = count(), BaseWatch(base)

    def drop() -> None:
        base.dropped[f"reason {next(names)}"] += 1
        base.latch.dropped[f"reason {next(names)}"] += 1

    drop()
    assert interrupted(watch.totals, drop).startswith(f"{NAME}: dropped 1 reason 0, 1 reason 1")
    assert next(names) > 10
