"""What robots send and are sent while a policy drives them, in bytes: the same in each control period.

What a robot knows anyway does not count: its map, its own sensors and its order.
"""

from policies.planners.names import PLANNERS, SOLO
from sim.scene import SceneConfig

BROADCAST = 488
"""A broadcast with claims and planned way, of fixed length."""
SEEN = 49
"""What others observe of a broadcast: pose, speed, waypoint, whether it carries something."""
PLANNED = 64
"""What a robot tells a planner, pose, speed and turn rate, and is told, the point ahead and how far it may come."""


def bytes_per_second(policy: str, scene: SceneConfig) -> float:
    """Return the bytes a second that a robot sends, and is sent by a planner.

    Args:
        policy: its name.
        scene: the scene, with the rules of right of way.
    """
    if policy == SOLO:
        return 0.0
    told = BROADCAST if scene.right_of_way != "none" else SEEN
    return (told + (PLANNED if policy in PLANNERS else 0)) / scene.control_period
