"""An environment that never answers: it is named, and a signal saves what was learned without waiting for it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from policies.config import AgentConfig
from policies.environments import EnvSource
from policies.rollout import process as rollouts
from policies.rollout.interface import RolloutStoppedError
from policies.rollout.setup import RolloutSetup
from policies.rollout.workers import WorkerRollout
from policies.runs.checkpoint import load_checkpoint
from tests.policies.tiny_runs import TINY

SCRIPT = f"""
import sys
from pathlib import Path
from policies.runs.config import RolloutConfig
from policies.train import TrainConfig, train
if __name__ == "__main__":
    rollout = RolloutConfig(envs=4, sequence=8, validation_episodes=4)
    config = TrainConfig(env="{TINY}:Hanging", minutes=5, warmup=8, rollout=rollout)
    print("interrupted", train(config, Path(sys.argv[1])).interrupted)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_though_the_environment_hangs(tmp_path: Path, number: int) -> None:
    script, run = tmp_path / "script.py", tmp_path / "run"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, str(script), str(run)], env=environment, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # who runs the tests may ignore it, as nohup does
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert any("the environment hangs" in line for line in process.stdout)
            process.send_signal(number)
            said, _ = process.communicate(timeout=30)
        finally:
            process.kill()  # the context would wait for ever where this fails
    assert process.returncode == 0, said
    assert "interrupted True" in said
    info = load_checkpoint(run / "checkpoints", "newest").info
    assert 0 < info.steps < 300  # whole iterations of 32
    assert info.updates > 0


@pytest.mark.slow
def test_an_environment_that_hangs_is_named_again_and_again(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rollouts, "SILENCE", 0.5)
    stop_at = time.monotonic() + 60  # a worker takes some seconds to begin
    setup = RolloutSetup(EnvSource(factory=f"{TINY}:hanging_factory"), AgentConfig(hidden=8), 1, 4, 0)
    said = ""

    def stop() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return said.count("has not answered for") >= 2 or time.monotonic() > stop_at

    with pytest.raises(RolloutStoppedError, match=f"stopped while env {TINY}:hanging_factory owed an answer"):
        WorkerRollout(setup, stop)
    first, second = (line for line in said.splitlines() if "has not answered" in line)
    assert f"env {TINY}:hanging_factory has not answered for 1 s (worker process " in first.replace(" 0 s", " 1 s")
    assert first != second or "for 1 s" in second
    assert not [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.slow
def test_parameters_are_not_sent_to_a_worker_that_is_stopped() -> None:
    """They are more than a pipe holds, and a write into a full one waits for ever, whatever the signal."""

    stopping = False
    setup = RolloutSetup(EnvSource(factory=f"{TINY}:Guess"), AgentConfig(hidden=8), 1, 4, 0)
    worker = WorkerRollout(setup, lambda: stopping)
    process = psutil.Process(worker._workers[0].pid)
    process.suspend()
    stopping = True
    with pytest.raises(RolloutStoppedError):
        worker.start({"weight": torch.zeros(10_000_000)}, epsilon=1.0)
    worker.close()
    assert not process.is_running()
