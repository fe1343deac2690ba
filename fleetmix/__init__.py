"""The front door: the command line. It finds the command first and loads only what that command needs."""

import difflib
import os
import signal
import sys
from collections.abc import Sequence

from fleetmix.robot_commands import COMMANDS as ON_ROBOT
from fleetmix.robot_commands import run as run_on_robot
from sim.errors import InputError, RunError

NEEDS_EXTRA = "this needs the extra: pip install 'fleetmix[train]'"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Exit code 2 and one line for a user's mistake, 1 for a job that failed, 130 for an interrupt; 141, as of a program
    that SIGPIPE ended, where nobody reads the output any more.
    """
    try:
        try:
            _answer(sys.argv[1:] if arguments is None else arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python itself flushes at the end
        sys.exit(128 + signal.SIGPIPE)


def _answer(arguments: Sequence[str]) -> None:
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(overview())
        elif arguments[0] == "--version":
            from importlib.metadata import version  # as slow as everything else here together

            print(f"fleetmix {version('fleetmix')}")
        elif arguments[0] in ON_ROBOT:
            run_on_robot(arguments)
        else:
            _run(arguments)
    except (InputError, RunError) as error:
        print(f"fleetmix: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except KeyboardInterrupt:
        print("fleetmix: interrupted", file=sys.stderr)
        sys.exit(130)


def _run(arguments: Sequence[str]) -> None:
    try:
        from fleetmix.commands import COMMANDS, run

        if arguments[0] not in COMMANDS and not arguments[0].startswith("--tyro-"):
            names = [*COMMANDS, *ON_ROBOT]
            close = difflib.get_close_matches(arguments[0], names, n=1)
            meant = f"did you mean {close[0]}? " if close else ""
            raise InputError(
                f"{arguments[0]!r} is no command; {meant}valid are {', '.join(names)}; see fleetmix --help"
            )
        run(arguments)
    except ModuleNotFoundError as error:
        raise InputError(f"{error}; {NEEDS_EXTRA}") from error


def overview() -> str:
    """Return what `fleetmix --help` shows: every command in a line."""
    try:
        from fleetmix.commands import COMMANDS

        trained = {name: (command.__doc__ or "").partition("\n")[0] for name, command in COMMANDS.items()}
    except ModuleNotFoundError as error:
        trained = {"...": f"{error}; {NEEDS_EXTRA}"}
    groups = (("commands", trained), ("on a robot", ON_ROBOT))
    lists = (f"{title}:\n" + "\n".join(f"  {n:<10}{does}" for n, does in group.items()) for title, group in groups)
    return "\n\n".join(
        (
            "usage: fleetmix COMMAND ...",
            "Train a fleet of warehouse robots with QMIX, and run every robot from its own ONNX file.",
            *lists,
            "fleetmix COMMAND --help shows the settings of a command, fleetmix --version the version.",
        )
    )
