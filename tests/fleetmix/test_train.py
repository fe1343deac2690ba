"""What `fleetmix train` says, and what its run folders can be used for elsewhere."""

import dataclasses
import shutil
import sys
from pathlib import Path

import pytest

import fleetmix
from policies.runs.folder import load_run
from tests.fleetmix.conftest import QUICK, fail

OWN = """
from tests.policies.tiny_envs import Guess


def make():
    return Guess()
"""


def test_a_run_begins_with_the_settings_of_another_and_tells_how_far_it_is(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    fleetmix.main(["train", "--config", str(trained / "config.yaml"), "--steps", "1.28e2", "--run", str(run)])
    assert load_run(run).config == dataclasses.replace(load_run(trained).config, steps=128)
    said = capsys.readouterr().out
    assert "100% done, 0:00 left" in said
    assert f"tensorboard --logdir {run / 'tensorboard'}" in said
    error = fail(["train", "--config", str(trained / "config.yaml"), "--run", str(run), "--resume"], capsys)
    assert "config belongs to a new run" in error


def test_another_environment_has_other_defaults(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train = ["train", "--env", "tests.policies.tiny_envs:Guess", "--steps", "64", "--run", str(run), *QUICK]
    fleetmix.main([*train, "--rollout.workers", "0", "--rollout.epsilon-steps", "90000"])
    config = load_run(run).config
    assert (config.agent.kind, config.last_action) == ("gru", True)
    assert (config.rollout.epsilon_end, config.rollout.epsilon_steps) == (0.05, 90_000)
    # What a file says counts, whatever its environment.
    other = tmp_path / "other"
    changes = ["--env", "tests.policies.tiny_envs:Uneven", "--agent", "mlp", "--run", str(other)]
    fleetmix.main(["train", "--config", str(run / "config.yaml"), *changes])
    agent = dataclasses.replace(config.agent, kind="mlp")
    assert load_run(other).config == dataclasses.replace(config, env="tests.policies.tiny_envs:Uneven", agent=agent)


def test_a_run_in_an_environment_of_ones_own_is_exported_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, elsewhere, run = tmp_path / "code", tmp_path / "elsewhere", tmp_path / "run"
    for folder in (code, elsewhere):
        folder.mkdir()
    (code / "my_guess.py").write_text(OWN)
    monkeypatch.setattr(sys, "path", list(sys.path))  # which training adds to
    monkeypatch.chdir(code)
    train = ["train", "--env", "my_guess:make", "--steps", "64", "--run", str(run), "--rollout.workers=0"]
    fleetmix.main([*train, *QUICK])

    def forget() -> None:
        sys.modules.pop("my_guess", None)
        sys.path[:] = [folder for folder in sys.path if not folder.startswith(str(tmp_path))]

    forget()
    moved = Path(shutil.move(run, elsewhere / "run"))
    monkeypatch.chdir(elsewhere)
    fleetmix.main(["export", str(moved)])
    fleetmix.main(["verify", str(moved)])
    assert "against torch" in capsys.readouterr().out
    forget()
    shutil.move(code, tmp_path / "renamed")
    error = fail(["verify", str(moved)], capsys)
    assert f"lies in {elsewhere} or {code} or in a folder that the variable PYTHONPATH names" in error
