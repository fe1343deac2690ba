"""`fleetmix guide`: what the aisles of a map should cost for a fleet."""

from typing import Annotated

import tyro

from fleetmix.output import log
from policies.guide.settings import GuideConfig

Scene = Annotated[str, tyro.conf.Positional]
Effort = Annotated[GuideConfig, tyro.conf.arg(name="")]


def guide(scene: Scene, effort: Effort) -> None:
    """Search what driving along each aisle should cost, and write it to the map file where that pays.

    Args:
        scene: a shipped scene's name, generated:SEED or a map file.
        effort: the fleet, and how long to search.
    """
    from policies.guide.outcome import guide as find_and_compare

    find_and_compare(scene, effort, log)
