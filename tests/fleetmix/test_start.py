"""What the command line loads before it knows what to do: a person who asks for help must not wait for torch."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import fleetmix
from fleetmix.commands import COMMANDS
from fleetmix.robot_commands import COMMANDS as ON_ROBOT

SLOW = {"torch", "numba", "pybullet", "scipy", "matplotlib", "onnx", "onnxruntime", "pettingzoo", "gymnasium"}
SCRIPT = """
import contextlib, json, sys
import fleetmix
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(sys.stderr):
    fleetmix.main(sys.argv[1:])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def loaded_by(*arguments: str) -> set[str]:
    """The top-level packages that a command line loads in a fresh Python."""
    result = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True)
    return set(json.loads(result.stdout))


@pytest.mark.parametrize(
    "line",
    ["--help", "--version", "scenes", "trian", "train --help", "train --algo ppo", "train --learner.gama 1",
     "train --minutes -1", "fleet --help", "fleet --seed -1", "drive --help", "evaluate", "stop --help", "robot"],
)  # fmt: skip
def test_help_and_mistakes_load_nothing_slow(line: str) -> None:
    loaded = loaded_by(*line.split())
    assert "fleetmix" in loaded
    assert not loaded & SLOW


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_overview_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    fleetmix.main(arguments)
    lines = capsys.readouterr().out.splitlines()
    first_words = [line.split()[0] for line in lines if line.startswith("  ")]
    assert first_words == [*COMMANDS, *ON_ROBOT]
    assert max(map(len, lines)) <= 120


def test_a_robot_without_the_training_packages_is_told_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("fleetmix.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tyro", None)  # as if it were not installed
    with pytest.raises(SystemExit) as stop:
        fleetmix.main(["train"])
    assert stop.value.code == 2
    assert "pip install 'fleetmix[train]'" in capsys.readouterr().err
    fleetmix.main(["--help"])
    overview = capsys.readouterr().out
    assert "pip install 'fleetmix[train]'" in overview
    assert "  robot " in overview


def test_the_version_is_that_of_the_installation(capsys: pytest.CaptureFixture[str]) -> None:
    fleetmix.main(["--version"])
    assert capsys.readouterr().out == f"fleetmix {version('fleetmix')}\n"
    assert f'version = "{version("fleetmix")}"' in Path("pyproject.toml").read_text()


@pytest.mark.parametrize("line", ["--help", "train --help"])
@pytest.mark.parametrize("buffered", [True, False])
def test_who_reads_no_further_ends_a_command_without_a_word(line: str, buffered: bool) -> None:
    command = [sys.executable, *([] if buffered else ["-u"]), "-m", "fleetmix", *line.split()]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    process.stdout.close()
    _, said = process.communicate()
    assert (process.returncode, said) == (141, "")
