import hashlib
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.protocol.framing import Header, Kind, WireError, address
from export.protocol.messages import Command, Mode, Reason, Sensors, Stop, StopState, Wire, pack_stop, read_stop
from sim.scene import RobotConfig
from tests.export.robot_bench import ME, WIRE, some_sensors

HEADER = 56
u64 = st.integers(0, 2**64 - 1)
headers = st.builds(Header, u64, u64, st.integers(-(2**63), 2**63 - 1))
any_float = st.floats(width=64)
stop_states = st.builds(StopState, u64, st.booleans())
finite = st.floats(allow_nan=False, allow_infinity=False)
COMMAND = Command(
    Header(9, 8, 7), Header(1, 2, 3), 0.5, -0.25, (1.5, 2.5), Mode.DRIVE, Reason.NONE, 3, StopState(11, True)
)

SENSORS_HEADER = (
    "464c4d5880c23baab002000002000100e9d2f2ce004ec791447b413556e3763d040000000000000005000000000000000600000000000000"
)
SENSORS_SHA256 = "b96ad841ab1d1dd54f10a64607a236c396e7f0bfdefbd8924dd6c8294e661a7a"
COMMAND_BYTES = (
    "464c4d58c32a91a08000000002000200e9d2f2ce004ec791447b413556e3763d090000000000000008000000000000000700000000000000"
    "0100000000000000020000000000000003000000000000000b00000000000000000000000000e03f000000000000d0bf000000000000f83f"
    "00000000000004400100030002000000"
)
STOP_BYTES = (
    "464c4d584456382248000000020003002815ef6524bd12af447b413556e3763d090000000000000008000000000000000700000000000000"
    "0b000000000000000100000000000000"
)


@st.composite
def sensors(draw: st.DrawFn) -> Sensors:
    count = draw(st.integers(0, WIRE.slots))
    rows = draw(st.lists(st.lists(any_float, min_size=7, max_size=7), min_size=count, max_size=count))
    lidar = draw(st.lists(st.floats(width=32), min_size=WIRE.rays, max_size=WIRE.rays))
    return Sensors(
        draw(headers), draw(u64), draw(st.tuples(*[any_float] * 3)), draw(st.tuples(*[any_float] * 2)),
        draw(st.tuples(*[any_float] * 2)), draw(st.booleans()), draw(stop_states), draw(u64),
        np.array(lidar, np.float32), np.array(rows, np.float64).reshape(-1, 7),
    )  # fmt: skip


def reseal(data: bytes) -> bytes:
    """The message with the CRC that fits what it says now."""
    return data[:4] + struct.pack("<I", zlib.crc32(data[8:])) + data[8:]


@given(sensors())
def test_sensors_are_read_as_they_were_written(sensed: Sensors) -> None:
    data = WIRE.pack_sensors(ME, sensed)
    assert len(data) == WIRE.sensors_size
    read = WIRE.read_sensors(data, ME)
    for written, back in zip(sensed, read, strict=True):
        np.testing.assert_array_equal(written, back)  # equal bits, NaN included
    assert WIRE.pack_sensors(ME, read) == data


@given(headers, headers, finite, finite, finite, st.sampled_from(Mode), st.sampled_from(Reason), stop_states)
def test_commands_are_read_as_they_were_written(header, answers, v, w, x, mode, reason, stop) -> None:
    command = Command(header, answers, v, w, (x, -x), mode, reason, 7, stop)
    assert WIRE.read_command(WIRE.pack_command(ME, command), ME) == command


@given(headers, st.integers(1, 2**64 - 1), st.booleans())
def test_stops_are_read_as_they_were_written(header: Header, number: int, release: bool) -> None:
    stop = Stop(header, number, release)
    assert read_stop(pack_stop(ME, stop), (address("all"), ME)) == stop


def test_the_layout_is_the_documented_one() -> None:
    """Byte by byte, so that another language can be sure of it."""
    data = WIRE.pack_command(ME, COMMAND)
    assert len(data) == 128
    magic, _, length, version, kind, schema, robot, session, sequence, stamp = struct.unpack("<4sIIHHQQQQq", data[:56])
    assert (magic, length, version, kind) == (b"FLMX", 128, 2, 2)
    assert (schema, robot, session, sequence, stamp) == (WIRE.schema, ME, 9, 8, 7)
    assert struct.unpack("<QQqQ4dBBHB3x", data[56:]) == (1, 2, 3, 11, 0.5, -0.25, 1.5, 2.5, 1, 0, 3, 2)
    sensed = WIRE.pack_sensors(ME, some_sensors(carrying=True, stop=StopState(11, True), process=13))
    assert len(sensed) == 56 + 88 + 4 * 24 + 8 * 7 * 8 == 688
    assert sensed[56 + 8 : 56 + 24] == struct.pack("<QQ", 11, 13)
    assert sensed[56 + 80 : 56 + 82] == b"\x03\x00"  # flags, number of broadcasts
    stop = pack_stop(ME, Stop(Header(9, 8, 7), 11, True))
    assert struct.unpack("<QB7x", stop[56:]) == (11, 1)


def test_the_bytes_are_those_of_every_release_so_far() -> None:
    """Written down once: with other bytes, or another schema, robots and bases of two releases refuse each other."""
    sensed = some_sensors(Header(4, 5, 6), carrying=True, stop=StopState(11, True), broadcasts=np.ones((2, 7)))
    data = WIRE.pack_sensors(ME, sensed)
    assert data[:56].hex() == SENSORS_HEADER
    assert hashlib.sha256(data).hexdigest() == SENSORS_SHA256
    assert WIRE.pack_command(ME, COMMAND).hex() == COMMAND_BYTES
    assert pack_stop(ME, Stop(Header(9, 8, 7), 11, True)).hex() == STOP_BYTES


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
        (changed(12, struct.pack("<H", 1)), "version"),
        (changed(14, struct.pack("<H", 3)), "kind"),
        (changed(16, b"12345678"), "schema"),
        (changed(24, b"12345678"), "robot"),
        (changed(HEADER + 80, b"\x04"), "content"),  # a flag that nobody knows
        (changed(HEADER + 81, bytes([WIRE.slots + 1])), "content"),  # more broadcasts than fit
        (WIRE.pack_sensors(ME, some_sensors())[:60] + b"\xff" + WIRE.pack_sensors(ME, some_sensors())[61:], "checksum"),
    ],
)
def test_what_is_no_sensor_message_is_refused_by_name(data: bytes, what: str) -> None:
    with pytest.raises(WireError) as refused:
        WIRE.read_sensors(data, ME)
    assert refused.value.what == what


@pytest.mark.parametrize("field", [0, 1, 2, 3])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_command_that_is_not_finite_is_none(field: int, value: float) -> None:
    numbers = [0.0] * 4
    numbers[field] = value
    command = COMMAND._replace(speed=numbers[0], turn_rate=numbers[1], waypoint=(numbers[2], numbers[3]))
    with pytest.raises(WireError, match="content"):
        WIRE.read_command(WIRE.pack_command(ME, command), ME)


@pytest.mark.parametrize(
    ("robot", "what"),
    [
        (RobotConfig(max_speed=1.3), "schema"),
        (RobotConfig(lidar_rays=32), "length"),
        (RobotConfig(neighbours=9), "length"),
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
        assert len(data) == WIRE.sensors_size  # by chance a whole body


@given(st.integers(0, 680 * 8 - 1))
def test_a_single_flipped_bit_never_passes(bit: int) -> None:
    data = bytearray(WIRE.pack_sensors(ME, some_sensors()))
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WireError):
        WIRE.read_sensors(bytes(data), ME)


def test_kinds_have_fixed_numbers() -> None:
    assert [kind.value for kind in Kind] == [1, 2, 3]
