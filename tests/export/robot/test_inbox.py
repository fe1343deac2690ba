from export.protocol.framing import Header
from export.protocol.ordering import STALE_AFTER
from export.robot.inbox import SensorInbox
from tests.export.robot_bench import ME, WIRE, some_sensors

SECOND = 1_000_000_000
PERIOD = SECOND // 10


def test_a_message_that_is_a_little_late_is_stale_the_earlier() -> None:
    now = [0]
    inbox = SensorInbox(WIRE, ME, True, lambda: now[0])
    for sequence, stamp, arrival in ((0, 0.0, 10.0), (1, 0.1, 10.3)):
        now[0] = round(arrival * SECOND)
        inbox.receive(WIRE.pack_sensors(ME, some_sensors(Header(5, sequence, round(stamp * SECOND)))))
    received = inbox.take(0)
    assert received is not None
    assert received.sensors.header.sequence == 1
    # It should have come at 10.1, or a little later if the clocks drift.
    assert 0 <= received.fresh_until / SECOND - (10.1 + STALE_AFTER) < 0.001
    assert inbox.dropped["overtaken"] == 1


def test_in_lock_step_sensors_never_become_too_old() -> None:
    inbox = SensorInbox(WIRE, ME, False, lambda: 0)
    inbox.receive(WIRE.pack_sensors(ME, some_sensors()))
    received = inbox.take(0)
    assert received is not None
    assert received.fresh_until > 10**9 * SECOND


def test_only_the_newest_is_kept_and_taken_once() -> None:
    inbox = SensorInbox(WIRE, ME, True)
    for sequence in range(3):
        inbox.receive(WIRE.pack_sensors(ME, some_sensors(Header(5, sequence, sequence * PERIOD))))
    received = inbox.take(0)
    assert received is not None
    assert received.sensors.header.sequence == 2
    assert inbox.take(0) is None
    inbox.receive(b"nonsense")
    assert inbox.take(0) is None
    assert inbox.dropped == {"overtaken": 2, "length": 1}
