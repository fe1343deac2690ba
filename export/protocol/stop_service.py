"""Listens for emergency stops on behalf of one robot's base or process, and confirms them to whoever asks."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Literal, NamedTuple, get_args

import zenoh

from export.protocol import transport
from export.protocol.framing import EVERY_ROBOT, WireError
from export.protocol.stop_latch import StopLatch
from sim.errors import InputError

Part = Literal["base", "process"]


class Confirmation(NamedTuple):
    """What a base or a process answers to a stop, a release, or an empty question."""

    robot: str
    part: str
    stopped: bool
    """Whether a stop holds: one of `stops`, or of a base's own."""
    stops: list[int]
    """The numbers of the stops that hold."""


def read_confirmation(data: bytes) -> Confirmation:
    """Return what `serve_stops` answered.

    Raises:
        WireError: it is something else.
    """
    try:
        values = json.loads(data)
        robot, part, stopped = transport.require_name(str(values["robot"])), values["part"], values["stopped"]
        stops = [int(number, 16) for number in values["stops"]]
    except (ValueError, TypeError, LookupError, RecursionError, InputError) as error:
        raise WireError("content") from error
    if part not in get_args(Part) or not isinstance(stopped, bool) or not all(0 < number < 2**64 for number in stops):
        raise WireError("content")
    return Confirmation(robot, part, stopped, stops)


def serve_stops(
    session: zenoh.Session, robot: str, part: Part, latch: StopLatch, changed: Callable[[], object] = lambda: None
) -> ExitStack:
    """Obey stops and releases of that robot and of all, published or asked for, until the returned stack is closed.

    Releases have a key of their own, so that the transport can tell who may release. Whoever asks is told what
    holds then; who asks without a message, what holds now.

    Args:
        session: the transport.
        robot: the robot's name.
        part: who confirms.
        latch: what is latched and released.
        changed: called after every message for that robot.
    """

    def receive(data: bytes, releases: bool) -> bool:
        mine = latch.receive(data, releases)
        if mine:
            changed()
        return mine

    def answer(query: zenoh.Query, releases: bool) -> None:
        if query.payload is not None and not receive(query.payload.to_bytes(), releases):
            return
        holding = latch.holding
        reply = {"robot": robot, "part": part, "stopped": bool(holding), "stops": [f"{n:016x}" for n in holding]}
        query.reply(query.key_expr, json.dumps(reply).encode())

    stack = ExitStack()
    for who in (robot, EVERY_ROBOT):
        for key, releases in ((transport.stop_key(who), False), (transport.release_key(who), True)):
            stack.enter_context(transport.subscribe(session, key, partial(receive, releases=releases)))
            stack.enter_context(session.declare_queryable(key, partial(answer, releases=releases)))
    return stack
