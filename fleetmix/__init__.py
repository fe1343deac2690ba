"""The front door: the command line. What runs on a robot is found without what only training needs."""

import sys
from collections.abc import Sequence

from fleetmix.robot_commands import COMMANDS
from fleetmix.robot_commands import run as run_on_robot
from sim.errors import InputError


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; a user's mistake is one line and exit code 2, an interrupt one line and exit code 130."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments and arguments[0] in COMMANDS:
            run_on_robot(arguments)
            return
        try:
            from fleetmix.commands import run
        except ModuleNotFoundError as error:
            raise InputError(f"{error}; this needs the extra: pip install 'fleetmix[train]'") from error
        run(arguments)
    except InputError as error:
        print(f"fleetmix: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("fleetmix: interrupted", file=sys.stderr)
        sys.exit(130)
