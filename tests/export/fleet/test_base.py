import numpy as np
import pytest

from export.fleet.base import MISSED, RobotBase
from export.protocol.framing import Header
from export.protocol.messages import NO_STOP, Command, Mode, Reason, StopState
from export.protocol.stop_latch import stop_message
from tests.export.robot_bench import ME, NAME, WIRE

SENSED = Header(7, 0, 0)
CLEAR = np.full(WIRE.rays, WIRE.robot.lidar_range, np.float32)


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
    base.begin(7)
    assert base.expect() == SENSED
    return base


def answer(
    process: int = 1,
    sequence: int = 0,
    answers: Header = SENSED,
    mode: Mode = Mode.DRIVE,
    stop: StopState = NO_STOP,
    reason: Reason = Reason.OVERRUN,
) -> bytes:
    reason = Reason.NONE if mode is Mode.DRIVE else reason
    return WIRE.pack_command(
        ME, Command(Header(process, sequence, 5 + sequence), answers, 0.5, -0.5, None, mode, reason, 1, stop)
    )


def test_an_answer_to_the_last_sensors_moves_the_wheels_once(base: RobotBase) -> None:
    base.receive(answer())
    assert base.command((0.4, 0.1), CLEAR) == (0.5, -0.5)
    base.expect()
    assert base.command((0.4, 0.1), CLEAR) == (0.0, 0.1)  # nothing new: brakes along its arc


def test_without_an_answer_it_brakes_in_its_arc_and_then_stands(base: RobotBase) -> None:
    assert base.command((1.2, 0.7), CLEAR) == (0.0, 0.7)
    base.expect()
    assert base.command((0.01, 0.7), CLEAR) == (0.0, 0.0)
    assert base.reasons == {"silent": 2}


@pytest.mark.parametrize(
    ("data", "counted"),
    [
        (b"nonsense", "length"),
        (answer(answers=Header(7, 1, 0)), "late"),
        (answer(answers=Header(6, 0, 0)), "late"),
        (answer(answers=Header(7, 0, 1)), "late"),
    ],
)
def test_what_answers_no_sensors_moves_nothing(base: RobotBase, data: bytes, counted: str) -> None:
    base.receive(data)
    assert base.command((0.4, 0.0), CLEAR) == (0.0, 0.0)
    assert base.dropped == {counted: 1}


def test_a_doubled_answer_counts_once(base: RobotBase) -> None:
    base.receive(answer())
    base.receive(answer())
    assert base.command((0.4, 0.0), CLEAR) == (0.5, -0.5)
    assert base.dropped == {"doubled": 1}


def test_an_answer_that_was_kept_waiting_for_too_long_moves_nothing(base: RobotBase, clock: Clock) -> None:
    base.receive(answer())
    clock.ns = SENSED.stamp + 300_000_001  # the base's own process was held up
    assert base.command((0.4, 0.0), CLEAR) == (0.0, 0.0)
    assert base.reasons == {"stale": 1}
    assert base.oldest == 0


def test_a_stop_brakes(base: RobotBase) -> None:
    base.receive(answer(mode=Mode.STOP))
    assert base.command((0.4, 0.2), CLEAR) == (0.0, 0.2)
    assert base.reasons == {"overrun": 1}


def test_a_stop_is_not_undone_in_its_control_period(base: RobotBase) -> None:
    base.receive(answer(mode=Mode.STOP))
    base.receive(answer(sequence=1))
    assert base.command((0.4, 0.2), CLEAR) == (0.0, 0.2)
    assert base.dropped == {"after_a_stop": 1}
    base.receive(answer(sequence=2, answers=base.expect()))
    assert base.command((0.4, 0.2), CLEAR) == (0.5, -0.5)


def test_a_second_process_is_not_obeyed_while_the_first_lives(base: RobotBase, clock: Clock) -> None:
    base.receive(answer(process=1))
    clock.ns += 200_000_000
    base.receive(answer(process=2, answers=base.expect()))
    assert base.command((0.4, 0.0), CLEAR) == (0.0, 0.0)
    assert base.dropped == {"second_process": 1}
    clock.ns += 200_000_000  # the first one has been silent for 0.4 s
    base.receive(answer(process=2, sequence=1, answers=base.expect()))
    assert base.command((0.4, 0.0), CLEAR) == (0.5, -0.5)


def test_a_process_that_says_nothing_is_not_waited_for(base: RobotBase) -> None:
    assert not base.waiting
    base.arrived()
    for _ in range(MISSED):
        assert base.waiting
        base.command((0.0, 0.0), CLEAR)
        base.expect()
    assert not base.waiting
    base.receive(answer(answers=Header(1, 1, 1)))  # late, but alive
    assert base.waiting


def test_the_latch_holds_against_any_command(base: RobotBase) -> None:
    assert base.latch.receive(stop_message(NAME, 12), releases=True)
    base.receive(answer())
    assert base.command((0.4, 0.0), CLEAR) == (0.0, 0.0)
    assert base.latch.receive(stop_message("all", 12, release=True), releases=True)
    base.receive(answer(sequence=1, answers=base.expect()))
    assert base.command((0.4, 0.0), CLEAR) == (0.5, -0.5)


def test_a_base_learns_from_its_process_of_a_stop_and_never_of_a_release(base: RobotBase) -> None:
    base.receive(answer(stop=StopState(12, True)))
    assert base.command((0.4, 0.0), CLEAR) == (0.0, 0.0)
    assert base.latch.tell() == (12, True)
    base.receive(answer(sequence=1, answers=base.expect(), stop=StopState(12, False)))
    assert base.command((0.4, 0.0), CLEAR) == (0.0, 0.0)
    assert base.latch.tell() == (12, True)


def pass_periods(base: RobotBase, clock: Clock, count: int, *processes: "Talker") -> None:
    """Control periods in which each of the processes answers the sensors that it follows."""
    for _ in range(count):
        header = base.expect()
        for process in processes:
            base.receive(process.answer(header))
        base.command((0.0, 0.0), CLEAR)
        clock.ns += 100_000_000


class Talker:
    """A process that answers, by the number of its session."""

    def __init__(self, session: int) -> None:
        self.session, self.sequence = session, 0

    def answer(self, header: Header) -> bytes:
        self.sequence += 1
        return answer(self.session, self.sequence, header)


def test_one_message_of_a_stranger_silences_a_paused_process_for_no_longer_than_a_second(
    base: RobotBase, clock: Clock
) -> None:
    mine = Talker(1)
    pass_periods(base, clock, 5, mine)
    pass_periods(base, clock, 4)  # it is paused
    base.receive(answer(process=99, answers=base.expect()))
    assert base.process == 99
    pass_periods(base, clock, 4, mine)
    assert base.process == 1
    assert base.state == "driven"


def test_a_second_process_that_ended_leaves_the_first_one_in_command(base: RobotBase, clock: Clock) -> None:
    first, second = Talker(1), Talker(2)
    pass_periods(base, clock, 5, first)
    pass_periods(base, clock, 4)
    pass_periods(base, clock, 20, second, first)  # the first one is awake again, and refused
    assert base.process == 2
    assert base.dropped["second_process"] == 20
    pass_periods(base, clock, 5, first)
    assert base.process == 1
    assert base.state == "driven"


@pytest.mark.parametrize("other", [Header(1234, 0, 0), Header(7, 2**64 - 1, 0)])
def test_a_base_that_a_process_refuses_begins_a_new_session(base: RobotBase, clock: Clock, other: Header) -> None:
    for sequence in range(3):
        base.expect()
        base.receive(answer(1, sequence, other))
        base.command((0.0, 0.0), CLEAR)
        clock.ns += 100_000_000
    header = base.expect()
    assert header.session != SENSED.session
    assert header.sequence == 4
    assert base.dropped["answers_other_sensors"] == 3
    base.receive(answer(1, 9, header))
    assert base.command((0.4, 0.0), CLEAR) == (0.5, -0.5)


def test_a_base_whose_sensors_are_stale_by_the_process_s_reckoning_begins_a_new_session(
    base: RobotBase, clock: Clock
) -> None:
    """The process answers, and finds the sensors too old before the next ones come: it mistakes the clocks' offset."""
    for sequence in range(0, 6, 2):
        header = base.expect()
        base.receive(answer(1, sequence, header))
        base.receive(answer(1, sequence + 1, header, Mode.STOP, reason=Reason.STALE_SENSORS))
        base.command((0.0, 0.0), CLEAR)
        clock.ns += 100_000_000
    assert base.expect().session != SENSED.session


def test_it_tells_which_process_it_obeys_while_that_lives(base: RobotBase, clock: Clock) -> None:
    assert base.process == 0
    pass_periods(base, clock, 1, Talker(1))
    assert base.process == 1
    pass_periods(base, clock, 3)
    assert base.process == 0
    assert base.state == "no process"


def test_it_drives_into_nothing_that_its_own_scan_shows(base: RobotBase) -> None:
    scan = CLEAR.copy()
    scan[0] = 0.31
    base.receive(answer())
    assert base.command((0.4, 0.0), scan) == (0.0, 0.0)
    assert base.reasons == {"blocked": 1}
    assert base.state == "blocked"
