"""Workers that die, hang or fail: they are started again and reported, and training goes on as if nothing was."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch

from policies.config import AgentConfig
from policies.environments import EnvSource
from policies.rollout.interface import RolloutError, RolloutStoppedError
from policies.rollout.local import InProcessRollout
from policies.rollout.setup import RolloutSetup
from policies.rollout.workers import WorkerRollout
from tests.policies.test_rollout import assert_equal, children, weights
from tests.policies.tiny_runs import TINY

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def setup(env: str) -> RolloutSetup:
    return RolloutSetup(EnvSource(factory=f"{TINY}:{env}"), AgentConfig(hidden=8), envs=3, sequence=4, seed=1)


def test_a_worker_that_was_killed_is_started_again_where_it_stood(capfd: pytest.CaptureFixture[str]) -> None:
    before = children()
    local, worker = InProcessRollout(setup("Uneven")), WorkerRollout(setup("Uneven"))
    parameters = weights(local, "mlp", 0)
    (pid,) = children() - before
    os.kill(pid, signal.SIGINT)  # Ctrl-C is not for it
    for number in (None, signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGKILL):  # never two without an answer
        if number is not None:
            (pid,) = children() - before
            os.kill(pid, number)
        for rollout in (local, worker):
            rollout.start(parameters, 0.5)
        assert_equal(local.result(), worker.result())
    assert capfd.readouterr().err.count("starting it again where it stood") == 4
    worker.close()
    assert children() == before


def test_a_worker_that_ends_with_the_learner_is_not_started_again(capfd: pytest.CaptureFixture[str]) -> None:
    before, stopping = children(), False
    worker = WorkerRollout(setup("Uneven"), lambda: stopping)
    worker.start(weights(worker, "mlp", 0), 0.5)
    worker.result()
    (pid,) = children() - before
    stopping = True
    os.kill(pid, signal.SIGTERM)
    psutil.Process(pid).wait()
    with pytest.raises(RolloutStoppedError):
        worker.start(weights(worker, "mlp", 0), 0.5)
    worker.close()
    assert "starting it again" not in capfd.readouterr().err
    assert children() == before


def test_a_worker_that_dies_three_times_in_a_row_ends_training_with_its_traceback(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = children()
    worker = WorkerRollout(setup("Crashing"))
    worker.start(weights(worker, "mlp", 0), 1.0)
    with pytest.raises(RolloutError, match="exit code -11") as error:  # SIGSEGV
        worker.result()
    worker.close()
    assert "death number 3 in a row" in str(error.value)
    assert "Fatal Python error: Segmentation fault" in str(error.value)
    assert "tiny_envs.py" in str(error.value)
    said = capfd.readouterr().err
    assert said.count("starting it again where it stood") == said.count("starting it again with new episodes") == 1
    assert children() == before


def test_an_exception_in_an_environment_ends_training_with_its_traceback_when_it_comes_again() -> None:
    worker = WorkerRollout(setup("Failing"))
    worker.start(weights(worker, "mlp", 0), 1.0)
    with pytest.raises(RolloutError, match="the gripper is stuck"):
        worker.result()
    worker.close()


def test_a_worker_that_hangs_is_ended_and_started_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It hangs once: the second process finds the file that the first one left."""
    before = children()
    os.environ["HANG_ONCE"] = str(tmp_path / "hung")
    try:
        worker = WorkerRollout(setup("HangingOnce"), patience=3.0)
        local = InProcessRollout(setup("Guess"))
        for rollout in (local, worker):
            rollout.start(weights(local, "mlp", 0), 0.5)
        assert_equal(local.result(), worker.result())
    finally:
        del os.environ["HANG_ONCE"]
    worker.close()
    said = capfd.readouterr().err
    assert "has not answered for 3 s and was ended" in said
    assert "tiny_envs.py" in said  # where it hung
    assert children() == before


def test_a_slow_worker_that_steps_is_not_taken_for_hung() -> None:
    worker = WorkerRollout(setup("Slow"), patience=3.0)  # 5 s for an iteration, 1.25 s for a step of all three
    worker.start(weights(worker, "mlp", 0), 0.5)
    assert worker.result().batch.valid.all()
    worker.close()
