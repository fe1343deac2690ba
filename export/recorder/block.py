"""What a recorder hands to the process that writes: JSON, and arrays of rows with named fields.

Both ends are of one release and one machine, so the bytes are those in memory. Needs numpy alone.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

_HEAD = struct.Struct("<II")  # length of the JSON, of all arrays together


class Block(NamedTuple):
    """One message to the process that writes."""

    kind: str
    """What it holds: about, episode, rows or event."""
    values: dict[str, Any]
    """What is no array."""
    arrays: dict[str, NDArray[Any]]
    """Rows with named fields, by name."""


def pack_block(kind: str, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a block as bytes."""
    types = {name: (array.dtype.descr, len(array)) for name, array in arrays.items()}
    head = json.dumps({"kind": kind, "values": dict(values), "arrays": types}).encode()
    body = [np.ascontiguousarray(array).tobytes() for array in arrays.values()]
    return b"".join((_HEAD.pack(len(head), sum(map(len, body))), head, *body))


def read_block(stream: BinaryIO) -> Block | None:
    """Return the next block, or None where the stream ends, be it in the middle of one."""
    lengths = stream.read(_HEAD.size)
    if len(lengths) < _HEAD.size:
        return None
    head_size, body_size = _HEAD.unpack(lengths)
    head, body = stream.read(head_size), stream.read(body_size)
    if len(head) < head_size or len(body) < body_size:
        return None
    described, arrays, at = json.loads(head), {}, 0
    for name, (fields, count) in described["arrays"].items():
        row = np.dtype([(field, kind, *map(tuple, shape)) for field, kind, *shape in fields])
        arrays[name] = np.frombuffer(body, row, count, at)
        at += arrays[name].nbytes
    return Block(described["kind"], described["values"], arrays)
