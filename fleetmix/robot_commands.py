"""What runs on a robot from the command line: `fleetmix robot` and `fleetmix stop`, with the standard library's parser.

A robot has numpy, onnxruntime and zenoh, and nothing of what the other commands need.
"""

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sim.errors import InputError

if TYPE_CHECKING:
    import zenoh

    from export.protocol.stop_service import Confirmation

COMMANDS = {
    "robot": "Drive one robot: its own sensors in, its own (v, w) out.",
    "stop": "Stop one robot or all at once, until they are released.",
}
_STOP_TIMEOUT = 2.0
"""How long to wait for a stop to be confirmed [s]."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help")


def _parser(command: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=f"fleetmix {command}", description=COMMANDS[command], allow_abbrev=False)
    add = parser.add_argument
    if command == "robot":
        add("--bundle", type=Path, required=True, metavar="DIR", help="folder of the bundle")
        add("--id", required=True, dest="name", metavar="NAME", help="which robot this is, such as robot_3")
        add("--scene", metavar="NAME|FILE", help="the map, where it is another than that of the training")
        add(
            "--robots",
            type=_fleet_size,
            metavar="N",
            help="robots on the map, for its path costs (default: the training's)",
        )
        add("--trust", type=Path, metavar="KEY", help="Ed25519 public key (PEM) that must have signed the bundle")
        add("--log", type=Path, metavar="FILE", help="file for the log, besides stderr")
        add(
            "--log-level",
            choices=("info", "warning"),
            default="info",
            help="least serious lines (default: %(default)s)",
        )
        add("--log-json", action="store_true", help="log JSON, an object a line")
        add("--record", type=Path, metavar="FILE", help="file (.mcap) for a recording of what it senses and decides")
        add("--record-scans", action="store_true", help="record the lidar too")
        add("--lock-step", action="store_true", help="let the clock count for nothing: the base waits; simulation only")
    else:
        add("name", nargs="?", default="all", metavar="ID", help="which robot; all by default")
        add("--release", action="store_true", help="end the stops that hold")
    add("--connect", metavar="ENDPOINT", help="of the base (default: that of --zenoh, else tcp/127.0.0.1:7447)")
    add("--zenoh", type=Path, metavar="FILE", help="Zenoh configuration file, such as the one of fleetmix keys")
    return parser


def _fleet_size(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:6]) < 100_000):
        raise argparse.ArgumentTypeError(f"robots is {text[:20]!r}; valid is a whole number from 1 to 99999")
    return int(text)


def run(arguments: Sequence[str]) -> None:
    """Run a command of `COMMANDS`, the first of the arguments.

    Raises:
        InputError: an argument is not valid, or what it names.
    """
    options = vars(_parser(arguments[0]).parse_args(arguments[1:]))
    try:
        import zenoh  # noqa: F401  # tells early what is missing
    except ImportError as error:
        raise InputError(f"{error}; valid is an installation with the extra: pip install 'fleetmix[robot]'") from error
    from export.protocol.transport import choose_endpoint

    options["connect"] = choose_endpoint("connect", options["connect"], options["zenoh"])
    if arguments[0] == "stop":
        stop(**options)
        return
    from export.robot.process import RobotSettings, run_robot  # needs onnxruntime, which `stop` does not

    run_robot(RobotSettings(**options))
    sys.stderr.flush()
    os._exit(0)  # a network that hangs must not keep a process alive that was told to end


def stop(name: str, release: bool, connect: str, zenoh: Path | None) -> None:
    """Stop a robot, or all; or end the stops that hold now. Print who confirmed it.

    Raises:
        InputError: nobody did, or one did not do it.
    """
    from export.protocol import transport
    from export.protocol.stop_latch import draw_number, stop_message

    if name != "all":
        transport.require_name(name)
    with transport.open_session(connect=connect, settings=zenoh) as session:
        ask = partial(_ask, session)
        if release:
            said = ask(transport.stop_key(name), None)
            for number in sorted({number for reply in said for number in reply.stops}):
                said = ask(transport.release_key(name), stop_message(name, number, release=True))
                if not said:
                    raise InputError(
                        f"nobody at {connect} confirmed the release; valid is a key that may: the operator's"
                    )
        else:
            said = ask(transport.stop_key(name), stop_message(name, draw_number()))
    if not said:
        raise InputError(f"nobody at {connect} confirmed for {name!r}; valid is a running base and a robot's name")
    for reply in said:
        print(f"{reply.robot}: {'stopped' if reply.stopped else 'released'} (its {reply.part})")
    if any(reply.stopped is release for reply in said):
        raise InputError(f"{name} was told otherwise meanwhile; look at it, then say again what you want")


def _ask(session: "zenoh.Session", key: str, message: bytes | None) -> "list[Confirmation]":
    """Return what bases and processes answer, in the order of their names; nothing if there are none."""
    from zenoh import ConsolidationMode

    from export.protocol.framing import WireError
    from export.protocol.stop_service import read_confirmation

    for _ in range(20):  # the connection is made in the background
        replies = session.get(key, payload=message, consolidation=ConsolidationMode.NONE, timeout=_STOP_TIMEOUT)
        said = []
        for reply in replies:
            with contextlib.suppress(WireError):  # anybody can answer: what is no confirmation counts for none
                if reply.ok is not None:
                    said.append(read_confirmation(reply.ok.payload.to_bytes()))
        if said:
            return sorted(said)
        time.sleep(_STOP_TIMEOUT / 20)
    return []
