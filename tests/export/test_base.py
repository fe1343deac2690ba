import pytest

from export.base import MISSED, RobotBase
from export.stop_latch import StopLatch, stop_message
from export.wire import Command, Header, Mode, Reason, Stop, address, pack_stop

from .robot_bench import ME, NAME, WIRE

SENSED = Header(7, 3, 1000)


class Clock:
    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def base(clock: Clock) -> RobotBase:
    base = RobotBase(NAME, WIRE, clock)
    base.expect(SENSED)
    return base


def answer(process: int = 1, sequence: int = 0, answers: Header = SENSED, mode: Mode = Mode.DRIVE) -> bytes:
    reason = Reason.NONE if mode is Mode.DRIVE else Reason.OVERRUN
    return WIRE.pack_command(
        ME, Command(Header(process, sequence, 5 + sequence), answers, 0.5, -0.5, (0.0, 0.0), mode, reason, 1)
    )


def test_an_answer_to_the_last_sensors_moves_the_wheels_once(base: RobotBase) -> None:
    base.receive(answer())
    assert base.command(0.4, 0.1) == (0.5, -0.5)
    base.expect(Header(7, 4, 2000))
    assert base.command(0.4, 0.1) == (0.0, 0.1)  # nothing new: brakes along its arc


def test_without_an_answer_it_brakes_in_its_arc_and_then_stands(base: RobotBase) -> None:
    assert base.command(1.2, 0.7) == (0.0, 0.7)
    base.expect(SENSED)
    assert base.command(0.01, 0.7) == (0.0, 0.0)
    assert base.reasons == {"silent": 2}


@pytest.mark.parametrize(
    ("data", "counted"),
    [
        (b"nonsense", "length"),
        (answer(answers=Header(7, 2, 1000)), "late"),
        (answer(answers=Header(6, 3, 1000)), "late"),
        (answer(answers=Header(7, 3, 999)), "late"),
    ],
)
def test_what_answers_no_sensors_moves_nothing(base: RobotBase, data: bytes, counted: str) -> None:
    base.receive(data)
    assert base.command(0.4, 0.0) == (0.0, 0.0)
    assert base.dropped == {counted: 1}


def test_a_doubled_answer_counts_once(base: RobotBase) -> None:
    base.receive(answer())
    base.receive(answer())
    assert base.command(0.4, 0.0) == (0.5, -0.5)
    assert base.dropped == {"doubled": 1}


def test_a_stop_brakes(base: RobotBase) -> None:
    base.receive(answer(mode=Mode.STOP))
    assert base.command(0.4, 0.2) == (0.0, 0.2)
    assert base.reasons == {"overrun": 1}


def test_a_second_process_is_not_obeyed_while_the_first_lives(base: RobotBase, clock: Clock) -> None:
    base.receive(answer(process=1))
    clock.ns += 200_000_000
    base.expect(Header(7, 4, 2000))
    base.receive(answer(process=2, answers=Header(7, 4, 2000)))
    assert base.command(0.4, 0.0) == (0.0, 0.0)
    assert base.dropped == {"second_process": 1}
    clock.ns += 200_000_000  # the first one has been silent for 0.4 s
    base.expect(Header(7, 5, 3000))
    base.receive(answer(process=2, sequence=1, answers=Header(7, 5, 3000)))
    assert base.command(0.4, 0.0) == (0.5, -0.5)


def test_a_process_that_says_nothing_is_not_waited_for(base: RobotBase) -> None:
    assert not base.waiting
    base.arrived()
    for _ in range(MISSED):
        assert base.waiting
        base.command(0.0, 0.0)
        base.expect(SENSED)
    assert not base.waiting
    base.receive(answer(answers=Header(1, 1, 1)))  # late, but alive
    assert base.waiting


def test_the_latch_holds_against_any_command(base: RobotBase) -> None:
    assert base.latch.receive(stop_message(NAME, False))
    base.receive(answer())
    assert base.command(0.4, 0.0) == (0.0, 0.0)
    assert base.latch.receive(stop_message("all", True))
    base.expect(SENSED)
    base.receive(answer(sequence=1))
    assert base.command(0.4, 0.0) == (0.5, -0.5)


def test_only_an_explicit_release_releases() -> None:
    latch = StopLatch(NAME)
    stop, release = stop_message(NAME, False), stop_message(NAME, True)
    assert latch.receive(stop)
    for other in (
        b"",
        stop_message("robot_1", True),
        stop[:-1],
        pack_stop(address("all"), Stop(Header(1, 0, 0), False)),
    ):
        latch.receive(other)
        assert latch.stopped
    assert latch.receive(release)
    assert not latch.stopped


def test_a_doubled_release_does_not_undo_a_later_stop() -> None:
    latch = StopLatch(NAME)
    release = stop_message("all", True)
    latch.receive(stop_message("all", False))
    latch.receive(release)
    latch.receive(stop_message("all", False))
    assert not latch.receive(release)
    assert latch.stopped
    assert latch.dropped == {"doubled": 1}
