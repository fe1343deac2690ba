import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from policies.config import ALGOS, AgentConfig, LearnerConfig
from policies.runs.checkpoint import load_checkpoint
from policies.runs.config import RolloutConfig, TrainConfig
from policies.runs.folder import load_agent, load_run
from policies.train import train
from sim.errors import InputError
from tests.policies.tiny_runs import ROLLOUT, TINY, config, rows


def assert_same_run(one: Path, two: Path) -> None:
    assert rows(one) == rows(two)
    for which in ("newest", "best"):
        a, b = (load_checkpoint(run / "checkpoints", which) for run in (one, two))
        assert a.tensors.keys() == b.tensors.keys()
        assert all(torch.equal(a.tensors[name], b.tensors[name]) for name in a.tensors)
        assert a.info.random == b.info.random


@pytest.mark.parametrize("algo", ALGOS)
def test_every_algorithm_learns_to_say_what_it_sees(tmp_path, algo: str):
    result = train(config(algo=algo, steps=2000), tmp_path)
    assert (result.steps, result.interrupted) == (2016, False)  # 63 iterations of 32
    # A step brings the mean of the two agents' rewards: 4 at best, 2 by chance.
    assert result.best_return == 4.0
    agent, info = load_agent(load_run(tmp_path))
    assert (info.algo, info.validation["return"]) == (algo, 4.0)
    q, _ = agent(torch.tensor([[[[1.0, 0.0], [-1.0, 0.0]]]]), agent.initial_hidden(1))
    assert q[0, 0].argmax(-1).tolist() == [1, 0]


def test_what_needs_the_last_action_is_learned_with_it_alone(tmp_path):
    """Without it, an agent that sees nothing does the same at every step: one pay in six at best."""
    blind = train(config(env=f"{TINY}:Corner", steps=2000), tmp_path / "blind")
    told = train(config(env=f"{TINY}:Corner", steps=2000, last_action=True), tmp_path / "told")
    assert (blind.best_return, told.best_return) == (1.0, 6.0)


def test_validations_come_as_often_as_asked_for_and_tell_their_interval(tmp_path):
    rollout = dataclasses.replace(ROLLOUT, validation_every=200, validation_episodes=6)
    train(config(rollout=rollout, log_every=1), tmp_path)
    told = [row for row in rows(tmp_path) if row["validation_return"]]
    # Iterations of 32 steps: due at 0, 200, 424 and 648, the last at the end; it is told in the row after it.
    assert [int(row["steps"]) for row in told] == [32, 256, 480, 640]
    assert {row["validation_length"] for row in told} == {"4"}
    # Returns of 4 coins lie within 0 to 4, so half the interval of 6 is at most 2.571 * 2.19 / sqrt(6).
    assert all(0 <= float(row["validation_return_ci95"]) < 2.3 for row in told)
    assert any(float(row["validation_return_ci95"]) > 0 for row in told)


def test_what_the_reward_is_and_what_a_time_limit_means_is_said_at_the_start(tmp_path, capsys):
    train(config(steps=32), tmp_path / "one")
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "the team's reward is the mean over its 2 agents; after a time limit values go on"
    settings = config(steps=640, env=f"{TINY}:Uneven", team_reward="sum", truncation="end")
    train(settings, tmp_path / "two")
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "the team's reward is the sum over its 2 agents; after a time limit values end"
    # 5 steps of 1 + 3 each, and nothing after them.
    assert {float(row["validation_return"]) for row in rows(tmp_path / "two") if row["validation_return"]} == {20.0}


@pytest.mark.slow
def test_simple_spread_of_mpe2_is_learned(tmp_path):
    settings = TrainConfig(
        env="mpe2.simple_spread_v3:parallel_env",
        steps=12_000,
        batch=32,
        updates=8,
        replay=1000,
        warmup=64,
        learner=LearnerConfig(gamma=0.9, learning_rate=1e-3, target_rate=0.02),
        rollout=RolloutConfig(epsilon_steps=6000, validation_episodes=32, validation_share=0.2, workers=0),
    )
    result = train(settings, tmp_path)
    returns = [float(row["validation_return"]) for row in rows(tmp_path) if row["validation_return"]]
    # Random agents get about -27; untrained ones, which never change their mind, -25 to -40.
    assert returns[0] < -24
    assert result.best_return is not None
    assert result.best_return > -22.5


@pytest.mark.slow
@pytest.mark.parametrize("agent", [AgentConfig(hidden=16), AgentConfig("gru", 16, shared=False)])
def test_the_same_seed_is_the_same_run_in_one_process_and_in_two(tmp_path, agent: AgentConfig):
    worker = dataclasses.replace(ROLLOUT, workers=1)
    train(config(agent=agent), tmp_path / "one")
    train(config(agent=agent), tmp_path / "again")
    train(config(agent=agent, rollout=worker), tmp_path / "two")
    train(config(agent=agent, seed=1), tmp_path / "other")
    assert_same_run(tmp_path / "one", tmp_path / "again")
    assert_same_run(tmp_path / "one", tmp_path / "two")
    assert rows(tmp_path / "one") != rows(tmp_path / "other")
    left = [" ".join(child.cmdline()) for child in psutil.Process().children()]
    assert all("resource_tracker" in command for command in left)


def test_the_time_limit_counts_everything(tmp_path):
    began = time.monotonic()
    result = train(config(steps=0, minutes=0.05), tmp_path)  # 3 s; the rest allows for a busy machine
    assert 1.0 < result.seconds < time.monotonic() - began < 10.0
    assert result.updates > 0


SCRIPT = f"""
import sys
from pathlib import Path
from policies.runs.config import RolloutConfig
from policies.train import TrainConfig, train
if __name__ == "__main__":
    rollout = RolloutConfig(envs=4, sequence=8, workers=int(sys.argv[2] == "worker"), validation_episodes=4)
    config = TrainConfig(env="{TINY}:Guess", minutes=5, log_every=4, rollout=rollout)
    print(train(config, Path(sys.argv[1])).interrupted)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "where"), [(signal.SIGINT, "worker"), (signal.SIGTERM, "here")])
def test_an_interrupted_run_is_saved_and_goes_on(tmp_path, number: int, where: str):
    script, run = tmp_path / "script.py", tmp_path / "run"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(script), str(run), where]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()  # the first line of progress
    while "steps" not in line and line:
        line = process.stdout.readline()
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, number)  # as a terminal does: to the whole group
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0, line + rest
    assert "Traceback" not in rest, rest
    assert f"go on with: fleetmix train --run {run} --resume" in rest
    assert rest.strip().endswith("True")
    psutil.wait_procs(children, timeout=5)
    assert not any(child.is_running() for child in children)
    saved = load_checkpoint(run / "checkpoints", "newest").info
    assert saved.steps > 0
    more = dataclasses.replace(load_run(run).config, steps=saved.steps + 64, rollout=ROLLOUT)
    assert train(more, run, resume=True).steps >= saved.steps + 64


def test_divergence_stops_with_the_last_good_checkpoint(tmp_path):
    settings = config(steps=5000, learner=LearnerConfig(learning_rate=1e30))
    with pytest.raises(InputError, match=r"diverged after \d+ steps: .* not finite, the last good checkpoint is kept"):
        train(settings, tmp_path)
    tensors = load_checkpoint(tmp_path / "checkpoints", "newest").tensors
    networks = [x for name, x in tensors.items() if "agent." in name]
    assert networks
    assert all(torch.isfinite(x).all() for x in networks)
