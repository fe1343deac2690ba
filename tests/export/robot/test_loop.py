"""The loop on a test's clock: how it gets out of being refused."""

import pytest

from export.protocol.framing import Header
from export.protocol.messages import Command, Mode, Reason
from export.protocol.stop_latch import StopLatch
from export.robot.gate import Gate
from export.robot.inbox import SensorInbox
from export.robot.loop import RobotLoop
from export.robot.pilot import Decision, Pilot
from tests.export.conftest import SCENE
from tests.export.robot_bench import ME, NAME, WIRE, some_broadcast, some_sensors

MS = 1_000_000


class Driven:
    """A loop, its clock, and what it sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Pilot, "__init__", lambda self: None)
        monkeypatch.setattr(Pilot, "decide", lambda self, sensors, fresh: Decision(0.1, 0.0, some_broadcast(), 1))
        self.now, self.sent, self.lines = 0, list[Command](), list[str]()
        period, latch = SCENE.control_period, StopLatch(NAME)
        self.inbox = SensorInbox(WIRE, ME, True, lambda: self.now)
        self.gate = Gate(WIRE, ME, SCENE.robot, period, latch, self.keep, lambda: self.now)
        self.loop = RobotLoop(
            Pilot(), self.inbox, latch, self.gate, period, True,  # type: ignore[call-arg]
            lambda *_: None, self.lines.append, lambda: self.now,
        )  # fmt: skip

    def keep(self, data: bytes) -> None:
        self.sent.append(WIRE.read_command(data, ME))

    def sense(self, header: Header, process: int) -> Command:
        """What it answers to these sensors."""
        self.inbox.receive(WIRE.pack_sensors(ME, some_sensors(header, process=process)))
        self.loop.step(0.0)
        return self.sent[-1]

    def wait(self, ms: int) -> None:
        for _ in range(ms // 100):
            self.now += 100 * MS
            self.loop.step(0.0)


@pytest.fixture
def driven(monkeypatch: pytest.MonkeyPatch) -> Driven:
    return Driven(monkeypatch)


def test_a_process_that_hears_nothing_goes_on_in_a_new_session_every_half_a_second(driven: Driven) -> None:
    """So its complaint is heard where the base refuses its session, as after a forged message in each direction."""
    first = driven.gate.session
    assert driven.sense(Header(1, 0, 0), first).mode is Mode.DRIVE
    driven.wait(1200)
    assert {command.reason for command in driven.sent[1:]} == {Reason.STALE_SENSORS}
    sessions = [command.header.session for command in driven.sent[1:]]
    assert sessions[:2] == [first] * 2  # 0.3 and 0.4 s after the sensors
    assert [sessions.count(session) for session in dict.fromkeys(sessions)] == [2, 5, 3]


def test_a_process_that_is_not_obeyed_goes_on_in_a_new_session_after_three_sensors(driven: Driven) -> None:
    first, sessions = driven.gate.session, []
    for period in range(5):
        driven.now = period * 100 * MS
        sessions.append(driven.sense(Header(1, period, driven.now), 0).header.session)
    assert sessions[:2] == [first] * 2
    assert len({*sessions[2:]}) == 1
    assert sessions[2] != first
    assert "going on as" in driven.lines[0]
    driven.now += 100 * MS
    driven.sense(Header(1, 5, driven.now), sessions[2])
    assert driven.lines[1:] == ["the base obeys this process again"]
