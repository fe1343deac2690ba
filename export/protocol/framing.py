"""The frame around every message: a header that tells what it is and whose, and a checksum over all that follows.

The header: what kind of message, how long, a CRC of all that follows the CRC, a hash of the schema, whom it concerns,
which session of the sender it is from, its number in that session, and the sender's monotonic clock. A message that
doesn't fit is refused with the name of what is wrong, so that it can be counted.
"""

import hashlib
import struct
import zlib
from enum import IntEnum
from typing import NamedTuple

VERSION = 3
MAGIC = b"FLMX"
EVERY_ROBOT = "all"
"""Addresses a stop to all robots."""

# magic, CRC-32, length, version, kind, schema, robot, session, sequence, stamp
HEADER = struct.Struct("<4sIIHHQQQQq")
_CHECKED = 8  # the CRC covers the bytes from here on


class Kind(IntEnum):
    """What a message is."""

    SENSORS = 1
    COMMAND = 2
    STOP = 3


class WireError(Exception):
    """A message that is no message; `what` names the part that is wrong."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Header(NamedTuple):
    """What every message says about itself."""

    session: int
    """A random number that the sender draws when it starts, or begins an episode."""
    sequence: int
    """Counts the sender's messages of this kind in the session; of sensors: the control period."""
    stamp: int
    """The sender's monotonic clock [ns]."""


def address(name: str) -> int:
    """Return the number that stands for a robot's name."""
    return hash64(name.encode())


def hash64(data: bytes) -> int:
    """Return a hash of 64 bits."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def seal(kind: Kind, schema: int, robot: int, header: Header, body: bytes) -> bytes:
    """Return a message: the header, then the body."""
    rest = HEADER.pack(MAGIC, 0, HEADER.size + len(body), VERSION, kind, schema, robot, *header)[_CHECKED:] + body
    return MAGIC + struct.pack("<I", zlib.crc32(rest)) + rest


def open_message(data: bytes, kind: Kind, size: int, schema: int, *robots: int) -> Header:
    """Return the header of a message of `size` bytes that concerns one of the robots, all of it checked but the body.

    Raises:
        WireError: `length`, `magic`, `version`, `checksum`, `kind`, `schema` or `robot` is wrong.
    """
    if len(data) < HEADER.size:
        raise WireError("length")
    magic, crc, length, version, kind_, schema_, robot, session, sequence, stamp = HEADER.unpack_from(data)
    for what, fits in (
        ("magic", magic == MAGIC),
        ("version", version == VERSION),
        ("kind", kind_ == kind),
        ("length", length == len(data) == size),
        ("checksum", crc == zlib.crc32(memoryview(data)[_CHECKED:])),
        ("schema", schema_ == schema),
        ("robot", robot in robots),
    ):
        if not fits:
            raise WireError(what)
    return Header(session, sequence, stamp)
