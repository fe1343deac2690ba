"""All commands but those that run on a robot, and how one of them is chosen."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from fleetmix.compare_command import compare
from fleetmix.fleet_commands import drive, export, fleet, keys, sign, verify
from fleetmix.guide_command import guide
from fleetmix.parsing import parse, write_completion
from fleetmix.seeing_commands import replay, report, view
from fleetmix.training_commands import benchmark, demo, evaluate, scenes, train
from policies.runs.config import TrainConfig, defaults_elsewhere, read_config

_ALL = (
    train, evaluate, compare, benchmark, export, verify, drive, fleet, view, replay, report, keys, sign, guide, scenes,
    demo,
)  # fmt: skip
COMMANDS: dict[str, Callable[..., None]] = {command.__name__: command for command in _ALL}


def run(arguments: Sequence[str]) -> None:
    """Run a command of `COMMANDS`, the first of the arguments, or write a shell's completion script.

    Raises:
        InputError: an argument is not valid, or what it names.
        RunError: the job failed.
    """
    if arguments[0] not in COMMANDS:
        write_completion(COMMANDS, TrainConfig(), arguments)
    else:
        _parse(COMMANDS[arguments[0]], arguments[1:])()


def _parse(command: Callable[..., None], arguments: Sequence[str]) -> functools.partial[None]:
    """Return the command with its arguments; one that goes on, has a file or an --env begins with their settings."""
    chosen = parse(command, TrainConfig(), arguments)
    file = chosen.keywords.get("config")
    if isinstance(file, Path):
        return parse(command, read_config(file)[0], arguments)
    if chosen.keywords.get("resume") and chosen.keywords["run"] is not None:
        from policies.runs.folder import load_run

        return parse(command, load_run(chosen.keywords["run"]).config, arguments)
    settings = chosen.keywords.get("settings")
    if isinstance(settings, TrainConfig) and settings.env:
        return parse(command, defaults_elsewhere(), arguments)
    return chosen
