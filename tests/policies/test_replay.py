"""The replay keeps the newest sequences whole, draws evenly, and says what does not fit."""

from collections import deque
from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from policies.batch import Batch, SequenceSize
from policies.replay import ReplayBuffer

SIZE = SequenceSize(steps=2, n_agents=2, features=3, state_dim=4, n_actions=5, hidden_size=6)


def sequences(first: int, count: int) -> Batch:
    """Sequences numbered from `first`; the number stands in every field, so that a mixed-up row shows."""
    number = torch.arange(first, first + count)

    def filled(*shape: int) -> torch.Tensor:
        return number.view(-1, *[1] * len(shape)).expand(count, *shape)

    return Batch(
        observation=filled(3, 2, 3).float(),
        state=filled(3, 4).float(),
        action_mask=filled(3, 2, 5) % 2 == 1,
        action=filled(2, 2),
        reward=filled(2).float(),
        terminated=filled(2) % 2 == 1,
        valid=filled(2) % 3 == 1,
        hidden=filled(2, 6).float(),
        present=filled(2) % 5 == 1,
    )


def numbers(batch: Batch) -> list[int]:
    """The sequences' numbers, after a check that each row is one sequence in all its fields."""
    drawn = batch.action[:, 0, 0]
    for i, number in enumerate(drawn.tolist()):
        whole = sequences(number, 1)
        for field in fields(Batch):
            assert torch.equal(getattr(batch, field.name)[i : i + 1], getattr(whole, field.name)), field.name
    return drawn.tolist()


@given(capacity=st.integers(1, 9), sizes=st.lists(st.integers(0, 9), min_size=1, max_size=12), seed=st.integers(0, 999))
def test_the_newest_sequences_are_kept_whole(capacity: int, sizes: list[int], seed: int) -> None:
    replay, expected, total = ReplayBuffer(capacity, SIZE), deque[int](maxlen=capacity), 0
    for size in (min(size, capacity) for size in sizes):
        replay.add(sequences(total, size))
        expected.extend(range(total, total + size))
        total += size
        assert len(replay) == len(expected)
    if expected:
        # 400 draws from 9 sequences miss a given one with probability (8/9)^400 < 1e-20.
        assert set(numbers(replay.sample(400, torch.Generator().manual_seed(seed)))) == set(expected)


def test_draws_are_uniform() -> None:
    # 12,000 draws from 6: each number 2,000 times on average, standard deviation sqrt(12000 * 1/6 * 5/6) = 41.
    replay = ReplayBuffer(8, SIZE)
    replay.add(sequences(0, 6))
    counts = torch.bincount(replay.sample(12_000, torch.Generator().manual_seed(0)).action[:, 0, 0], minlength=8)
    assert (counts[:6] - 2000).abs().max() < 5 * 41
    assert not counts[6:].any()


def test_the_generator_alone_decides_the_draw() -> None:
    replay = ReplayBuffer(8, SIZE)
    replay.add(sequences(0, 8))
    first, again, other = (numbers(replay.sample(50, torch.Generator().manual_seed(seed))) for seed in (1, 1, 2))
    assert first == again != other


def test_nothing_outside_shares_memory_with_the_storage() -> None:
    replay, added = ReplayBuffer(1, SIZE), sequences(7, 1)
    added = replace(added, reward=added.reward.clone())
    replay.add(added)
    added.reward.zero_()
    replay.sample(1, torch.Generator()).reward.zero_()
    assert numbers(replay.sample(1, torch.Generator())) == [7]


def test_what_does_not_fit_is_named() -> None:
    replay, good = ReplayBuffer(4, SIZE), sequences(0, 2)
    with pytest.raises(ValueError, match=r"0 sequences; valid is"):
        replay.sample(1, torch.Generator())
    with pytest.raises(ValueError, match=r"Batch\.reward .* \(2, 3\) .*; valid is \(2, 2\) of torch\.float32"):
        replay.add(replace(good, reward=torch.zeros(2, 3)))
    with pytest.raises(ValueError, match=r"Batch\.state .* torch\.float64; valid is \(2, 3, 4\) of torch\.float32"):
        replay.add(replace(good, state=good.state.double()))
    with pytest.raises(ValueError, match=r"5 sequences .* capacity, 4"):
        replay.add(sequences(0, 5))
    assert len(replay) == 0
    with pytest.raises(ValueError, match="capacity is 0; valid is 1 or more"):
        ReplayBuffer(0, SIZE)
    with pytest.raises(ValueError, match=r"SequenceSize\(steps=2, n_agents=0, .*; valid is 1 or more each"):
        replace(SIZE, n_agents=0)
