"""Guidance as it stands in a map file, below the map.

`guidance 8` begins what holds for fleets of 8 robots and more, up to the next such line; `west 1.2 line 1 columns 1-12`
is a factor. Aisles that are not named cost their length. Fleets that are smaller than the first of these numbers, and
maps that say nothing, have `sim.guidance.default_factors`.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from sim.errors import InputError
from sim.guidance import EAST, SHORTEST, SIDES, Aisle, Guidance

HIGHEST = 100.0
"""The largest factor."""


def require_valid(guidance: Sequence[Guidance], aisles: Sequence[Aisle], shape: tuple[int, ...], source: str) -> None:
    """Check the guidance of a map; `shape` is its rows and columns, `source` names it in errors.

    Raises:
        InputError: two are for the same fleets, or a factor is not finite, below 1 or above HIGHEST.
    """
    sizes = [part.robots for part in guidance]
    if sizes != sorted(set(sizes)) or (sizes and sizes[0] < 1):
        raise InputError(
            f"{source}: its guidance is for fleets of {sizes} robots; valid are numbers that rise from 1 up"
        )
    for robots, factors in guidance:
        if factors.shape != (len(aisles), 2):
            raise InputError(
                f"{source}: its guidance for {robots} robots has factors of shape {factors.shape}; valid is two for "
                f"each of its {len(aisles)} aisles"
            )
        for aisle, row in zip(aisles, factors, strict=True):
            for side, factor in zip(aisle.sides, row.tolist(), strict=True):
                if not 1.0 <= factor <= HIGHEST:  # not a number is neither
                    raise InputError(
                        f"{source}: its guidance for {robots} robots has the factor {factor:g} {SIDES[side]} in "
                        f"{aisle_name(aisle, shape)}; valid is 1 to {HIGHEST:g}"
                    )


def aisle_name(aisle: Aisle, shape: tuple[int, ...]) -> str:
    """Return what a map file calls an aisle; `shape` is the map's rows and columns.

    Lines and columns count from 1, from the upper edge and from the left, as in a text.
    """
    rows, columns = shape
    (row, column), (end_row, end_column) = divmod(aisle.cells[0], columns), divmod(aisle.cells[-1], columns)
    if aisle.sides[0] == EAST:
        return f"line {rows - row} columns {column + 1}-{end_column + 1}"
    return f"column {column + 1} lines {rows - end_row}-{rows - row}"


def guidance_text(guidance: Sequence[Guidance], aisles: Sequence[Aisle], shape: tuple[int, ...]) -> str:
    """Return the lines that `read_guidance` reads back; factors of 1 are left out."""
    lines = []
    for robots, factors in guidance:
        lines.append(f"guidance {robots}")
        for aisle, row in zip(aisles, factors.tolist(), strict=True):
            for side, factor in zip(aisle.sides, row, strict=True):
                if factor != 1.0:
                    lines.append(f"{SIDES[side]} {float(factor)!r} {aisle_name(aisle, shape)}")
    return "".join(f"{line}\n" for line in lines)


def read_guidance(
    lines: Sequence[str], aisles: Sequence[Aisle], shape: tuple[int, ...], source: str
) -> tuple[Guidance, ...]:
    """Return the guidance that the lines below a map hold; its factors are still to be checked (`require_valid`).

    Raises:
        InputError: a line is none of guidance, its aisle is not on the map, or it is there once more.
    """
    edges = _edges(aisles, shape)
    parts: list[Guidance] = []
    named: set[str] = set()
    for line in lines:
        head, _, rest = line.partition(" ")
        if head == "guidance":
            if not re.fullmatch("[1-9][0-9]{0,4}", rest, re.ASCII):
                raise InputError(f"{source}: its line {line[:60]!r} names no fleet; valid is a number from 1 to 99999")
            parts.append(Guidance(int(rest), np.ones((len(aisles), 2))))
            named.clear()
            continue
        number, _, aisle = rest.partition(" ")
        edge, factor = f"{head} {aisle}", _number(number)
        if not parts or head not in SIDES or factor is None:
            raise InputError(
                f"{source}: its line {line[:60]!r} is no guidance; valid is a line such as 'guidance 8' and below it "
                "lines such as 'west 1.2 line 1 columns 1-12'"
            )
        if edge not in edges:
            raise InputError(
                f"{source}: its guidance names {edge[:60]!r}, which is no aisle of it; {_nearby(edge, edges)}"
            )
        if edge in named:
            raise InputError(f"{source}: its guidance for {parts[-1].robots} robots names {edge!r} once more")
        named.add(edge)
        parts[-1].factors[edges[edge]] = factor
    return tuple(parts)


def _edges(aisles: Sequence[Aisle], shape: tuple[int, ...]) -> dict[str, tuple[int, int]]:
    """Return where an array of factors holds each direction of each aisle, by direction and name."""
    return {
        f"{SIDES[side]} {aisle_name(aisle, shape)}": (index, k)
        for index, aisle in enumerate(aisles)
        for k, side in enumerate(aisle.sides)
    }


def _nearby(edge: str, edges: Mapping[str, tuple[int, int]]) -> str:
    """Return what is valid in place of an aisle that is not on the map."""
    same = [name for name in edges if name.split()[:3] == edge.split()[:3]]
    listed = same or [name for name in edges if name.split()[0] == edge.split()[0]] or list(edges)
    return f"valid are {', '.join(listed)}" if listed else f"it has no aisle of {SHORTEST} cells"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
