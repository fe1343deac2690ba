"""What can be known of an ONNX file before anything runs it, on a robot that has no `onnx` package.

onnxruntime answers a file that was cut short with an unspecific protobuf error, and quietly follows a reference to
weights in another file, which no hash of this one covers. So the protobuf structure is walked once. Field numbers are
those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from sim.errors import InputError

_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_DEEPEST = 32


class _MalformedError(Exception):
    pass


def check_onnx_bytes(data: bytes, source: str) -> None:
    """Refuses what is no self-contained ONNX model.

    Args:
        data: the bytes of the file.
        source: the file's name in errors.

    Raises:
        InputError: the bytes are no ONNX model, are cut short, or point to external data.
    """
    view = memoryview(data)
    try:
        fields = _walk(view, "model", source, 0)
    except _MalformedError as error:
        raise InputError(f"{source}: it is no whole ONNX model ({error}); copy or export it again") from error
    if not {1, 7, 8} <= fields:  # IR version, graph, operator sets
        raise InputError(f"{source}: it is no ONNX model ({len(data)} bytes without IR version, graph or operator set)")


def _walk(view: memoryview, message: str, source: str, depth: int) -> set[int]:
    """Visits the fields of a message and of all below it; returns the numbers of its own."""
    if depth > _DEEPEST:
        raise _MalformedError(f"nested deeper than {_DEEPEST}")
    at, seen = 0, set()
    while at < len(view):
        key, at = _varint(view, at)
        number, wire = key >> 3, key & 7
        seen.add(number)
        if wire == 0:
            value, at = _varint(view, at)
            external = message == "tensor" and number == _DATA_LOCATION and value == 1
        elif wire == 2:
            length, at = _varint(view, at)
            if at + length > len(view):
                raise _MalformedError(f"cut short: a {message} needs {at + length - len(view)} bytes more")
            child = _CHILDREN[message].get(number)
            if child is not None:
                _walk(view[at : at + length], child, source, depth + 1)
            at += length
            external = message == "tensor" and number == _EXTERNAL_DATA
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
            external = False
        else:
            raise _MalformedError(f"field {number} of a {message} has wire type {wire}")
        if external:
            raise InputError(
                f"{source}: it keeps weights in another file (external data); valid is a self-contained one"
            )
    if at > len(view):
        raise _MalformedError(f"cut short: a {message} needs {at - len(view)} bytes more")
    return seen


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(view):
            raise _MalformedError("cut short in the middle of a number")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise _MalformedError("a number of more than 64 bits")
