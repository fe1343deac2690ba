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
        self.capacity, self.size = capacity, size
        self.added = 0
        """Sequences that ever came; number n of them lies in row n mod capacity."""
        self._storage = Batch.of(size.zeros(capacity))
        for _, stored, _ in self._pairs(self._storage):
            stored.zero_()  # written once, so that too little memory shows now and not hours later

    def __len__(self) -> int:
        """Return how many sequences are stored."""
        return min(self.added, self.capacity)

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
        row = self.added % self.capacity
        tail = min(count, self.capacity - row)
        for _, stored, new in self._pairs(batch):
            stored[row : row + tail] = new[:tail]
            stored[: count - tail] = new[tail:]
        self.added += count

    def read(self, first: int, end: int) -> dict[str, Tensor]:
        """Return copies of the sequences of these numbers by field name; they must not be overwritten yet."""
        rows = torch.arange(first, end) % self.capacity
        return {f.name: getattr(self._storage, f.name).index_select(0, rows) for f in fields(Batch)}

    def restore(self, first: int, sequences: dict[str, Tensor]) -> None:
        """Put back what `read` returned, in the order of the numbers; errors as `add`."""
        batch = Batch(**sequences)
        kept = min(len(batch.action), self.capacity)  # the capacity may be smaller now
        self.added = first + len(batch.action) - kept
        self.add(Batch(**{name: field[-kept:] for name, field in sequences.items()}))

    def sample(self, batch_size: int, generator: torch.Generator) -> Batch:
        """Draw `batch_size` sequences uniformly, with replacement; the same generator state draws the same ones.

        Raises:
            ValueError: when nothing is stored yet, or batch_size is below 1.
        """
        if batch_size < 1 or not len(self):
            raise ValueError(
                f"a sample of {batch_size} was asked of {len(self)} sequences; valid is 1 or more of 1 or more"
            )
        rows = torch.randint(len(self), (batch_size,), generator=generator)
        return Batch(**{name: stored.index_select(0, rows) for name, stored, _ in self._pairs(self._storage)})

    def _pairs(self, batch: Batch) -> list[tuple[str, Tensor, Tensor]]:
        """List (field name, stored tensor, the batch's tensor)."""
        return [(f.name, getattr(self._storage, f.name), getattr(batch, f.name)) for f in fields(Batch)]
