"""From functions to a command line, by tyro: parsing comes first and running afterwards, and a mistake is one line."""

import contextlib
import functools
import inspect
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import tyro

from sim.errors import InputError


def parse(
    commands: Sequence[Callable[..., None]],
    description: str,
    settings: object,
    arguments: Sequence[str],
    elsewhere: Sequence[str] = (),
) -> functools.partial[None]:
    """The command that was asked for, with its arguments.

    Args:
        commands: functions, one a subcommand.
        description: what the program is for.
        settings: defaults of the parameter `settings` of any command.
        arguments: without the program's name.
        elsewhere: subcommands that are run by others, for the error that lists all.

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
        raise InputError(_plain(said.getvalue(), elsewhere)) from None
    return chosen


def _plain(said: str, elsewhere: Sequence[str]) -> str:
    """What tyro says in one sentence, without its frames and the names of its own that it lets slip."""
    lines = [line.strip("│╰╯─ ") for line in said.splitlines() if not line.startswith("╭")]
    said = " ".join(line for line in lines if line.strip("-"))
    said = re.sub(r"^(Value|Parsing) error (?=Error)", "", said)  # the title, where there is no frame
    said, _, help_of = said.partition(" For full helptext, ")
    said = re.sub(r"^Error parsing __tyro\S*: ", "", said)
    said = re.sub(r"{None}\||\|{None}", "", said)
    said = re.sub(
        r"^Error parsing (--\S+): no type matching (.+?) could be instantiated from \['(.*?)'\].*",
        r"\1 is '\3'; valid is \2",
        said,
    )
    said = re.sub(r"'None', |, 'None'(?=\))", "", said)
    said = said.replace(" Available subcommands: ", f"; valid are {', '.join(elsewhere)}, ")
    return f"{said.rstrip('.')}; see {help_of.removeprefix('see ').removeprefix('run ')}" if help_of else said


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
