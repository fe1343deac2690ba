"""Writes the table of what a robot observes into docs/on-robot.md, from the schema that the code packs by.

python -m docs.observation_table
"""

import re
from pathlib import Path

from sim.observation import observation_spec
from sim.scene import RobotConfig
from sim.vector_spec import Field

PAGE = Path(__file__).with_name("on-robot.md")
BEGIN, END = "<!-- made by docs/observation_table.py -->", "<!-- end of what it made -->"
UNITS = {"x": "m", "y": "m", "waypoint_x": "m", "waypoint_y": "m", "speed": "m/s"}
"""Of the parts of a neighbour's broadcast; the others have none."""


def observation_table(robot: RobotConfig) -> str:
    """Return the table in Markdown: a row for each part of each field."""
    spec = observation_spec(robot)
    rows = [row for f in spec.fields for row in _rows(f, spec.offsets[f.name])]
    head = ["| element | offset | unit | range | meaning |", "|---|---|---|---|---|"]
    return "\n".join(head + ["| " + " | ".join(row) + " |" for row in rows])


def _rows(f: Field, offset: int) -> list[tuple[str, str, str, str, str]]:
    what, _, listed = f.meaning.partition(": ")
    parts, width = listed.split(", "), f.shape[-1]
    if not listed or len(parts) != width:  # the elements have no names of their own
        last = offset + f.size - 1
        span, name = (f"{offset} to {last}", f"{f.name}[0..{f.size - 1}]") if f.size > 1 else (f"{offset}", f.name)
        return [(f"`{name}`", span, f.unit, _range(f, range(f.size)), f.meaning)]
    rows = []
    for i, part in enumerate(parts):
        places = range(i, f.size, width)
        name = f"{f.name}[{i}]" if len(f.shape) == 1 else f"{f.name}[k][{i}]"
        unit = f.unit if "," not in f.unit else UNITS.get(part, "1")
        offsets = ", ".join(str(offset + place) for place in places)
        rows.append((f"`{name}`", offsets, unit, _range(f, places), f"{what}: {part}"))
    return rows


def _range(f: Field, places: range) -> str:
    ranges = dict.fromkeys(f"{f.low[i]:g} to {f.high[i]:g}" for i in places)
    return ", ".join(ranges)


def replaced(page: str) -> str:
    """Return the page with the table as it is now.

    Raises:
        ValueError: the page does not hold the two comments between which the table lies, once.
    """
    table = f"{BEGIN}\n\n{observation_table(RobotConfig())}\n\n{END}"
    page, found = re.subn(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: table, page, flags=re.DOTALL)
    if found != 1:
        raise ValueError(f"{PAGE} holds {BEGIN} ... {END} {found} times; valid is once")
    return page


def main() -> None:
    """Write the table into the page."""
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
