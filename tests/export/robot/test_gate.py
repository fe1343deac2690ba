import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.protocol.framing import Header
from export.protocol.messages import Command, Mode, Reason
from export.protocol.stop_latch import StopLatch, stop_message
from export.robot.gate import Gate
from export.robot.pilot import Decision, RefusedError
from tests.export.conftest import SCENE
from tests.export.robot_bench import ME, NAME, WIRE, some_broadcast, some_sensors

ROBOT = SCENE.robot
V_STEP = ROBOT.max_acceleration * SCENE.control_period
W_STEP = ROBOT.max_turn_acceleration * SCENE.control_period


def gate() -> tuple[Gate, list[Command], StopLatch]:
    sent: list[Command] = []
    latch = StopLatch(NAME)
    return Gate(
        WIRE, ME, ROBOT, SCENE.control_period, latch, lambda data: sent.append(WIRE.read_command(data, ME))
    ), sent, latch  # fmt: skip


def drive(v: float, w: float, velocity: tuple[float, float] = (0.0, 0.0), fresh: float = 0.3) -> list[Command]:
    opened, sent, _ = gate()
    sensors = some_sensors(Header(4, 5, 6), velocity=velocity)
    opened.send(sensors, Decision(v, w, some_broadcast(), 3), time.monotonic_ns() + round(fresh * 1e9))
    return sent


def test_a_command_within_the_limits_passes_as_it_is() -> None:
    (command,) = drive(0.15, 0.9)
    assert (command.speed, command.turn_rate, command.mode, command.maneuver) == (0.15, 0.9, Mode.DRIVE, 3)
    assert command.answers == Header(4, 5, 6)
    assert command.broadcast is not None
    np.testing.assert_array_equal(command.broadcast, some_broadcast())


@pytest.mark.parametrize(("v", "w"), [(float("nan"), 0), (0, float("nan")), (float("inf"), 0), (0, -float("inf"))])
def test_what_is_not_finite_is_refused(v: float, w: float) -> None:
    with pytest.raises(RefusedError, match=r"the command [vw] is"):
        drive(v, w)


@pytest.mark.parametrize(("v", "w"), [(1.21, 0), (-1.21, 0), (0, 2.01), (0, -2.01), (1e300, 0)])
def test_what_is_beyond_the_limits_is_refused_and_not_clamped(v: float, w: float) -> None:
    with pytest.raises(RefusedError) as refused:
        drive(v, w, (1.2, 2.0) if v + w > 0 else (-1.2, -2.0))
    assert refused.value.reason is Reason.BAD_COMMAND


@given(
    st.floats(-1.2, 1.2), st.floats(-2, 2), st.floats(-1.5, 1.5), st.floats(-9, 9)
)  # what odometry says may be beyond the limits
def test_no_command_asks_for_more_acceleration_than_the_robot_has(v, w, v_now, w_now) -> None:
    (command,) = drive(v, w, (v_now, w_now))
    v_now, w_now = min(max(v_now, -1.2), 1.2), min(max(w_now, -2.0), 2.0)
    assert abs(command.speed - v_now) <= V_STEP * 1.0011
    assert abs(command.turn_rate - w_now) <= W_STEP * 1.0011
    # It goes as far as it may towards what was asked for.
    assert command.speed == v or abs(command.speed - v_now) >= V_STEP * 0.999


def test_nothing_is_sent_once_the_sensors_are_too_old() -> None:
    with pytest.raises(RefusedError) as refused:
        drive(0.1, 0.0, fresh=-0.001)
    assert refused.value.reason is Reason.STALE_SENSORS


def test_a_refused_command_sends_nothing() -> None:
    opened, sent, _ = gate()
    with pytest.raises(RefusedError):
        opened.send(some_sensors(), Decision(9.0, 0.0, some_broadcast(), 1), 2**62)
    assert sent == []
    assert opened.sent == 0


def test_nobody_drives_while_an_emergency_stop_holds_and_every_command_tells_of_it() -> None:
    opened, sent, latch = gate()
    latch.receive(stop_message(NAME, 12), releases=True)
    with pytest.raises(RefusedError, match="stop 000000000000000c holds") as refused:
        opened.send(some_sensors(), Decision(0.1, 0.0, some_broadcast(), 1), 2**62)
    assert refused.value.reason is Reason.EMERGENCY_STOP
    assert sent == []
    opened.stop(Reason.EMERGENCY_STOP)
    assert sent[0].stop == (12, True)


def test_a_stop_stands_still_and_says_why() -> None:
    opened, sent, _ = gate()
    opened.stop(Reason.OVERRUN, Header(1, 2, 3))
    opened.stop(Reason.STALE_SENSORS)
    assert [(c.speed, c.turn_rate, c.mode) for c in sent] == [(0.0, 0.0, Mode.STOP)] * 2
    assert [c.reason for c in sent] == [Reason.OVERRUN, Reason.STALE_SENSORS]
    assert [c.answers for c in sent] == [Header(1, 2, 3)] * 2
    assert [c.header.sequence for c in sent] == [0, 1]
    assert opened.stops == {"overrun": 1, "stale_sensors": 1}
