"""What a user would run instead of a learned policy."""

import numpy as np
from numpy.typing import NDArray

from sim.observation import MANEUVERS


class AlwaysGo:
    """Every robot follows its own shortest path and leaves the rest to the governor."""

    name = "always-go"

    def reset(self, robots: int) -> None:
        """Remember nothing between decisions."""

    def act(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        """`go` for each robot [robots]."""
        return np.full(len(observations), MANEUVERS.index("go"), np.int64)
