"""What the fleet has lived through: a ring of sequences, the oldest overwritten first, from which the learner draws.

The storage is allocated once and filled in place, so memory is known from the start and does not grow.
"""

from dataclasses import fields

import torch
from torch import Tensor

from policies.batch import Batch, SequenceSize


class ReplayBuffer:
    """Sequences of one length, stored as the fields of `Batch`.

    Args:
        capacity: sequences kept.
        size: the sizes of a sequence.

    Raises:
        ValueError: when the capacity is below 1.
    """

    def __init__(self, capacity: int, size: SequenceSize) -> None:
        if capacity < 1:
            raise ValueError(f"the replay's capacity is {capacity}; valid is 1 or more")
        self.capacity = capacity
        self._next, self._size = 0, 0
        self._storage = Batch.of(size.zeros(capacity))
        for _, stored, _ in self._pairs(self._storage):
            stored.zero_()  # written once, so that too little memory shows now and not hours later

    def __len__(self) -> int:
        """Return how many sequences are stored."""
        return self._size

    def add(self, batch: Batch) -> None:
        """Copy the sequences of `batch` in, in place of the oldest ones once the ring is full.

        Raises:
            ValueError: when a field has another shape or dtype than the storage, or more sequences come than fit.
        """
        count = len(batch.action)
        if count > self.capacity:
            raise ValueError(
                f"a batch of {count} sequences came to a replay; valid is up to its capacity, {self.capacity}"
            )
        for name, stored, new in self._pairs(batch):
            if new.shape != (count, *stored.shape[1:]) or new.dtype != stored.dtype:
                valid = f"{(count, *stored.shape[1:])} of {stored.dtype}"
                raise ValueError(
                    f"Batch.{name} came to the replay as {tuple(new.shape)} of {new.dtype}; valid is {valid}"
                )
        tail = min(count, self.capacity - self._next)
        for _, stored, new in self._pairs(batch):
            stored[self._next : self._next + tail] = new[:tail]
            stored[: count - tail] = new[tail:]
        self._next = (self._next + count) % self.capacity
        self._size = min(self._size + count, self.capacity)

    def sample(self, batch_size: int, generator: torch.Generator) -> Batch:
        """Draw `batch_size` sequences uniformly, with replacement; the same generator state draws the same ones.

        Raises:
            ValueError: when nothing is stored yet, or batch_size is below 1.
        """
        if batch_size < 1 or not self._size:
            raise ValueError(
                f"a sample of {batch_size} was asked of {self._size} sequences; valid is 1 or more of 1 or more"
            )
        rows = torch.randint(self._size, (batch_size,), generator=generator)
        return Batch(**{name: stored.index_select(0, rows) for name, stored, _ in self._pairs(self._storage)})

    def _pairs(self, batch: Batch) -> list[tuple[str, Tensor, Tensor]]:
        """List (field name, stored tensor, the batch's tensor)."""
        return [(f.name, getattr(self._storage, f.name), getattr(batch, f.name)) for f in fields(Batch)]
