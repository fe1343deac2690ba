"""The colours of everything that is drawn: robot i has one colour in every view, plot and film.

Okabe and Ito's palette, which people who are colour-blind can tell apart too, in an order in which neighbours differ in
lightness as well; it stands out on a dark floor and on a light one.
"""

Colour = tuple[float, float, float]
"""Red, green, blue, 0 to 1."""

_ROBOTS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#c9b500", "#7f7f7f")


def hex_colour(robot: int) -> str:
    """Return the colour of a robot as pages write it; they repeat after 8."""
    return _ROBOTS[robot % len(_ROBOTS)]


def colour(robot: int) -> Colour:
    """Return the colour of a robot; they repeat after 8."""
    text = hex_colour(robot)
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue
