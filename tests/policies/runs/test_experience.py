"""The replay's files: each sequence is written once, and only files with sequences of the ring stay."""

from pathlib import Path

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.replay import ReplayBuffer
from policies.runs.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
from policies.runs.experience import ExperienceLog
from tests.policies.test_replay import SIZE, numbers, sequences


def rows(replay: ReplayBuffer) -> list[int]:
    """The numbers of the sequences in the rows of a replay, drawn by the same generator."""
    return numbers(replay.sample(200, torch.Generator().manual_seed(3)))


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(0, 8), min_size=1, max_size=8), capacity=st.integers(1, 12))
def test_the_replay_comes_back_row_by_row(tmp_path_factory: object, counts: list[int], capacity: int) -> None:
    folder = tmp_path_factory.mktemp("run")  # type: ignore[attr-defined] # a new one for each example
    replay, log, named = ReplayBuffer(capacity, SIZE), ExperienceLog(folder, []), []
    for count in counts:
        for _ in range(min(count, capacity)):
            replay.add(sequences(replay.added, 1))
        named = log.save(replay)
    again = ReplayBuffer(capacity, SIZE)
    ExperienceLog(folder, named).load(again)
    assert (again.added, len(again)) == (replay.added, len(replay))
    if len(replay):
        assert rows(again) == rows(replay)


def test_a_save_writes_what_is_new_and_removes_what_was_overwritten(tmp_path: Path) -> None:
    replay, log = ReplayBuffer(10, SIZE), ExperienceLog(tmp_path, [])
    spans = []
    for _ in range(4):
        replay.add(sequences(replay.added, 4))
        named = log.save(replay)
        save_checkpoint(tmp_path, "newest", Checkpoint({}, CheckpointInfo("vdn", 0, 2, 5, replay=named)))
        spans.append([(segment["first"], segment["count"]) for segment in named])
        assert sorted(path.name for path in tmp_path.glob("replay_*")) == [segment["file"] for segment in named]
    # After 16 sequences those from number 6 on are in the ring, and the first file ended with number 3.
    assert spans == [[(0, 4)], [(0, 4), (4, 4)], [(0, 4), (4, 4), (8, 4)], [(4, 4), (8, 4), (12, 4)]]
    assert log.save(replay) == named  # nothing is new


def test_a_smaller_replay_takes_the_newest(tmp_path: Path) -> None:
    replay, log = ReplayBuffer(10, SIZE), ExperienceLog(tmp_path, [])
    replay.add(sequences(0, 7))
    named = log.save(replay)
    smaller = ReplayBuffer(3, SIZE)
    ExperienceLog(tmp_path, named).load(smaller)
    assert set(rows(smaller)) == {4, 5, 6}
