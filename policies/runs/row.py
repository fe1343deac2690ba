"""A row of the metrics while it fills; a checkpoint holds it half-filled, so that no row is lost or counted twice."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from policies.environments import EnvSource
from policies.episode import Episode
from policies.runs.training_log import episode_metrics


@dataclass
class MetricsRow:
    """What happened since the last row."""

    iteration: int = 0
    """Iterations when it began."""
    steps: int = 0
    """Training length when it began [env steps]."""
    updates: int = 0
    """Updates when it began."""
    seconds: float = 0.0
    """Training time when it began [s]."""
    learning: list[dict[str, float]] = field(default_factory=list)
    """The metrics of each update."""
    episodes: list[Episode] = field(default_factory=list)
    """The episodes that ended."""
    validation: dict[str, float] = field(default_factory=dict)
    """The metrics of the last validation."""

    def values(
        self, source: EnvSource, solo_throughput: float | None, steps: int, updates: int, seconds: float
    ) -> dict[str, float]:
        """Return the row's metrics.

        Args:
            source: the environment.
            solo_throughput: as in `episode_metrics`.
            steps: training length now [env steps].
            updates: updates now.
            seconds: training time now [s].
        """
        passed = max(seconds - self.seconds, 1e-9)
        row: dict[str, float] = {
            "steps_per_second": (steps - self.steps) / passed,
            "updates_per_second": (updates - self.updates) / passed,
            "episodes": len(self.episodes),
            **episode_metrics(self.episodes, source, solo_throughput),
            **{f"validation_{name}": value for name, value in self.validation.items()},
        }
        for name in self.learning[0] if self.learning else ():
            row[name] = float(np.mean([metrics[name] for metrics in self.learning]))
        return row

    def to_plain(self) -> dict[str, Any]:
        """Return plain values that `from_plain` reads back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_plain(cls, values: dict[str, Any]) -> Self:
        """Return what `to_plain` wrote."""
        return cls(**{**values, "episodes": [Episode(**episode) for episode in values["episodes"]]})
