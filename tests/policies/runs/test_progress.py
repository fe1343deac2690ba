"""What a person is told while training runs."""

import os
import pty
from collections.abc import Callable

import pytest

from policies.runs.progress import TrainingProgress

ROW = {"seconds": 1.0, "steps": 5000.0, "steps_per_second": 10.0, "updates_per_second": 2.0}


@pytest.mark.parametrize(("q_mean", "told"), [(23.0, "above the 0"), (-101.0, "below the -80")])
def test_a_value_that_no_reward_allows_is_told_once_until_it_is_back(
    capsys: pytest.CaptureFixture[str], q_mean: float, told: str
) -> None:
    progress = TrainingProgress(10_000, in_seconds=False)
    limits = {"q_lowest": -80.0, "q_highest": 0.0}
    seen = []
    for value in (-20.0, q_mean, q_mean, -20.0, q_mean):
        progress.update({**ROW, **limits, "q_mean": value})
        seen.append(capsys.readouterr().out)
    assert [f"warning: after 5,000 steps the mean Q is {q_mean:.3g}, {told}" in text for text in seen] == [
        False, True, False, False, True,
    ]  # fmt: skip


def test_small_excess_and_unknown_limits_are_no_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    progress = TrainingProgress(10_000, in_seconds=False)
    progress.update(ROW)
    progress.update({**ROW, "q_mean": 0.3, "q_lowest": 0.0, "q_highest": 0.0})  # no reward yet
    progress.update({**ROW, "q_mean": 1.0, "q_lowest": -80.0, "q_highest": 0.0})
    assert "warning" not in capsys.readouterr().out


def closed_pipe() -> int:
    read, write = os.pipe()
    os.close(read)
    return write


def closed_terminal() -> int:
    terminal, write = pty.openpty()
    os.close(terminal)
    return write


@pytest.mark.parametrize("closed", [closed_pipe, closed_terminal])
def test_training_goes_on_when_nobody_looks_any_more(
    closed: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdout = os.fdopen(closed(), "w")
    monkeypatch.setattr("sys.stdout", stdout)
    progress = TrainingProgress(100, in_seconds=False)
    progress.update(ROW)
    progress.update(ROW)
    progress.log("saved")
    progress.close()
    with pytest.raises(OSError, match=r"Broken pipe|Input/output error"):
        stdout.close()
