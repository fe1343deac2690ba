"""What the training loop knows of collecting: two calls, and what comes back."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from policies.batch import Batch
from policies.episode import Episode
from policies.rollout.state import CollectorState
from policies.team import Team
from sim.errors import RunError


class RolloutError(RunError):
    """A worker process failed, died or hung."""


class RolloutStoppedError(RunError):
    """The learner was told to stop while a worker owed it an answer."""


@dataclass(frozen=True)
class Collected:
    """What one iteration brought."""

    batch: Batch
    episodes: list[Episode]
    """The episodes that ended."""
    state: CollectorState
    """Where the environments stand afterwards."""
    note: str = ""
    """What a person should know about the environment by now."""


class Rollout(Protocol):
    """Collects one iteration at a time."""

    team: Team

    def start(self, weights: dict[str, Tensor], epsilon: float) -> None:
        """Begin an iteration with a copy of these parameters of the agent network.

        Args:
            weights: the agent network's `state_dict`.
            epsilon: share of random actions, 0 to 1.
        """

    def result(self) -> Collected:
        """Wait for the iteration that `start` began, and return it.

        Raises:
            RolloutError: the worker failed.
            EnvError: the environment did something else than its interface asks for.
            RolloutStoppedError: the learner was told to stop before there was an answer.
        """

    def validate(self, weights: dict[str, Tensor], episodes: int) -> list[Episode]:
        """Play greedy episodes with these parameters, between two iterations; errors as in `result`."""

    def restore(self, state: CollectorState) -> None:
        """Go on from where the environments stood after an earlier `Collected`; errors as in `result`.

        Raises:
            ValueError: the state is not of as many environments.
        """

    def close(self) -> None:
        """End the environments, and the workers if there are any."""
