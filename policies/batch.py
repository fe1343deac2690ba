"""Sequences of experience: what the collector writes, the replay keeps and the learner learns from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Arrays = dict[str, NDArray[Any]]
"""The fields of a `Batch` by name, as arrays."""


@dataclass(frozen=True)
class Batch:
    """Sequences of one length, none across episodes; a shorter one is padded with finite values and `valid` False."""

    observation: Tensor
    """[batch, time + 1, agents, features] float32; the last is the one after the last action."""
    state: Tensor
    """[batch, time + 1, state] float32, the global state."""
    action_mask: Tensor
    """[batch, time + 1, agents, actions] bool, True where an action is allowed."""
    action: Tensor
    """[batch, time, agents] int64, the action taken."""
    reward: Tensor
    """[batch, time] float32, the team's reward."""
    terminated: Tensor
    """[batch, time] bool, True where the episode ended for good; a time limit is no such end."""
    valid: Tensor
    """[batch, time] bool, False in the padding behind the last real step."""
    hidden: Tensor
    """[batch, agents, hidden_size] float32, the agents' hidden state before the first step."""
    present: Tensor
    """[batch, agents] bool, False where a fleet is smaller than the largest; nothing there has any influence."""

    @classmethod
    def of(cls, arrays: Arrays) -> "Batch":
        """Return the batch that shares its memory with the arrays."""
        return cls(**{name: torch.from_numpy(array) for name, array in arrays.items()})


@dataclass(frozen=True)
class SequenceSize:
    """The sizes that the fields of a `Batch` follow from; raises ValueError when one is not valid."""

    steps: int
    """Actions in a sequence."""
    n_agents: int
    """Robots, of the largest fleet where fleets differ."""
    features: int
    """Length of one robot's observation."""
    state_dim: int
    """Length of the global state."""
    n_actions: int
    """Actions of one robot."""
    hidden_size: int = 0
    """Length of one robot's hidden state, 0 for an MLP."""

    def __post_init__(self) -> None:
        if min(self.steps, self.n_agents, self.features, self.state_dim, self.n_actions) < 1 or self.hidden_size < 0:
            raise ValueError(f"{self}; valid is 1 or more each, 0 or more for hidden_size")

    def zeros(self, rows: int) -> Arrays:
        """Return so many sequences of zeros; the system gives memory only to those that are written."""
        shown, agents = (rows, self.steps + 1), self.n_agents
        return {
            "observation": np.zeros((*shown, agents, self.features), np.float32),
            "state": np.zeros((*shown, self.state_dim), np.float32),
            "action_mask": np.zeros((*shown, agents, self.n_actions), np.bool_),
            "action": np.zeros((rows, self.steps, agents), np.int64),
            "reward": np.zeros((rows, self.steps), np.float32),
            "terminated": np.zeros((rows, self.steps), np.bool_),
            "valid": np.zeros((rows, self.steps), np.bool_),
            "hidden": np.zeros((rows, agents, self.hidden_size), np.float32),
            "present": np.zeros((rows, agents), np.bool_),
        }
