"""A short run that several files look at, and the one line that a mistake gets."""

from collections.abc import Sequence
from pathlib import Path

import pytest

import fleetmix

# The smallest training that still learns something: 16 episodes of 8 s, validation included.
QUICK = ("--scene.time-limit", "8", "--rollout.envs", "4", "--rollout.validation-episodes", "2", "--warmup", "8")


def train(run: Path, *more: str) -> None:
    fleetmix.main(["train", "--scene", "aisle", "--steps", "512", "--run", str(run), *QUICK, *more])


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run; tests must not change it."""
    run = tmp_path_factory.mktemp("cli") / "run"
    train(run)
    return run


def fail(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a mistake gets."""
    with pytest.raises(SystemExit) as stop:
        fleetmix.main(arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("fleetmix: ")
    assert error.count("\n") == 1
    return error
