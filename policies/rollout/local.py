"""Collecting in the learner's own process."""

import safetensors.torch
from torch import Tensor

from policies.batch import Batch
from policies.episode import Episode
from policies.rollout.interface import Collected
from policies.rollout.setup import RolloutSetup
from policies.rollout.state import CollectorState


class InProcessRollout:
    """Collects in this process, when the result is asked for.

    Args:
        setup: what to build.

    Raises:
        InputError: the environment is not valid.
    """

    def __init__(self, setup: RolloutSetup) -> None:
        self._collector = setup.build()
        self.team = self._collector.team
        self._weights, self._epsilon = b"", 0.0

    def start(self, weights: dict[str, Tensor], epsilon: float) -> None:
        """See `Rollout`."""
        self._weights, self._epsilon = safetensors.torch.save(weights), epsilon

    def result(self) -> Collected:
        """See `Rollout`."""
        self._collector.agent.load_state_dict(safetensors.torch.load(self._weights))
        arrays, episodes = self._collector.collect(self._epsilon)
        return Collected(Batch.of(arrays), episodes, self._collector.state(), self._collector.note)

    def validate(self, weights: dict[str, Tensor], episodes: int) -> list[Episode]:
        """See `Rollout`."""
        self._collector.agent.load_state_dict(weights)
        return self._collector.validate(range(episodes))

    def restore(self, state: CollectorState) -> None:
        """See `Rollout`."""
        self._collector.restore(state)

    def close(self) -> None:
        """See `Rollout`."""
        self._collector.close()
