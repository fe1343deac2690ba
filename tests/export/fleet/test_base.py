import pytest

from export.fleet.base import MISSED, RobotBase
from export.protocol.framing import Header
from export.protocol.messages import NO_STOP, Command, Mode, Reason, StopState
from export.protocol.stop_latch import stop_message
from tests.export.robot_bench import ME, NAME, WIRE

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
    base = RobotBase(NAME, WIRE, True, clock)
    base.expect(SENSED)
    return base


def answer(
    process: int = 1,
    sequence: int = 0,
    answers: Header = SENSED,
    mode: Mode = Mode.DRIVE,
    stop: StopState = NO_STOP,
) -> bytes:
    reason = Reason.NONE if mode is Mode.DRIVE else Reason.OVERRUN
    return WIRE.pack_command(
        ME, Command(Header(process, sequence, 5 + sequence), answers, 0.5, -0.5, (0.0, 0.0), mode, reason, 1, stop)
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


def test_an_answer_that_was_kept_waiting_for_too_long_moves_nothing(base: RobotBase, clock: Clock) -> None:
    base.receive(answer())
    clock.ns = SENSED.stamp + 300_000_001  # the base's own process was held up
    assert base.command(0.4, 0.0) == (0.0, 0.0)
    assert base.reasons == {"stale": 1}
    assert base.oldest == 0


def test_a_stop_brakes(base: RobotBase) -> None:
    base.receive(answer(mode=Mode.STOP))
    assert base.command(0.4, 0.2) == (0.0, 0.2)
    assert base.reasons == {"overrun": 1}


def test_a_second_process_is_not_obeyed_while_the_first_lives(base: RobotBase, clock: Clock) -> None:
    base.receive(answer(process=1))
    clock.ns += 200_000_000
    base.expect(Header(7, 4, clock.ns))
    base.receive(answer(process=2, answers=Header(7, 4, clock.ns)))
    assert base.command(0.4, 0.0) == (0.0, 0.0)
    assert base.dropped == {"second_process": 1}
    clock.ns += 200_000_000  # the first one has been silent for 0.4 s
    base.expect(Header(7, 5, clock.ns))
    base.receive(answer(process=2, sequence=1, answers=Header(7, 5, clock.ns)))
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
    assert base.latch.receive(stop_message(NAME, 12), releases=True)
    base.receive(answer())
    assert base.command(0.4, 0.0) == (0.0, 0.0)
    assert base.latch.receive(stop_message("all", 12, release=True), releases=True)
    base.expect(SENSED)
    base.receive(answer(sequence=1))
    assert base.command(0.4, 0.0) == (0.5, -0.5)


def test_a_base_learns_from_its_process_of_a_stop_and_never_of_a_release(base: RobotBase) -> None:
    base.receive(answer(stop=StopState(12, True)))
    assert base.command(0.4, 0.0) == (0.0, 0.0)
    assert base.latch.state == (12, True)
    base.expect(SENSED)
    base.receive(answer(sequence=1, stop=StopState(12, False)))
    assert base.command(0.4, 0.0) == (0.0, 0.0)
    assert base.latch.state == (12, True)
