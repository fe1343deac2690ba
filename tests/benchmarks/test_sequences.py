"""Sequences of stops, restarts, pauses, forged and lost messages, as `benchmarks.sequences` throws a million of."""

import random
from collections.abc import Callable
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from benchmarks.sequences.__main__ import run
from benchmarks.sequences.checked_latch import CheckedLatch, ProtocolError
from benchmarks.sequences.link import NAME, ROBOT, SECOND, WIRE, Message
from benchmarks.sequences.sequence import Sequence
from export.fleet import base
from export.protocol.framing import Header
from export.protocol.messages import Stop, StopState, pack_stop
from export.protocol.stop_latch import MOST_STOPS, StopLatch
from export.robot import loop

ACTIONS = (
    Sequence.press, Sequence.press_again, Sequence.release, Sequence.flood, Sequence.restart_process,
    Sequence.restart_base, Sequence.pause, Sequence.go_on, Sequence.change_link, Sequence.repeat,
    Sequence.forge_command, Sequence.forge_sensors, Sequence.calm,
)  # fmt: skip


class Robot(RuleBasedStateMachine):
    """Hypothesis chooses the actions, and finds the shortest sequence where something does not hold."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.sequence = Sequence(random.Random(seed))
        self.sequence.pass_time(SECOND)

    @rule(ms=st.integers(0, 1500))
    def pass_time(self, ms: int) -> None:
        self.sequence.pass_time(ms * 1_000_000)

    @rule(action=st.sampled_from(ACTIONS), ms=st.integers(0, 300))
    def act(self, action: Callable[[Sequence], None], ms: int) -> None:
        action(self.sequence)
        self.sequence.pass_time(ms * 1_000_000)

    def teardown(self) -> None:
        if hasattr(self, "sequence"):
            self.sequence.calm()


TestRobot = Robot.TestCase
TestRobot.settings = settings(max_examples=15, stateful_step_count=40)


def test_a_stop_that_stood_for_others_ends_with_its_release() -> None:
    """The other side may still tell of it then."""
    latch = CheckedLatch(NAME)
    for number in range(1, MOST_STOPS + 2):
        latch.receive(pack_stop(ROBOT, Stop(Header(number, 0, 0), number, False)), True)
    overflow = latch.holding[-1]
    for number in latch.holding:
        latch.receive(pack_stop(ROBOT, Stop(Header(1, 1, 0), number, True)), True)
    latch.merge(StopState(overflow, True), False)
    assert not latch.must_stop
    assert not latch.stopped


def test_some_thousand_steps_hold() -> None:
    links = [run(500, seed) for seed in range(6)]
    assert all(link.longest <= SECOND for link in links)
    events = sum((link.events for link in links), links[0].events - links[0].events)
    for name in ("periods driven", "periods braked", "messages lost", "messages forged or repeated"):
        assert events[name] > 200, name
    assert events["driven in the end"] == events["calm"] > 20


def test_one_forged_message_in_each_direction_silences_nobody_for_longer_than_a_second() -> None:
    """Each side refuses the other's session then, so that neither hears that it is refused."""
    sequence = Sequence(random.Random(0))
    sequence.pass_time(SECOND)
    link = sequence.link
    sensors, command = link.last_sensors, link.last_command
    assert sensors is not None
    assert command is not None
    forged = sensors._replace(header=sensors.header._replace(sequence=2**64 - 1))
    for side in link.processes:
        side.receive(Message(WIRE.pack_sensors(ROBOT, forged), forged.header.session))
    answer = command._replace(header=command.header._replace(sequence=2**64 - 1))
    for side in link.bases:
        side.receive(Message(WIRE.pack_command(ROBOT, answer), answer.header.session))
    link.disturb()
    sequence.pass_time(3 * SECOND)  # where it stays undriven for a second, this raises
    assert link.bases[0].reason == "driven"
    assert 0.5 * SECOND < link.longest < SECOND


def run_many() -> None:
    for seed in range(60):
        run(500, seed)


def first_told(latch: StopLatch) -> StopState:
    held = latch.holding
    return StopState(held[0], True) if held else StopState(latch._peer_released, False)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (mock.patch.object(StopLatch, "tell", first_told), "did not tell"),
        (mock.patch.object(StopLatch, "stopped", False), "lost"),
        (mock.patch.object(base, "STALE_AFTER", 9.0), "too old"),
        (mock.patch.object(base, "_UNHEARD", 10**9), "nobody drives it"),
        (mock.patch.object(loop, "_ALONE", 10**18), "nobody drives it|stands: "),
    ],
    ids=["tells one stop only", "forgets stops", "obeys old answers", "no new base session", "no new session"],
)
def test_what_is_wrong_is_found(change: "mock._patch[object]", found: str) -> None:
    with change, pytest.raises(ProtocolError, match=found):
        run_many()
