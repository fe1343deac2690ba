"""Listens for emergency stops on behalf of one robot's base or process, and confirms them to whoever asks."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Literal

import zenoh

from export.protocol import transport
from export.protocol.framing import EVERY_ROBOT
from export.protocol.stop_latch import StopLatch

Part = Literal["base", "process"]


def serve_stops(
    session: zenoh.Session, robot: str, part: Part, latch: StopLatch, changed: Callable[[], object] = lambda: None
) -> ExitStack:
    """Obeys stops and releases of that robot and of all, published or asked for, until the returned stack is closed.

    Whoever asks is told what holds then; who asks without a message, what holds now.

    Args:
        session: the transport.
        robot: the robot's name.
        part: who confirms.
        latch: what is latched and released.
        changed: called after every message for that robot.
    """

    def receive(data: bytes) -> None:
        if latch.receive(data):
            changed()

    def answer(query: zenoh.Query) -> None:
        if query.payload is not None:
            if not latch.receive(query.payload.to_bytes()):
                return
            changed()
        holding = latch.holding
        said = {"robot": robot, "part": part, "stopped": bool(holding), "stops": [f"{n:016x}" for n in holding]}
        query.reply(query.key_expr, json.dumps(said).encode())

    stack = ExitStack()
    for who in (robot, EVERY_ROBOT):
        stack.enter_context(transport.subscribe(session, transport.stop_key(who), receive))
        stack.enter_context(session.declare_queryable(transport.stop_key(who), answer))
    return stack
