"""From functions to a command line, by tyro: parsing comes first and running afterwards, and a mistake is one line.

tyro prints its errors in a frame. It also tells them as events with fields (`tyro._errors`, in its own words unstable,
which is why pyproject.toml names one minor version); the sentences are made from these.
"""

import contextlib
import difflib
import functools
import inspect
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tyro
from tyro import _errors as tyro_errors
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from sim.errors import InputError

Command = Callable[..., None]
_COMPLETION = {"--tyro-print-completion": " SHELL", "--tyro-write-completion": " SHELL FILE"}
_SHELLS = ("bash", "zsh", "fish")  # of those that tyro knows, tcsh needs another package
_NUMBERS = ConstructorRegistry()


@_NUMBERS.primitive_rule
def _whole_number(kind: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[int] | None:
    """Let an int be written as 1e6, too."""
    if kind.type is not int:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="INT",
        instance_from_str=lambda words: _read_int(words[0]),
        is_instance=lambda value: type(value) is int,
        str_from_instance=lambda value: [str(value)],
    )


def _read_int(text: str) -> int:
    value = float(text) if "e" in text.lower() else int(text)
    if not math.isfinite(value) or value != int(value):
        raise ValueError(f"{text} is no whole number")
    return int(value)


def parse(command: Command, settings: object, arguments: Sequence[str]) -> functools.partial[None]:
    """Return a command with its arguments, ready to be called.

    Args:
        command: the parameters, their types and its docstring make the options.
        settings: default of the parameter `settings`, if it has one.
        arguments: without the names of program and command.

    Raises:
        InputError: an argument is not valid.
    """
    deferred, prog = _deferred(command, settings), f"fleetmix {command.__name__}"
    advice = f"; see {prog} --help"

    def fail(event: tyro_errors.ParseErrorEvent) -> None:
        sentence = _explain(event, deferred, arguments)
        if sentence is not None:  # an event that tyro has newly learned is told in tyro's own way
            raise InputError(sentence + advice)

    try:
        with tyro_errors.on_parse_error(fail):
            chosen: functools.partial[None] = tyro.cli(deferred, prog=prog, args=arguments, registry=_NUMBERS)
    except InputError as error:  # settings on the outermost level refuse past tyro
        if str(error).endswith(advice):
            raise
        raise InputError(_with_flag(str(error), arguments) + advice) from error
    return chosen


def write_completion(commands: Mapping[str, Command], settings: object, arguments: Sequence[str]) -> None:
    """Write a shell's completion script, to a file or to standard output, and exit.

    Raises:
        InputError: the arguments are none of `_COMPLETION`, or the file can't be written.
    """
    flag, *rest = arguments
    if not rest or rest[0] not in _SHELLS or len(rest) != _COMPLETION.get(flag, "").count(" "):
        raise InputError(
            f"{' '.join(arguments)!r} asks for no completion script; valid is "
            f"{' or '.join(flag + words for flag, words in _COMPLETION.items())}, with {', '.join(_SHELLS)} for SHELL"
        )
    deferred = {name: _deferred(command, settings) for name, command in commands.items()}
    try:
        tyro.extras.subcommand_cli_from_dict(deferred, prog="fleetmix", args=arguments)
    except OSError as error:
        raise InputError(f"completion script {rest[-1]!r} can't be written: {error.strerror}") from error


def _explain(event: tyro_errors.ParseErrorEvent, command: Callable[..., Any], arguments: Sequence[str]) -> str | None:
    """Return what is wrong in a sentence, or None for an event that is not known here."""
    match event:
        case tyro_errors.InstantiationFailure(message=message, argument=None):
            return _with_flag(message, arguments)
        case tyro_errors.InstantiationFailure(argument=argument) if argument is not None:
            flag = argument.display_name()
            return f"{flag} is {_value_of(flag, arguments)!r}; valid is {_valid(argument.lowered.metavar)}"
        case tyro_errors.InvalidChoice(argument=argument, value=value):
            return f"{argument.display_name()} is {value!r}; valid is {_valid(argument.lowered.metavar)}"
        case tyro_errors.BadValue(argument=argument):
            return f"{argument.display_name()} has no value; valid is {_valid(argument.lowered.metavar)}"
        case tyro_errors.MissingArgs(missing_arguments=missing):
            return f"{' and '.join(each.arg.display_name() for each in missing)} must be given"
        case tyro_errors.UnrecognizedArgs(tokens=tokens):
            close = difflib.get_close_matches(tokens[0], _flags(command), n=1)
            return f"{tokens[0]!r} is no option" + (f", did you mean {close[0]}?" if close else "")
    return None


def _with_flag(message: str, arguments: Sequence[str]) -> str:
    """Return the message about a setting with the flag in front that it was given by, if it was."""
    setting, is_, rest = message.partition(" is ")
    name = setting.rpartition(".")[2]
    for argument in arguments:
        flag = argument.partition("=")[0]
        if flag.startswith("--") and flag[2:].rpartition(".")[2].replace("-", "_") == name:
            return f"{flag}{is_}{rest}"
    return message


def _valid(metavar: str | None) -> str:
    """Return the types or choices that tyro's help shows, without the None that stands for an option left out."""
    kinds = [kind.strip("{}").replace("None,", "", 1) for kind in (metavar or "").split("|")]
    choices = [re.split(",(?! )", kind) for kind in kinds if kind != "None"]  # some names hold a comma and a space
    return " or ".join(", ".join(repr(name) if " " in name else name for name in names) for names in choices)


def _value_of(flag: str, arguments: Sequence[str]) -> str:
    """Return the last value that a flag, or a positional argument, was given."""
    found = ""
    for name, following in zip(arguments, [*arguments[1:], ""], strict=True):
        option, equals, value = name.partition("=")
        if option.replace("_", "-") == flag:
            found = value if equals else following
    return found


def _flags(command: Callable[..., Any]) -> list[str]:
    """Return the options of a command, as its help lists them."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        tyro.cli(command, args=["--help"])
    return re.findall(r"--[a-z][\w.-]*", text.getvalue())


def _deferred(command: Command, settings: object) -> Callable[..., functools.partial[None]]:
    """Return a function with the command's options that keeps their values in place of running it."""
    signature = inspect.signature(command)
    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in signature.parameters.values()]
    parameters = [p.replace(default=settings) if p.name == "settings" else p for p in parameters]

    @functools.wraps(command)
    def parsed(**arguments: Any) -> functools.partial[None]:
        return functools.partial(command, **arguments)

    parsed.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return parsed
