"""How a real robot process obeys emergency stops, its base's among them."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from export.protocol.messages import Reason, StopState
from export.protocol.stop_latch import stop_message
from export.protocol.transport import publish_surely, release_key, stop_key
from tests.export.robot_bench import NAME, Bench, robot_bench

pytestmark = pytest.mark.slow


@pytest.fixture
def bench(mlp_bundle: Path):
    with robot_bench(mlp_bundle) as bench:
        yield bench


def test_an_emergency_stop_is_latched_until_it_is_released(bench: Bench) -> None:
    def publish(who: str, data: bytes, key: Callable[[str], str] = stop_key) -> None:
        publish_surely(bench.session, key(who), data)

    bench.drives()
    before, pressed = len(bench.commands), time.monotonic()
    publish(NAME, stop_message(NAME, 12))
    stopped = bench.stops(Reason.EMERGENCY_STOP, after=before)
    print(f"stop {stopped - pressed:.4f} s after the emergency stop was sent")
    assert stopped - pressed < 0.1  # at once, not when the next sensors come
    for _ in range(3):
        bench.refuses(Reason.EMERGENCY_STOP)
    publish("all", stop_message("all", 12, release=True)[:-1], release_key)  # cut short: no release
    publish(NAME, stop_message("robot_1", 12, release=True), release_key)
    publish(NAME, stop_message(NAME, 13, release=True), release_key)  # of another stop
    publish(NAME, stop_message(NAME, 12, release=True))  # where everybody may write
    for reason in ("length", "robot", "without_effect", "release_as_stop"):
        bench.counted("dropped_stops", reason)
    bench.refuses(Reason.EMERGENCY_STOP)
    publish("all", stop_message("all", 12, release=True), release_key)
    bench.drives()
    (reply,) = bench.session.get(stop_key("all"), payload=stop_message("all", 14), timeout=2.0)
    state = {"robot": NAME, "part": "process", "stopped": True, "stops": ["000000000000000e"]}
    assert json.loads(reply.ok.payload.to_bytes()) == state
    (reply,) = bench.session.get(stop_key(NAME), timeout=2.0)  # nothing but a question
    assert json.loads(reply.ok.payload.to_bytes()) == state
    (reply,) = bench.session.get(stop_key(NAME), payload=stop_message(NAME, 14, release=True), timeout=2.0)
    assert json.loads(reply.ok.payload.to_bytes()) == state  # a release that was asked for like a stop
    bench.refuses(Reason.EMERGENCY_STOP)
    publish("all", stop_message("all", 14, release=True), release_key)
    bench.drives()


def test_a_stop_of_its_base_is_its_own_stop(bench: Bench) -> None:
    bench.drives()
    bench.refuses(Reason.EMERGENCY_STOP, stop=StopState(0, True))  # the base's own button: as long as it says so
    bench.drives()
    bench.refuses(Reason.EMERGENCY_STOP, stop=StopState(12, True))
    for _ in range(3):
        bench.refuses(Reason.EMERGENCY_STOP)  # the base was restarted, and knows nothing any more
    assert bench.commands[-1][1].stop == (12, True)  # but it is told
    bench.refuses(Reason.EMERGENCY_STOP, stop=StopState(13, False))
    bench.wait(lambda: bench.state.get("emergency_stop") is True)
    assert bench.state["stops_that_hold"] == ["000000000000000c"]
    bench.ask(stop=StopState(12, False))
    bench.drives()
    bench.wait(lambda: bench.state["emergency_stop"] is False)


def test_a_stopped_robot_without_sensors_goes_on_saying_why_it_stopped(bench: Bench) -> None:
    bench.drives()
    before = len(bench.commands)
    publish_surely(bench.session, stop_key(NAME), stop_message(NAME, 12))
    bench.stops(Reason.EMERGENCY_STOP, after=before)
    first = next(i for i, (_, c) in enumerate(bench.commands) if c.reason is Reason.EMERGENCY_STOP)
    bench.wait(lambda: len(bench.commands) > first + 12)
    assert {c.reason for _, c in bench.commands[first:]} == {Reason.EMERGENCY_STOP}
    assert bench.said().count("stops: ") == 2  # before the first sensors, and this one
