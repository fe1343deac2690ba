"""Saving a run while it goes on: what training goes on from exactly, often enough, and never for long."""

import time
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from policies.memory import bytes_of
from policies.replay import ReplayBuffer
from policies.rollout.state import CollectorState
from policies.runs.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
from policies.runs.experience import ExperienceLog
from policies.runs.folder import Run
from sim.errors import InputError

SHARE = 0.02
"""Share of the time that saves without a validation take at most [1]."""
_REPLAY_RANDOM, _COLLECTOR, _OWED = "random.replay", "collector.", "owed."
"""What the names of these tensors begin with in a checkpoint."""


@dataclass(frozen=True)
class Snapshot:
    """What training goes on from, besides the counts of a `CheckpointInfo` and the replay."""

    learner: dict[str, Tensor]
    """The learner's `state_dict`."""
    replay_random: Tensor
    """State of the generator that draws from the replay."""
    owed: dict[str, Tensor]
    """The agent's parameters of an iteration that was learned beside but whose experience never came; else empty."""
    collector: CollectorState | None
    """Where the environments stand; None before the first iteration."""

    def to_checkpoint(self, info: CheckpointInfo) -> Checkpoint:
        """Return all of it as a checkpoint."""
        tensors = {**self.learner, _REPLAY_RANDOM: self.replay_random}
        tensors |= {_OWED + name: x for name, x in self.owed.items()}
        if self.collector is None:
            return Checkpoint(tensors, info)
        tensors |= {_COLLECTOR + name: torch.from_numpy(x) for name, x in self.collector.arrays.items()}
        return Checkpoint(tensors, replace(info, random=self.collector.random))

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> "Snapshot":
        """Return what `to_checkpoint` wrote; raise KeyError when the replay's generator is missing."""
        tensors = dict(checkpoint.tensors)
        random = tensors.pop(_REPLAY_RANDOM)
        arrays = {name: x.numpy() for name, x in _take(tensors, _COLLECTOR).items()}
        owed = _take(tensors, _OWED)
        collector = CollectorState(checkpoint.info.random, arrays) if arrays else None
        return cls(tensors, random, owed, collector)


class RunSaver:
    """The checkpoints and the replay's files of a run.

    Args:
        run: its folder.
        replay: saved too, unless it is larger than `save_replay`.
        info: what the run goes on from; the replay gets back what it names.

    Raises:
        InputError: a file of the replay is missing, damaged, or of another size.
    """

    def __init__(self, run: Run, replay: ReplayBuffer, info: CheckpointInfo) -> None:
        self._run, self._replay = run, replay
        self._saves_replay = replay.capacity * bytes_of(replay.size) <= run.config.save_replay * 1e9
        self._experience = ExperienceLog(run.checkpoints, info.replay if self._saves_replay else [])
        self._experience.load(replay)
        self._saved_at, self._took = time.monotonic(), 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time for a save without a validation."""
        return time.monotonic() - self._saved_at >= max(self._run.config.save_minutes * 60, self._took / SHARE)

    def save(self, checkpoint: Checkpoint, best: bool) -> None:
        """Save the newest checkpoint and the replay, and before it the same as the best one, so that it is there.

        Raises:
            InputError: it can't be written, for example because the disk is full; what was saved before stays whole.
        """
        began, folder = time.monotonic(), self._run.checkpoints
        try:
            if best:
                save_checkpoint(folder, "best", checkpoint)
            # After the best one, whose save removes all files that no JSON names yet.
            replay = self._experience.save(self._replay) if self._saves_replay else []
            save_checkpoint(folder, "newest", replace(checkpoint, info=replace(checkpoint.info, replay=replay)))
        except InputError as error:
            again = f"then {self._run.advice}" if self._run.saved else "then begin again: nothing was saved yet"
            raise InputError(f"{error}; make room, {again}") from error
        self._saved_at = time.monotonic()
        self._took = self._saved_at - began


def _take(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Remove the tensors whose names begin so, and return them by the rest of their names."""
    return {name.removeprefix(prefix): tensors.pop(name) for name in list(tensors) if name.startswith(prefix)}
