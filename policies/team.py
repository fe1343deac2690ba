"""What is known of a team before it acts: who belongs to it, and the sizes and scales that networks are built from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.batch import SequenceSize


@dataclass(frozen=True)
class Team:
    """The sizes and scales that networks are built from."""

    agents: tuple[str, ...]
    n_actions: int
    """Actions of the agent that has most."""
    observation_scale: NDArray[np.float32]
    """What each feature is divided by [features]: its largest magnitude, 1 where it has no bound."""
    state_scale: NDArray[np.float32]
    """Likewise for the global state [state]."""
    robot_state: int = 0
    """Length of each robot's part of the state, the robots' parts first, where fleets differ in size; 0 for a fixed
    team."""

    @property
    def features(self) -> int:
        """Length of the longest observation."""
        return len(self.observation_scale)

    def sequence_size(self, steps: int, hidden_size: int) -> SequenceSize:
        """Return the sizes of a sequence of this team, for an agent network with that hidden state."""
        return SequenceSize(steps, len(self.agents), self.features, len(self.state_scale), self.n_actions, hidden_size)
