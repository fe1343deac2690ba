"""A run that was stopped, or killed in the middle of anything, ends as one that was not."""

import contextlib
import dataclasses
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from policies.rollout.interface import Collected, RolloutStoppedError
from policies.rollout.local import InProcessRollout
from policies.runs.checkpoint import load_checkpoint
from policies.runs.folder import load_run
from policies.train import train
from sim.errors import InputError
from tests.policies.test_train import assert_same_run
from tests.policies.tiny_runs import ROLLOUT, TINY, config, rows

SCRIPT = f"""
import sys
from pathlib import Path
from policies.config import AgentConfig
from policies.train import train
from tests.policies.tiny_runs import config
if __name__ == "__main__":
    agent = AgentConfig(kind=sys.argv[2], hidden=16)
    settings = config(env="{TINY}:Uneven", agent=agent, steps=6400, save_minutes=0.0)
    train(settings, Path(sys.argv[1]), resume=len(sys.argv) > 3)
"""


def run_until_killed(run: Path, kind: str, delay: float) -> int:
    """Train in a process that is killed some time after it first saved; return its exit code."""
    newest = run / "checkpoints" / "newest.json"
    before = newest.read_text() if newest.exists() else ""
    command = [sys.executable, "-c", SCRIPT, str(run), kind, *["resume"] * bool(before)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and (not newest.exists() or newest.read_text() == before):
            time.sleep(0.01)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay)
        process.kill()
    return process.returncode


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mlp", "gru"])
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not(tmp_path: Path, kind: str) -> None:
    # Episodes have 5 steps and iterations 8, so saves lie within episodes; the ring of 500 is full after 42.
    assert run_until_killed(tmp_path / "whole", kind, delay=600.0) == 0
    delays = random.Random(0)
    codes = [run_until_killed(tmp_path / "killed", kind, delay=delays.uniform(0.0, 1.0)) for _ in range(3)]
    assert codes == [-signal.SIGKILL] * 3
    assert run_until_killed(tmp_path / "killed", kind, delay=600.0) == 0
    assert_same_run(tmp_path / "whole", tmp_path / "killed")
    steps = [int(row["steps"]) for row in rows(tmp_path / "killed")]
    assert steps == list(range(128, 6401, 128))  # log_every 4 iterations of 32: no gap, no double row


@pytest.mark.parametrize("calls", [1, 2, 9, 13])  # learning begins after the fifth iteration at the latest
def test_a_run_that_stops_while_an_iteration_is_owed_goes_on_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    train(config(), tmp_path / "whole")
    answer, left = InProcessRollout.result, calls

    def stop(rollout: InProcessRollout) -> Collected:
        nonlocal left
        left -= 1
        if left == 0:
            raise RolloutStoppedError("a signal came")
        return answer(rollout)

    monkeypatch.setattr(InProcessRollout, "result", stop)
    train(config(), tmp_path / "stopped")
    assert load_checkpoint(tmp_path / "stopped" / "checkpoints", "newest").info.iterations == calls - 1
    train(config(), tmp_path / "stopped", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_a_run_goes_on_beyond_its_end(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    before = train(config(), first)
    with (first / "metrics.csv").open("a") as file:
        file.write("99,99999,1\r\n")  # a row from after the checkpoint, as a crash leaves it
    shutil.copytree(first, second)
    for run in (first, second):
        result = train(config(steps=1280), run, resume=True)
    assert result.steps == 1280
    assert result.updates == before.updates + 20 * 2  # learning goes on at once
    steps = [int(row["steps"]) for row in rows(first)]
    assert steps == sorted(set(steps))
    assert steps[-1] == 1280
    assert_same_run(first, second)
    assert load_run(first).config.steps == 1280


def test_a_replay_that_was_not_saved_is_filled_anew_before_learning_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = train(config(save_replay=0.0), tmp_path)
    assert not list((tmp_path / "checkpoints").glob("replay_*"))
    capsys.readouterr()
    result = train(config(steps=1280, save_replay=0.0), tmp_path, resume=True)
    # 20 iterations less those that bring the 20 sequences of the warmup.
    assert before.updates < result.updates < before.updates + 20 * 2
    assert "the replay was not saved (see save_replay): it is filled anew" in capsys.readouterr().out


def test_another_number_of_environments_begins_new_episodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(config(), tmp_path)
    rollout = dataclasses.replace(ROLLOUT, envs=6)
    assert train(config(steps=1280, rollout=rollout), tmp_path, resume=True).steps >= 1280
    assert "the run had 4 environments: 6 others begin new episodes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "can't be read: No such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is not as it was written"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"), "is not as it was written"),
    ],
)
def test_a_damaged_replay_is_named_and_can_be_left_out(tmp_path: Path, damage: Any, words: str) -> None:
    train(config(), tmp_path)
    path = max((tmp_path / "checkpoints").glob("replay_*"))
    damage(path)
    with pytest.raises(InputError, match=rf"replay file '{path}' .*{words}.*--save-replay 0"):
        train(config(steps=1280), tmp_path, resume=True)
    assert train(config(steps=1280, save_replay=0.0), tmp_path, resume=True).steps == 1280


def test_sequences_of_another_length_are_refused(tmp_path: Path) -> None:
    train(config(), tmp_path)
    rollout = dataclasses.replace(ROLLOUT, sequence=6)
    with pytest.raises(InputError, match=r"does not fit this run: Batch.observation came .*--save-replay 0"):
        train(config(steps=1280, rollout=rollout), tmp_path, resume=True)
