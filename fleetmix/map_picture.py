"""The picture of a map: racks, stations, and the directions that its guidance prefers."""

import itertools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sim.errors import InputError
from sim.layout import Layout

_FLOOR_COLOUR, _LINE_COLOUR, _RACK_COLOUR, _STATION_COLOUR = (245,) * 3, (225,) * 3, (70, 74, 82), (44, 140, 84)
_ARROW_COLOUR, _DARKEST_FROM = (200, 70, 20), 1.5
"""An arrow is the darker the dearer the way against it; at a ratio of this and above it has this colour."""


def draw_layout(layout: Layout, picture: Path) -> None:
    """Draw a map: racks dark, stations green, one square a cell, y up; arrows along the cheaper direction of an aisle.

    Args:
        layout: the map, with the guidance for its `fleet`.
        picture: the PNG that is written.

    Raises:
        InputError: the name's ending is not .png, or the file can't be written.
    """
    if picture.suffix.lower() != ".png":
        raise InputError(f"picture is {str(picture)!r}; valid is a name that ends in .png")
    colours = np.where(layout.blocked[..., None], _RACK_COLOUR, _FLOOR_COLOUR)
    colours.reshape(-1, 3)[list(layout.stations)] = _STATION_COLOUR
    scale = max(4, 720 // max(layout.blocked.shape))
    cells = colours[::-1].repeat(scale, 0).repeat(scale, 1)
    cells[::scale], cells[:, ::scale] = _LINE_COLOUR, _LINE_COLOUR
    image = Image.fromarray(cells.astype(np.uint8))
    _draw_arrows(ImageDraw.Draw(image), layout, scale)
    try:
        image.save(picture)
    except OSError as error:
        raise InputError(f"picture {str(picture)!r} can't be written: {error.strerror}") from error


def _draw_arrows(draw: ImageDraw.ImageDraw, layout: Layout, scale: int) -> None:
    """Put an arrow on the edges of each aisle that costs more in one direction than in the other."""
    for aisle, (onward, backward) in zip(layout.aisles, layout.factors.tolist(), strict=True):
        if onward == backward:
            continue
        share = min((max(onward, backward) / min(onward, backward) - 1.0) / (_DARKEST_FROM - 1.0), 1.0)
        colour = tuple(
            round(floor + share * (dark - floor)) for floor, dark in zip((225,) * 3, _ARROW_COLOUR, strict=True)
        )
        cells = aisle.cells if onward < backward else aisle.cells[::-1]
        for cell, following in itertools.pairwise(cells):
            (x0, y0), (x1, y1) = layout.middle(cell), layout.middle(following)
            x, y, dx, dy = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) * 0.2, (y1 - y0) * 0.2
            corners = ((x + dx, y + dy), (x - dx - dy, y - dy + dx), (x - dx + dy, y - dy - dx))
            draw.polygon([(scale * cx, scale * (layout.rows - cy)) for cx, cy in corners], fill=colour)
