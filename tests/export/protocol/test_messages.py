import hashlib
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.protocol.broadcasts import pack_broadcast, read_broadcast
from export.protocol.framing import Header, Kind, WireError, address
from export.protocol.messages import Command, Mode, Reason, Sensors, Stop, StopState, Wire, pack_stop, read_stop
from sim.scene import RobotConfig
from sim.traffic.broadcast import LONGEST_WAY, MOST_CLAIMS, RECORD, RECORD_SIZE
from tests.export.robot_bench import ME, WIRE, some_broadcast, some_sensors

HEADER = 56
u64 = st.integers(0, 2**64 - 1)
headers = st.builds(Header, u64, u64, st.integers(-(2**63), 2**63 - 1))
any_float = st.floats(width=64)
stop_states = st.builds(StopState, u64, st.booleans())
SMALL = st.integers(0, 255).map(float)
BYTES = ("carrying", "claim_count", "way_count", "timed_count")
COUNTS = {"claims": MOST_CLAIMS, "claimed_at": MOST_CLAIMS, "way": LONGEST_WAY, "way_times": LONGEST_WAY}
finite = st.floats(allow_nan=False, allow_infinity=False)
COMMAND = Command(
    Header(9, 8, 7), Header(1, 2, 3), 0.5, -0.25, some_broadcast(), Mode.DRIVE, Reason.NONE, 3, StopState(11, True)
)
SILENT = COMMAND._replace(mode=Mode.STOP, broadcast=None)

DEFAULTS = Wire(RobotConfig(), 0.1)
SENSORS_HEADER = (
    "464c4d589379f781d004000003000100dd2cbd8ccad10e40447b413556e3763d040000000000000005000000000000000600000000000000"
)
SENSORS_SHA256 = "3809e18ef04ff735408c4ee8db0f30f053b1e785937d7ff20caeffa8397af3e6"
COMMAND_BYTES = (
    "464c4d5879b755fd5802000003000200dd2cbd8ccad10e40447b413556e3763d090000000000000008000000000000000700000000000000"
    "0100000000000000020000000000000003000000000000000b00000000000000000000000000e03f000000000000d0bf0100030006000000"
)
COMMAND_SHA256 = "2cfb406f85c3d632937679f8031ebd864bb116a1ce22ba682d470ebff4d645fb"
STOP_BYTES = (
    "464c4d58cbd8ebe848000000030003002815ef6524bd12af447b413556e3763d090000000000000008000000000000000700000000000000"
    "0b000000000000000100000000000000"
)


@st.composite
def broadcasts(draw: st.DrawFn) -> np.ndarray:
    """Any numbers that the layout has room for, sense or nonsense."""
    record = np.zeros(RECORD_SIZE)
    cells = st.integers(-(2**31), 2**31 - 1).map(float)
    for name, first in RECORD._asdict().items():
        count = COUNTS.get(name, 1)
        kind = cells if name in ("wanted", "claims", "way") else SMALL if name in BYTES else any_float
        record[first : first + count] = draw(st.lists(kind, min_size=count, max_size=count))
    return record


@st.composite
def sensors(draw: st.DrawFn) -> Sensors:
    heard = draw(st.lists(st.tuples(any_float, broadcasts()), max_size=3))
    records = np.array([record for _, record in heard]).reshape(-1, RECORD_SIZE)
    lidar = draw(st.lists(st.floats(width=32), min_size=WIRE.rays, max_size=WIRE.rays))
    return Sensors(
        draw(headers), draw(u64), draw(st.tuples(*[any_float] * 3)), draw(st.tuples(*[any_float] * 2)),
        draw(st.tuples(*[any_float] * 2)), draw(st.booleans()), draw(stop_states), draw(u64),
        np.array(lidar, np.float32), records, np.array([age for age, _ in heard]),
    )  # fmt: skip


def reseal(data: bytes) -> bytes:
    """The message with the CRC that fits what it says now."""
    return data[:4] + struct.pack("<I", zlib.crc32(data[8:])) + data[8:]


@given(sensors())
def test_sensors_are_read_as_they_were_written(sensed: Sensors) -> None:
    data = WIRE.pack_sensors(ME, sensed)
    assert len(data) == WIRE.sensors_size(len(sensed.ages))
    read = WIRE.read_sensors(data, ME)
    for written, back in zip(sensed, read, strict=True):
        np.testing.assert_array_equal(written, back)  # equal bits, NaN included
    assert WIRE.pack_sensors(ME, read) == data


@given(
    headers, headers, finite, finite, st.none() | broadcasts(), st.sampled_from(Mode), st.sampled_from(Reason),
    stop_states,
)  # fmt: skip
def test_commands_are_read_as_they_were_written(header, answers, v, w, told, mode, reason, stop) -> None:
    command = Command(header, answers, v, w, told, mode, reason, 7, stop)
    read = WIRE.read_command(WIRE.pack_command(ME, command), ME)
    assert read._replace(broadcast=None) == command._replace(broadcast=None)
    np.testing.assert_array_equal(read.broadcast, told)  # equal bits, NaN included


@given(headers, st.integers(1, 2**64 - 1), st.booleans())
def test_stops_are_read_as_they_were_written(header: Header, number: int, release: bool) -> None:
    stop = Stop(header, number, release)
    assert read_stop(pack_stop(ME, stop), (address("all"), ME)) == stop


def test_the_layout_is_the_documented_one() -> None:
    """Byte by byte, so that another language can be sure of it."""
    data = WIRE.pack_command(ME, COMMAND)
    assert len(data) == 600
    magic, _, length, version, kind, schema, robot, session, sequence, stamp = struct.unpack("<4sIIHHQQQQq", data[:56])
    assert (magic, length, version, kind) == (b"FLMX", 600, 3, 2)
    assert (schema, robot, session, sequence, stamp) == (WIRE.schema, ME, 9, 8, 7)
    assert struct.unpack("<QQqQ2dBBHB3x", data[56:112]) == (1, 2, 3, 11, 0.5, -0.25, 1, 0, 3, 6)
    assert data[112:] == pack_broadcast(some_broadcast())
    assert WIRE.pack_command(ME, SILENT)[104:] == bytes([2, 0, 3, 0, 2]) + bytes(491)
    heard = some_broadcast()[np.newaxis], np.array([0.1])
    sensed = WIRE.pack_sensors(
        ME, some_sensors(carrying=True, stop=StopState(11, True), process=13, broadcasts=heard[0], ages=heard[1])
    )
    assert len(sensed) == 56 + 88 + 4 * 24 + 496 == 736
    assert sensed[240:] == struct.pack("<d", 0.1) + pack_broadcast(some_broadcast())
    assert sensed[56 + 8 : 56 + 24] == struct.pack("<QQ", 11, 13)
    assert sensed[56 + 80 : 56 + 82] == b"\x03\x01"  # flags, number of broadcasts
    stop = pack_stop(ME, Stop(Header(9, 8, 7), 11, True))
    assert struct.unpack("<QB7x", stop[56:]) == (11, 1)


def test_a_broadcast_has_the_documented_layout() -> None:
    record = np.arange(float(RECORD_SIZE))  # each number tells its place
    data = pack_broadcast(record)
    layout = struct.unpack("<12di4B8i8d24i24d", data)
    pose, told = [0, 1, 2, 3, 4, 5], [7, 8, 9, 10, 11, 12, 13, 6, 14, 15, 16]
    assert layout == tuple(map(float, [*pose, *told, *range(17, 81)]))
    assert len(data) == 488
    np.testing.assert_array_equal(read_broadcast(data, 0), record)


def test_the_bytes_are_those_of_every_release_so_far() -> None:
    """Written down once: with other bytes, or another schema, robots and bases of two releases refuse each other."""
    sensed = some_sensors(
        Header(4, 5, 6), carrying=True, stop=StopState(11, True), broadcasts=np.ones((2, RECORD_SIZE)), ages=np.ones(2)
    )
    data, answer = DEFAULTS.pack_sensors(ME, sensed), DEFAULTS.pack_command(ME, COMMAND)
    assert data[:56].hex() == SENSORS_HEADER
    assert hashlib.sha256(data).hexdigest() == SENSORS_SHA256
    assert answer[:112].hex() == COMMAND_BYTES
    assert hashlib.sha256(answer).hexdigest() == COMMAND_SHA256
    assert pack_stop(ME, Stop(Header(9, 8, 7), 11, True)).hex() == STOP_BYTES


def crowd() -> bytes:
    """Sensors that say they have one broadcast more than fit."""
    heard = np.zeros((WIRE.slots, RECORD_SIZE)), np.zeros(WIRE.slots)
    data = bytearray(WIRE.pack_sensors(ME, some_sensors(broadcasts=heard[0], ages=heard[1])))
    data[HEADER + 81] += 1
    return bytes(data)


def changed(at: int, new: bytes) -> bytes:
    data = WIRE.pack_sensors(ME, some_sensors())
    return reseal(data[:at] + new + data[at + len(new) :])


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "length"),
        (WIRE.pack_sensors(ME, some_sensors())[:-1], "length"),
        (WIRE.pack_sensors(ME, some_sensors()) + b"\0", "length"),
        (WIRE.pack_command(ME, COMMAND), "kind"),
        (changed(0, b"XMLF"), "magic"),
        (changed(12, struct.pack("<H", 2)), "version"),
        (changed(14, struct.pack("<H", 3)), "kind"),
        (changed(16, b"12345678"), "schema"),
        (changed(24, b"12345678"), "robot"),
        (changed(HEADER + 80, b"\x04"), "content"),  # a flag that nobody knows
        (changed(HEADER + 81, b"\x01"), "length"),  # a broadcast that is not there
        (reseal(crowd()), "content"),  # more broadcasts than fit
        (WIRE.pack_sensors(ME, some_sensors())[:60] + b"\xff" + WIRE.pack_sensors(ME, some_sensors())[61:], "checksum"),
    ],
)
def test_what_is_no_sensor_message_is_refused_by_name(data: bytes, what: str) -> None:
    with pytest.raises(WireError) as refused:
        WIRE.read_sensors(data, ME)
    assert refused.value.what == what


@pytest.mark.parametrize("field", ["speed", "turn_rate"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_command_that_is_not_finite_is_none(field: str, value: Any) -> None:
    with pytest.raises(WireError, match="content"):
        WIRE.read_command(WIRE.pack_command(ME, COMMAND._replace(**{field: value})), ME)


@pytest.mark.parametrize(
    ("robot", "what"),
    [
        (RobotConfig(max_speed=1.3), "schema"),
        (RobotConfig(lidar_rays=32), "length"),
        (RobotConfig(neighbours=9), "schema"),
    ],
)
def test_robots_with_other_sensors_or_limits_do_not_understand_each_other(robot: RobotConfig, what: str) -> None:
    with pytest.raises(WireError, match=what):
        Wire(robot, 0.1).read_sensors(WIRE.pack_sensors(ME, some_sensors()), ME)


@given(st.binary(max_size=800), st.booleans())
def test_any_bytes_are_refused_and_nothing_else_happens(data: bytes, with_header: bool) -> None:
    if with_header:
        data = reseal(WIRE.pack_sensors(ME, some_sensors())[:HEADER] + data)
    for read in (
        lambda: WIRE.read_sensors(data, ME),
        lambda: WIRE.read_command(data, ME),
        lambda: read_stop(data, (ME,)),
    ):
        try:
            read()
        except WireError:
            continue
        assert len(data) == WIRE.sensors_size(0)  # by chance a whole body


@given(st.integers(0, WIRE.sensors_size(1) * 8 - 1))
def test_a_single_flipped_bit_never_passes(bit: int) -> None:
    heard = some_broadcast()[np.newaxis], np.array([0.1])
    data = bytearray(WIRE.pack_sensors(ME, some_sensors(broadcasts=heard[0], ages=heard[1])))
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WireError):
        WIRE.read_sensors(bytes(data), ME)


def test_kinds_have_fixed_numbers() -> None:
    assert [kind.value for kind in Kind] == [1, 2, 3]
