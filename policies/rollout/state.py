"""Where environments stand, so that another process can go on from there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from policies.batch import Arrays


@dataclass(frozen=True)
class CollectorState:
    """Where environments stand between two iterations; together with their code, all that they go on from."""

    random: list[dict[str, Any]]
    """State of each environment's random numbers (numpy's `bit_generator.state`)."""
    arrays: Arrays
    """seed [envs] int64 and length [envs] int64 of the present episodes, their actions [envs, longest, agents] int32,
    and what they show now: observation [envs, agents, features] and hidden [envs, agents, hidden_size], float32."""

    def split(self, counts: Sequence[int]) -> list["CollectorState"]:
        """Return the states of so many environments each; raise ValueError when they are not as many together."""
        if sum(counts) != len(self.random):
            raise ValueError(f"the state is of {len(self.random)} environments; valid is one of {sum(counts)}")
        ends = np.cumsum(counts).tolist()
        spans = [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
        return [CollectorState(self.random[span], {k: v[span] for k, v in self.arrays.items()}) for span in spans]

    @classmethod
    def join(cls, states: Sequence["CollectorState"]) -> "CollectorState":
        """Return the states of all these environments as one."""
        if len(states) == 1:
            return states[0]
        longest = max(state.arrays["actions"].shape[1] for state in states)
        arrays = {name: [state.arrays[name] for state in states] for name in states[0].arrays}
        missing = [((0, 0), (0, longest - actions.shape[1]), (0, 0)) for actions in arrays["actions"]]
        arrays["actions"] = [np.pad(a, width) for a, width in zip(arrays["actions"], missing, strict=True)]
        random = [values for state in states for values in state.random]
        return cls(random, {name: np.concatenate(parts) for name, parts in arrays.items()})
