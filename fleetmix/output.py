"""What the commands print: a table of results, and lines for the person who waits."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from policies.files import write_atomically

if TYPE_CHECKING:
    from policies.results import ReturnRow, Row


def show(rows: "Sequence[Row] | Sequence[ReturnRow]", file: Path | None) -> None:
    """Print the rows as a table; with a file, write them there as JSON too."""
    from rich.console import Console

    from policies.results import as_json, as_table

    Console(width=None if sys.stdout.isatty() else 120).print(as_table(rows))
    if file is not None:
        write_atomically(file, as_json(rows).encode())
        log(f"JSON: {file}")


def log(text: str) -> None:
    """Print a line for the person at the terminal; whoever reads a pipe gets it at once too."""
    print(text, flush=True)
