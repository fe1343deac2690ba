"""The distances and times of right of way, the same for all robots of a fleet."""

from typing import NamedTuple

from sim.scene import SceneConfig
from sim.waypoint import SPARE

FORGET = 10
"""Control periods after which a robot that was not heard any more is forgotten."""


class Rules(NamedTuple):
    """What the rules measure with; tuned on development seeds with `velocity` robots of 1.2 m/s."""

    plans: bool = True
    """Whether robots plan their ways around those that they hear; else they have their claims alone."""
    period: float = 0.1
    """Time between two broadcasts [s]."""
    radius: float = 0.30
    """Of the robots [m]."""
    lidar_range: float = 4.0
    """Reach of the lidar [m]."""
    speed: float = 1.2
    """Speed that times are computed with [m/s]."""
    keep: float = 0.36
    """How far lines keep off racks [m]."""
    left: float = 0.60
    """A robot has left a cell when it is so far from its middle [m]; with 0.50 fleets deadlocked."""
    claim_ahead: float = 1.2
    """A robot claims the next cell when less of its claimed way is left [m]."""
    most_claims: int = 6
    """Cells that it claims at most."""
    settled: int = 2
    """A claim may be entered when it has been out for so many periods, so that clashes are settled before."""
    listen: int = 3
    """Periods for which a robot that starts listens, before it claims more than the cell where it stands."""
    give_up: int = 80
    """Periods after which a robot that may not enter the next cell gives up its claims beyond, and starts anew."""
    stop_short: float = 0.05
    """How far before the middle of the last cell that it may enter a robot stops [m]."""
    close_up: float = 0.2
    """How much farther a robot comes where the next cell is claimed, but may not be entered yet [m]."""
    stop_before_goal: float = 0.33
    """How far before the middle of its goal it stops [m]."""
    wary: float = 10.0
    """How long a robot drives slowly after it has seen what nobody tells of [s]: ..."""
    wary_room: float = 0.07
    """... no faster than to stop within this distance, which is 0.5 m/s [m]."""
    replan: int = 4
    """Periods from plan to plan ..."""
    replan_refused: int = 5
    """... while a claim is refused ..."""
    replan_none: int = 3
    """... and without a plan."""
    lead: float = 1.6
    """A cell is claimed at most so long before the planned arrival in it [s]."""
    window: float = 6.0
    """How far ahead ways are planned [s]."""
    leg: float = 0.85
    """Time from the middle of a cell to the next [s]."""
    enter: float = 0.50
    """A robot holds a cell from so long before it is in its middle [s] ..."""
    leave: float = 0.55
    """... until so long after it sets off from there [s]."""
    set_off: float = 0.3
    """What it takes longer to set off after a wait [s]."""
    turn_back: float = 0.6
    """What it takes longer to leave a cell over the side over which it came [s]."""
    patience: float = 1.5
    """How long a robot of lower priority is expected to stand in the cell where its claims end [s]."""
    at_goal: float = 1.0
    """How long a robot is expected to stay at the end of its plan [s]."""
    stuck: int = 60
    """Periods for which a robot that has found no way goes before others."""
    stuck_priority: float = 1000.0
    """What that adds to its priority."""


def rules_of(scene: SceneConfig) -> Rules:
    """Return the rules of a scene's fleet."""
    robot = scene.robot
    return Rules(
        plans=scene.right_of_way == "plans",
        period=scene.control_period,
        radius=robot.radius,
        lidar_range=robot.lidar_range,
        speed=robot.max_speed,
        keep=robot.radius + robot.safety_margin + SPARE,
        leg=Rules().leg * Rules().speed / robot.max_speed,
    )
