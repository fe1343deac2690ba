import pytest

from export.protocol.framing import Header, address
from export.protocol.messages import NO_STOP, Stop, StopState, pack_stop
from export.protocol.stop_latch import StopLatch, draw_number, stop_message
from tests.export.robot_bench import NAME


def pressed(*numbers: int) -> StopLatch:
    latch = StopLatch(NAME)
    for number in numbers:
        assert latch.receive(stop_message(NAME, number), releases=True)
    return latch


def exchange(base: StopLatch, process: StopLatch, times: int = 4) -> None:
    """What base and process say to each other in a few control periods."""
    for _ in range(times):
        process.merge(base.tell(), releases=True)
        base.merge(process.tell(), releases=False)


@pytest.mark.parametrize("who", [NAME, "all"])
def test_a_stop_holds_until_its_own_release(who: str) -> None:
    latch = StopLatch(NAME)
    stop = stop_message(who, 12)
    assert latch.receive(stop, releases=True)
    for other in (
        b"",
        stop[:-1],
        stop_message("robot_1", 12, release=True),
        stop_message(NAME, 13, release=True),
        pack_stop(address(NAME), Stop(Header(1, 0, 0), 0, True)),
    ):
        latch.receive(other, releases=True)
        assert latch.stopped
    assert latch.receive(stop_message("all", 12, release=True), releases=True)
    assert not latch.stopped
    assert latch.dropped == {"length": 2, "robot": 1, "content": 1, "without_effect": 1}


def test_a_release_that_comes_as_a_stop_does_not_count() -> None:
    latch = pressed(12)
    assert latch.receive(stop_message(NAME, 12, release=True), releases=False)
    assert latch.holding == [12]
    assert latch.dropped["release_as_stop"] == 1
    assert latch.receive(stop_message(NAME, 13), releases=False)
    assert latch.holding == [12, 13]


def test_a_release_never_undoes_another_stop() -> None:
    latch, release = pressed(12), stop_message(NAME, 12, release=True)
    latch.receive(release, releases=True)
    latch.receive(stop_message(NAME, 13), releases=True)
    latch.receive(release, releases=True)  # once more, or late
    assert latch.holding == [13]


def test_a_release_that_comes_before_its_stop_is_lost() -> None:
    latch = StopLatch(NAME)
    latch.receive(stop_message(NAME, 12, release=True), releases=True)
    latch.receive(stop_message(NAME, 12), releases=True)
    assert latch.stopped


def test_a_stop_that_comes_again_after_its_release_is_an_old_one() -> None:
    latch = pressed(12)
    latch.receive(stop_message(NAME, 12, release=True), releases=True)
    latch.receive(stop_message(NAME, 12), releases=True)
    assert not latch.stopped


def test_every_stop_wants_its_own_release() -> None:
    latch = pressed(12, 13)
    latch.receive(stop_message(NAME, 12, release=True), releases=True)
    assert latch.holding == [13]
    latch.receive(stop_message(NAME, 13, release=True), releases=True)
    assert not latch.stopped


def test_what_one_side_missed_it_learns_from_the_other() -> None:
    base, process = pressed(12), StopLatch(NAME)
    exchange(base, process)
    assert process.holding == [12]
    base.receive(stop_message(NAME, 12, release=True), releases=True)
    exchange(base, process)
    assert base.holding == process.holding == []


def test_every_stop_that_only_one_side_heard_outlives_a_restart_of_that_side() -> None:
    base, process = pressed(12), pressed(12, 13, 14)
    exchange(base, process)
    assert sorted(base.holding) == [12, 13, 14]
    process = StopLatch(NAME)
    base.receive(stop_message(NAME, 12, release=True), releases=True)
    exchange(base, process)
    assert sorted(base.holding) == sorted(process.holding) == [13, 14]


def test_a_stop_that_comes_late_does_not_take_the_place_of_the_sender_s_next_one() -> None:
    latch = StopLatch(NAME)
    for sequence in (2, 1):
        latch.receive(pack_stop(address(NAME), Stop(Header(77, sequence, 0), 10 + sequence, False)), releases=False)
    assert latch.holding == [12, 11]
    latch.receive(stop_message(NAME, 11, release=True), releases=True)
    assert latch.holding == [12]


@pytest.mark.parametrize("lost", ["base", "process"])
def test_a_stop_outlives_a_restart_of_either_side(lost: str) -> None:
    base, process = pressed(12), StopLatch(NAME)
    exchange(base, process)
    if lost == "base":
        base = StopLatch(NAME)
    else:
        process = StopLatch(NAME)
    exchange(base, process)
    assert (base.holding, process.holding) == ([12], [12])
    base.receive(stop_message("all", 12, release=True), releases=True)
    exchange(base, process)
    assert base.holding == process.holding == []


def test_a_process_that_slept_through_everything_ends_up_free() -> None:
    base, process = pressed(12, 13), pressed(12, 14)
    for number in (12, 13):
        base.receive(stop_message(NAME, number, release=True), releases=True)
    exchange(base, process)
    assert base.holding == [14]  # nobody released that one
    base.receive(stop_message(NAME, 14, release=True), releases=True)
    exchange(base, process)
    assert base.holding == process.holding == []


def test_a_base_that_stands_still_for_a_reason_of_its_own_latches_nothing() -> None:
    process = StopLatch(NAME)
    process.merge(StopState(0, True), releases=True)
    assert process.tell() == NO_STOP


def test_a_flood_of_stops_fills_no_memory_and_loses_none() -> None:
    latch = pressed(*range(1, 1001))
    *held, overflow = latch.holding
    assert held == [*range(1, 257)]
    for number in [*held, 257, 1000]:
        latch.receive(stop_message(NAME, number, release=True), releases=True)
    assert latch.stopped  # as the 257th and all after it want
    assert latch.tell() == (overflow, True)
    latch.receive(stop_message(NAME, overflow, release=True), releases=True)
    assert not latch.stopped


def test_an_overflow_reaches_the_other_side_and_ends_there_too() -> None:
    base, process = pressed(*range(1, 300)), StopLatch(NAME)
    for number in [*range(1, 257)]:
        base.receive(stop_message(NAME, number, release=True), releases=True)
    exchange(base, process)
    assert process.holding == base.holding
    base.receive(stop_message(NAME, base.holding[0], release=True), releases=True)
    exchange(base, process)
    assert base.holding == process.holding == []


def test_a_button_that_sends_a_new_number_each_time_takes_one_place() -> None:
    latch, other = StopLatch(NAME), StopLatch(NAME)
    for number in range(1, 1001):
        message = pack_stop(address(NAME), Stop(Header(77, number, 0), number, False))
        for side in (latch, other):
            side.receive(message, releases=False)
        exchange(latch, other, 1)
        assert latch.holding == other.holding == [number]
    assert latch.dropped["overflow"] == 0
    latch.receive(stop_message(NAME, 1000, release=True), releases=True)
    exchange(latch, other)
    assert latch.holding == other.holding == []


def test_numbers_differ_and_are_never_none() -> None:
    numbers = {draw_number() for _ in range(1000)}
    assert len(numbers) == 1000
    assert 0 not in numbers
