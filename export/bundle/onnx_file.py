"""What can be known of an ONNX file before anything runs it, on a robot that has no `onnx` package.

onnxruntime answers a file that was cut short with an unspecific protobuf error, quietly follows a reference to weights
in another file, which no hash of this one covers, and loads graphs of any size and operators of any age. So the
protobuf structure is walked once. Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from dataclasses import dataclass, field

from sim.errors import InputError

OPSET = 20
"""The operator set that fleetmix writes, and the newest it reads; every onnxruntime from 1.18 on runs it."""
IR_VERSION = 10
"""The oldest IR version that holds the operator set, so that older runtimes load the file; the newest that is read."""
MOST_NODES = 10_000
"""Nodes of all graphs and functions together; fleetmix writes some hundred."""

_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "operator set", 20: "training", 25: "function"},
    "operator set": {},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 9: "operator set", 11: "attribute"},
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


@dataclass
class _Found:
    """What a walk has come upon."""

    source: str
    fields: set[int] = field(default_factory=set)
    """Numbers of the model's own fields."""
    nodes: int = 0


def check_onnx_bytes(data: bytes, source: str) -> None:
    """Refuse what is no self-contained ONNX model of a size and age that a robot is meant to run.

    Args:
        data: the bytes of the file.
        source: the file's name in errors.

    Raises:
        InputError: the bytes are no ONNX model, are cut short, point to external data, have too many nodes, or need
            operators that are too new or not those of ONNX.
    """
    found = _Found(source)
    try:
        _walk(memoryview(data), "model", found, 0)
    except _MalformedError as error:
        raise InputError(f"{source}: it is no whole ONNX model ({error}); copy or export it again") from error
    if not {1, 7, 8} <= found.fields:  # IR version, graph, operator sets
        raise InputError(f"{source}: it is no ONNX model ({len(data)} bytes without IR version, graph or operator set)")


def _walk(view: memoryview, message: str, found: _Found, depth: int) -> None:
    """Visit the fields of a message and of all below it."""
    if depth > _DEEPEST:
        raise _MalformedError(f"nested deeper than {_DEEPEST}")
    if message == "node":
        found.nodes += 1
        _require(found, found.nodes <= MOST_NODES, f"it has more than {MOST_NODES} nodes", "a smaller graph")
    at = 0
    while at < len(view):
        key, at = _varint(view, at)
        if key >> 32:  # some readers would cut it to 32 bits and find another field
            raise _MalformedError(f"a field's number and type of {key:#x}")
        number, wire = key >> 3, key & 7
        if depth == 0:
            found.fields.add(number)
        if wire == 0:
            value, at = _varint(view, at)
            _judge_number(message, number, value, found)
        elif wire == 2:
            length, at = _varint(view, at)
            if at + length > len(view):
                raise _MalformedError(f"cut short: a {message} needs {at + length - len(view)} bytes more")
            content = view[at : at + length]
            at += length
            _judge_content(message, number, content, found)
            child = _CHILDREN[message].get(number)
            if child is not None:
                _walk(content, child, found, depth + 1)
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise _MalformedError(f"field {number} of a {message} has wire type {wire}")
    if at > len(view):
        raise _MalformedError(f"cut short: a {message} needs {at - len(view)} bytes more")


def _judge_number(message: str, number: int, value: int, found: _Found) -> None:
    if message == "tensor" and number == _DATA_LOCATION and value != 0:
        _refuse_external(found)
    elif message == "model" and number == 1:
        _require(found, value <= IR_VERSION, f"its IR version is {value}", f"at most {IR_VERSION}")
    elif message == "operator set" and number == 2:
        _require(found, value <= OPSET, f"its operator set is {value}", f"at most {OPSET}")


def _judge_content(message: str, number: int, content: memoryview, found: _Found) -> None:
    if message == "tensor" and number == _EXTERNAL_DATA:
        _refuse_external(found)
    elif message == "operator set" and number == 1:
        domain = bytes(content)
        _require(found, domain in (b"", b"ai.onnx"), f"it needs the operators of {domain!r}", "those of ONNX itself")


def _refuse_external(found: _Found) -> None:
    _require(found, False, "it keeps weights in another file (external data)", "a self-contained one")


def _require(found: _Found, condition: bool, what: str, valid: str) -> None:
    if not condition:
        raise InputError(f"{found.source}: {what}; valid is {valid}")


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
