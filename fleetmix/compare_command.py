"""The command that holds training runs against each other."""

from pathlib import Path
from typing import Annotated

import tyro

from fleetmix.output import log
from sim.errors import InputError

Runs = Annotated[tuple[Path, ...], tyro.conf.Positional]


def compare(runs: Runs, by: str = "algo", to: Path = Path("comparison")) -> None:
    """Hold runs of one environment against each other, by the last validation of each.

    Args:
        runs: run folders.
        by: the setting by which they are grouped, such as algo, agent.kind or learner.gamma.
        to: the folder for the tables and the learning curves.
    """
    from rich.console import Console

    from fleetmix.comparison import FILES, compare_groups, read_groups

    if not runs:
        raise InputError("no run is given; valid is one run folder or more")
    for table in compare_groups(read_groups(runs, by), by, to):
        Console().print(table)
    log(f"{', '.join(FILES)}: {to}")
