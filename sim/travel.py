"""Where a robot's record of its travel holds its parts."""

from typing import NamedTuple


class Travel(NamedTuple):
    """Where a robot's record of its travel holds its parts [m]."""

    remaining: int
    """Path left to the goal; below 0 the goal is new."""
    progress: int
    """By how much that got shorter in this decision."""
    distance: int
    """Distance covered in this episode."""
    last_x: int
    """Where the robot was last."""
    last_y: int


TRAVEL = Travel(*range(len(Travel._fields)))
