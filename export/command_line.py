"""From functions to a command line, by tyro: parsing comes first and running afterwards, and a mistake is one line."""

import contextlib
import functools
import inspect
import io
from collections.abc import Callable, Sequence
from typing import Any

import tyro

from sim.errors import InputError


def parse(
    commands: Sequence[Callable[..., None]], description: str, settings: object, arguments: Sequence[str]
) -> functools.partial[None]:
    """The command that was asked for, with its arguments.

    Args:
        commands: functions, one a subcommand.
        description: what the program is for.
        settings: defaults of the parameter `settings` of any command.
        arguments: without the program's name.

    Raises:
        InputError: an argument is not valid; what tyro prints in a frame becomes one line.
    """
    deferred = {command.__name__: _deferred(command, settings) for command in commands}
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            chosen: functools.partial[None] = tyro.extras.subcommand_cli_from_dict(
                deferred, prog="fleetmix", description=description, args=arguments
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        lines = [line.strip("│╰╯─ ") for line in said.getvalue().splitlines() if not line.startswith("╭")]
        raise InputError(" ".join(line for line in lines if line)) from None
    return chosen


def _deferred(command: Callable[..., None], settings: object) -> Callable[..., functools.partial[None]]:
    """The command with its arguments, to be run after parsing; `settings` are the defaults of a training."""
    signature = inspect.signature(command)
    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in signature.parameters.values()]
    parameters = [p.replace(default=settings) if p.name == "settings" else p for p in parameters]

    @functools.wraps(command)
    def parsed(**arguments: Any) -> functools.partial[None]:
        return functools.partial(command, **arguments)

    parsed.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return parsed
