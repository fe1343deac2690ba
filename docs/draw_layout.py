"""Draws the folders and who imports whom, as the code has it, into docs/layout.png.

An arrow means "imports"; one that follows from two others is left out. The sentences are the folders' docstrings. The
picture holds its arrows as text (PNG key `arrows`), by which a test tells whether it is still true.

    python -m docs.draw_layout
"""

import ast
import json
import textwrap
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from tests.house import FLOORS, MODULES, ON_ROBOT, ROOMS_ON_ROBOT, ROOT, arrows, room, without_detours

PICTURE = ROOT / "docs" / "layout.png"
KEY = "arrows"
WIDTH, BOX, ROW = 12.0, (2.6, 0.98), 1.42
"""The picture and a box, and the distance of two rows [inches]."""
COLUMNS = (
    {"export/graphs", "export/pipeline.py", "policies/runs"},
    {"sim/physics", "policies", "export/verify", "fleetmix"},
    {"sim", "export/bundle", "export/runtime.py", "export/fleet"},
    {"export/protocol", "export/robot"},
)
"""Where arrows cross the fewest others, from the left; any other room takes the first column that is free."""
ROBOT, OTHER, INK = "#d9f0ea", "#eef1f6", "#20303c"
BANDS = ("#faf6ee", "#f3f6fb", "#faf6ee", "#f3f6fb")


@dataclass(frozen=True)
class Place:
    """Where a room's box is drawn: its middle, in inches from the lower left."""

    x: float
    y: float


def describe(name: str) -> str:
    """Return the first sentence of a room's docstring."""
    path = ROOT / name
    text = (path if path.is_file() else path / "__init__.py").read_text(encoding="utf-8")
    sentence = " ".join((ast.get_docstring(ast.parse(text)) or "").split()).split(". ")[0]
    return sentence.removesuffix(".")


def depth(name: str, drawn: set[tuple[str, str]]) -> int:
    """Return how many rooms of the same floor lie below a room on the longest way down."""
    floor = name.split("/")[0]
    below = [to for of, to in drawn if of == name and to.startswith(floor) and (to, name) not in drawn]
    return max((1 + depth(to, drawn) for to in below), default=0)


def arrange(drawn: set[tuple[str, str]]) -> tuple[dict[str, Place], list[float]]:
    """Return the place of each room, and the height at which each floor ends."""
    rooms = sorted({name for arrow in drawn for name in arrow})
    places, top, ends = {}, 0.25, []
    for floor in FLOORS:
        own = [name for name in rooms if name.split("/")[0] == floor]
        levels = {name: depth(name, drawn) for name in own}
        for level in sorted(set(levels.values())):
            row = [name for name in own if levels[name] == level]
            for name, column in _columns(row).items():
                places[name] = Place(WIDTH / len(COLUMNS) * (column + 0.5), top + ROW / 2)
            top += ROW
        top += 0.2
        ends.append(top - 0.1)
    return places, ends


def _columns(row: list[str]) -> dict[str, int]:
    wanted = {name: i for i, column in enumerate(COLUMNS) for name in row if name in column}
    free = (i for i in range(len(COLUMNS)) if i not in wanted.values())
    return wanted | {name: next(free) for name in row if name not in wanted}


def draw() -> Figure:
    """Return the picture."""
    drawn = without_detours(arrows())
    places, ends = arrange(arrows())
    figure = Figure(figsize=(WIDTH, ends[-1] + 0.45))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, ends[-1] + 0.45))
    axes.axis("off")
    for floor, low, high, colour in zip(FLOORS, [0.1, *ends], ends, BANDS, strict=False):
        axes.add_patch(Rectangle((0.1, low), WIDTH - 0.2, high - low, facecolor=colour, edgecolor="none"))
        axes.text(0.25, high - 0.12, f"{floor}/", va="top", fontsize=13, color="#8a97a3", weight="bold")
    for of, to in sorted(drawn):
        if (to, of) not in drawn or of < to:
            _arrow(axes, places[of], places[to], both=(to, of) in drawn)
    for name, place in places.items():
        _box(axes, name, place)
    note = "An arrow means: imports. What two arrows in a row say is not drawn again.  Green: runs on a robot."
    axes.text(WIDTH / 2, ends[-1] + 0.2, note, ha="center", va="center", fontsize=10, color=INK)
    return figure


def _box(axes: Axes, name: str, place: Place) -> None:
    width, height = BOX
    low = (place.x - width / 2, place.y - height / 2)
    colour = ROBOT if name in ROOMS_ON_ROBOT else OTHER
    style = "round,pad=0,rounding_size=0.08"
    axes.add_patch(FancyBboxPatch(low, width, height, style, facecolor=colour, edgecolor="#7d8b97", linewidth=1.0))
    axes.text(
        place.x, place.y + height / 2 - 0.09, name, ha="center", va="top", fontsize=10.5, weight="bold", color=INK
    )
    here = sorted(m.rpartition(".")[2] for m in ON_ROBOT if room(m) == name) if name not in ROOMS_ON_ROBOT else []
    lines = textwrap.wrap(describe(name), 42)
    if here:
        lines += textwrap.wrap(f"on a robot too: {', '.join(here)}", 42)
    axes.text(place.x, place.y - 0.12, "\n".join(lines), ha="center", va="center", fontsize=8, color=INK)


def _arrow(axes: Axes, of: Place, to: Place, both: bool) -> None:
    height = BOX[1] / 2 + 0.02
    if abs(of.y - to.y) < 0.1:
        side = BOX[0] / 2 + 0.02 if of.x < to.x else -BOX[0] / 2 - 0.02
        start, end = (of.x + side, of.y), (to.x - side, to.y)
    else:
        side = (to.x > of.x) - (to.x < of.x)  # an arrow leaves by the corner, past what stands below
        start, end = (of.x + 1.28 * side, of.y - height), (to.x - 0.8 * side, to.y + height)
    look = "<|-|>" if both else "-|>"
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle=look, mutation_scale=13, color="#5b6b78", linewidth=1.2, shrinkA=0, shrinkB=0
        )
    )


def main() -> None:
    """Write the picture."""
    draw().savefig(PICTURE, dpi=130, metadata={KEY: json.dumps(sorted(arrows()))})
    print(f"{PICTURE.relative_to(ROOT)}: {len(arrows())} arrows between {len({room(name) for name in MODULES})} rooms")


if __name__ == "__main__":
    main()
