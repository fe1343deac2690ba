"""The spaces of an environment's agents: which are valid, and the scale of what comes from them."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from numpy.typing import NDArray

from sim.errors import InputError

UNBOUNDED = 1e6
"""A bound beyond this says nothing about the values that come, so they are not scaled by it."""


def observation_box(space: object, env: str, agent: str) -> Box:
    """Return the box that an agent observes; raise InputError when it observes anything else."""
    if isinstance(space, Dict) and "observation" in space.spaces:
        space = space["observation"]
    if not isinstance(space, Box):
        raise InputError(
            f"env {env}: {agent} observes {space}; valid is a Box, or a Dict with observation, action_mask"
        )
    return space


def discrete_actions(space: object, env: str, agent: str) -> "Discrete[Any]":
    """Return the actions of an agent; raise InputError when they are not discrete."""
    if not isinstance(space, Discrete):
        raise InputError(f"env {env}: {agent} acts in {space}; Q-learning needs discrete actions: valid is Discrete(n)")
    return space


def scale_of(box: Box) -> NDArray[np.float32]:
    """Return the largest magnitude of each feature [features], 1 where it is 0 or has no bound."""
    magnitude = np.maximum(np.abs(box.low, dtype=np.float64), np.abs(box.high, dtype=np.float64)).reshape(-1)
    usable = (magnitude > 0) & (magnitude <= UNBOUNDED)
    return np.where(usable, magnitude, 1.0).astype(np.float32)
