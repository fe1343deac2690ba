"""The text of a map file: a header, one line of characters for each row of cells, and guidance below.

One character is a cell of 1 m: `#` rack, `.` floor, `S` station; in MovingAI maps `@ T O W` are racks and `G` is floor.
The header may be MovingAI's (`type`, `height`, `width`, `map`), or none; `robots N` may stand in it.
"""

import re
from typing import NamedTuple

from sim.errors import InputError

RACK, FLOOR, STATION = "#@TOW", ".G", "S"
MOST_CELLS = 250_000
"""Cells of a map: 500 x 500 m."""
HEADER = ("type", "height", "width", "robots")


class MapText(NamedTuple):
    """The parts of a map file."""

    rows: list[str]
    """A character for each cell, the upper edge first; all of one length."""
    robots: int
    """How many the map asks for."""
    guidance: list[str]
    """The lines below the map, as `sim.guidance_text` reads them."""


def read_map_text(text: str, name: str) -> MapText:
    """Return the parts of a map file; `name` is the map's in errors.

    Raises:
        InputError: rows of unequal length, an unknown character, or a wrong header.
    """
    lines = re.split("\r\n|\r|\n", text.removeprefix("\ufeff").rstrip().lstrip("\r\n"))
    header, rows = _split_header([line.rstrip(" \t") for line in lines], name)
    end = next((number for number, row in enumerate(rows) if row.startswith("guidance ")), len(rows))
    rows, guidance = rows[:end], rows[end:]
    if sum(map(len, rows)) > MOST_CELLS:
        raise InputError(f"layout {name}: it has {sum(map(len, rows))} cells; valid are at most {MOST_CELLS}")
    if not any(rows):
        raise InputError(f"layout {name}: the map is empty; valid are lines of '#', '.' and 'S'")
    _require_cells(rows, name)
    for key, size in (("height", len(rows)), ("width", len(rows[0]))):
        if key in header and header[key] != str(size):
            raise InputError(f"layout {name}: its header says {key} {header[key]!r}, but its map has {size}")
    robots = header.get("robots", "4")
    if not re.fullmatch("0*[1-9][0-9]{0,4}", robots, re.ASCII):
        raise InputError(
            f"layout {name}: its header says robots {robots[:20]!r}; valid is a whole number from 1 to 99999"
        )
    return MapText(rows, int(robots), guidance)


def _split_header(lines: list[str], name: str) -> tuple[dict[str, str], list[str]]:
    """Return the settings above the line `map` and the lines below it; without that line, no settings, all lines."""
    header: dict[str, str] = {}
    if "map" not in lines:
        return header, lines
    start = lines.index("map")
    for number, line in enumerate(lines[:start], 1):
        key, _, value = line.partition(" ")
        if key in header:
            raise InputError(f"layout {name}: header line {number} says {key} once more; valid is to say it once")
        if key not in HEADER:
            raise InputError(f"layout {name}: header line {number} is {line!r}; valid are {', '.join(HEADER)}")
        header[key] = value.strip()
    return header, lines[start + 1 :]


def _require_cells(rows: list[str], name: str) -> None:
    """Require rows of one length, of known characters."""
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise InputError(
                f"layout {name}: map line {number} has {len(row)} cells and line 1 has {len(rows[0])}; "
                "valid are rows of equal length"
            )
        for column, character in enumerate(row, 1):
            if character not in RACK + FLOOR + STATION:
                raise InputError(
                    f"layout {name}: map line {number}, column {column} is {character!r}; valid are '#' (or @ T O W) "
                    "rack, '.' (or G) floor, 'S' station"
                )
