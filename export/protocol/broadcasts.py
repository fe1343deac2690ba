"""The bytes of a broadcast, as a robot's process hands it to its base, its radio to other bases, and those to theirs.

Every number of a record (`sim.traffic.broadcast`) has a type that holds it exactly, so that a robot computes with the
very bits that the simulator computes with. Nothing is judged here: what is heard can be a lie, and is judged by whoever
knows the map. `docs/on-robot.md` has the layout as a table.
"""

import numpy as np
from numpy.typing import NDArray

from export.protocol.framing import hash64
from sim.traffic.broadcast import LONGEST_WAY, MOST_CLAIMS, RECORD, RECORD_SIZE

MOST_HEARD = 32
"""Broadcasts of others that a base hands to its process at most."""
_NUMBERED = "robot_"
_HASHED = 2.0**51
"""Numbers of robots that are not called `robot_<number>` are from here on."""

_BYTES = ("carrying", "claim_count", "way_count", "timed_count")
_REALS = tuple(name for name in RECORD._fields[: RECORD._fields.index("claims")] if name not in ("wanted", *_BYTES))
_FIELDS: list[tuple[str, str, int]] = [
    *((name, "<f8", 1) for name in _REALS),
    ("wanted", "<i4", 1),
    *((name, "u1", 1) for name in _BYTES),
    ("claims", "<i4", MOST_CLAIMS),
    ("claimed_at", "<f8", MOST_CLAIMS),
    ("way", "<i4", LONGEST_WAY),
    ("way_times", "<f8", LONGEST_WAY),
]
BROADCAST_BYTES = np.dtype([(name, kind, (count,)) for name, kind, count in _FIELDS])
"""A broadcast."""
HEARD_BYTES = np.dtype([("age", "<f8"), ("broadcast", BROADCAST_BYTES)])
"""A broadcast of another robot, and how long ago it was sent [s]."""


def robot_number(name: str) -> float:
    """Return the number by which a robot's broadcasts name it: n of `robot_n`, for all other names a hash."""
    digits = name.removeprefix(_NUMBERED)
    if name != digits and digits.isascii() and digits.isdigit() and len(digits) <= 9 and str(int(digits)) == digits:
        return float(digits)
    return _HASHED + float(hash64(name.encode()) % 2**51)


def pack_broadcast(record: NDArray[np.float64]) -> bytes:
    """Return the bytes of a broadcast [RECORD_SIZE]."""
    return _to_bytes(record[np.newaxis]).tobytes()


def read_broadcast(data: bytes, at: int) -> NDArray[np.float64]:
    """Return the broadcast [RECORD_SIZE] that begins at byte `at`."""
    (record,) = _from_bytes(np.frombuffer(data, BROADCAST_BYTES, 1, at))
    return np.asarray(record)


def pack_heard(records: NDArray[np.float64], ages: NDArray[np.float64]) -> bytes:
    """Return the bytes of broadcasts [count, RECORD_SIZE] and their ages [count], s."""
    out = np.zeros(len(records), HEARD_BYTES)
    out["age"], out["broadcast"] = ages, _to_bytes(records)
    return out.tobytes()


def read_heard(data: bytes, at: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return broadcasts [count, RECORD_SIZE] and their ages [count], s, from byte `at` on."""
    heard = np.frombuffer(data, HEARD_BYTES, count, at)
    return _from_bytes(heard["broadcast"]), heard["age"].astype(np.float64)


def _to_bytes(records: NDArray[np.float64]) -> NDArray[np.void]:
    out = np.zeros(len(records), BROADCAST_BYTES)
    for name, _, count in _FIELDS:
        first = getattr(RECORD, name)
        out[name] = records[:, first : first + count]
    return out


def _from_bytes(rows: NDArray[np.void]) -> NDArray[np.float64]:
    out = np.zeros((len(rows), RECORD_SIZE))
    for name, _, count in _FIELDS:
        first = getattr(RECORD, name)
        out[:, first : first + count] = rows[name]
    return out
