"""Every mistake on the command line is one line that says what would be valid, and leaves nothing behind."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import fleetmix
from sim.layout import load_layout
from tests.fleetmix.conftest import QUICK, fail


def test_a_run_notices_that_its_map_was_replaced(trained: Path, tmp_path: Path, capsys) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    (run / "layout.map").write_text(load_layout("crossing").text())
    for command in (["evaluate", str(run)], ["train", "--run", str(run), "--resume", "--steps", "1024"]):
        assert "is not the map that this run began with" in fail(command, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("loaded", ["fleetmix.commands", "torch"])
@pytest.mark.parametrize("command", [["train", "--scene", "crossing", "--run"], ["evaluate"], ["verify"]])
def test_an_interrupt_while_it_starts_is_one_line(
    command: list[str], loaded: str, trained: Path, tmp_path: Path
) -> None:
    path = tmp_path / "run" if "train" in command else trained
    arguments = [sys.executable, "-X", "importtime", "-m", "fleetmix", *command, str(path)]
    with subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell that runs the tests in the background ignores Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        assert any(line.rpartition("|")[2].strip() == loaded for line in process.stdout)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[0]
    # Python ends by the signal itself if it came while it compiled something; to a shell both are 130.
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in said
    assert "fleetmix: interrupted" in said or "saving" in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("S.#\n..\n", "map line 2 has 2 cells and line 1 has 3"),
        ("S.#\n.x.\n", "'x'"),
        ("..#\n...\n", "no station"),
        ("S#.\n.#.\n", "can't be reached"),
    ],
)
def test_a_bad_map_gets_one_line(text: str, says: str, tmp_path: Path, capsys) -> None:
    scene = tmp_path / "bad.map"
    scene.write_text(text)
    assert says in fail(["train", "--scene", str(scene), "--run", str(tmp_path / "run")], capsys)
    assert not (tmp_path / "run").exists()


def test_a_map_with_room_for_fewer_robots_than_it_asks_for(tmp_path: Path, capsys) -> None:
    scene = tmp_path / "tiny.map"
    scene.write_text("#.\nS.\n")
    run = tmp_path / "run"
    error = fail(["train", "--scene", str(scene), "--robots", "9", "--run", str(run)], capsys)
    assert "robots is 9, but layout tiny has room for 3" in error
    fleetmix.main(["train", "--scene", str(scene), "--robots", "2", "--steps", "64", "--run", str(run), *QUICK])
    assert (run / "checkpoints" / "best.json").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "--scene", "nowhere"], ["'nowhere'", "aisle, crossing, depot, kiva, narrow, small"]),
        (["train", "--algo", "ppo"], ["--algo is 'ppo'; valid is qmix, vdn, iql; see fleetmix train --help"]),
        (["train", "--agent", "cnn"], ["--agent is 'cnn'; valid is mlp, gru"]),
        (["train", "--robots", "69"], ["69", "68"]),
        (["evaluate", "--policy", "astar"], ["valid is always-go, 'always-go, claims alone', 'always-go, no rules'"]),
        (["train", "--robots", "0"], ["--robots is '0'; valid is a whole number from 1 up, or LOW..HIGH"]),
        (["train", "--robots", "2..8"], ["robots is '2..8'; valid is a whole number from 1 up; LOW..HIGH is for --sc"]),
        (["train", "--scenes", "small", "--robots", "8..2"], ["--robots is '8..2'; valid is a whole number from 1"]),
        (["train", "--scenes", "small", "--scene", "depot"], ["scene is 'depot'; valid is none with --scenes"]),
        (["train", "--scenes", "small,nowhere"], ["'nowhere' is neither a shipped one"]),
        (["train", "--scenes", "small,"], ["scene '' is neither a shipped one"]),
        (["train", "--scenes", "generated:7"], ["mix.scenes has 'generated:7'; valid is 'generated' without a seed"]),
        (["train", "--scenes", "generated:robots=4"], ["without a seed and without robots"]),
        (["train", "--scenes", "generated:aisle=9-1"], ["aisle of a generated warehouse is 9-1; valid is"]),
        (
            ["train", "--scenes", "aisle", "--robots", "8..9"],
            ["mix.robots begins with 8, but scene 'aisle' has room for 2, with 6 free cells each"],
        ),
        (["train", "--scenes", "small", "--team-reward", "sum"], ["team_reward is 'sum'; valid is mean with mix"]),
        (["train", "--learner.gamma", "2"], ["--learner.gamma is 2.0; valid is 0 to 1; see fleetmix train --help"]),
        (["train", "--env", "mpe2.simple_spread_v3:nothing"], ["nothing"]),
        (["train", "--env", "tests.fleetmix.test_mistakes:continuous"], ["Box", "Discrete"]),
        (["evaluate", "no/such/run"], ["'no/such/run'", "does not exist"]),
        (["evaluate"], ["run and --policy: neither is given; valid is a run folder, or one of 'always-go'"]),
        (["drive", "no/such/run"], ["no/such/run", "neither"]),
        (["trian"], ["'trian' is no command; did you mean train? valid are train, ", ", robot, stop"]),
        (["--verbose"], ["'--verbose' is no command; valid are train"]),
        (
            ["train", "--robots", "x"],
            ["--robots is 'x'; valid is a whole number from 1 up, or LOW..HIGH with --scenes; see"],
        ),
        (
            ["train", "--scene.time-limit", "0"],
            ["fleetmix: --scene.time-limit is 0.0; valid is a finite number above 0;"],
        ),
        (
            ["train", "--env", "tests.fleetmix.test_mistakes:continuous", "--robots", "3"],
            ["with --env is to leave them out"],
        ),
        (["evaluate", "README.md"], ["'README.md' is a file"]),
        (["evaluate", "no/such/run", "--json", "no/such/folder.json"], ["'no/such', which is no folder"]),
        (["evaluate", "no/such/run", "--json", "tests"], ["'tests' is a folder"]),
        (["evaluate", "no/such/run", "--seed", "-1"], ["seed is -1"]),
        (["fleet", "--seed", "-1"], ["--seed is -1", "see fleetmix fleet --help"]),
        (["train", "--config", "no/such.yaml"], ["'no/such.yaml' can't be read: No such file"]),
        (["train", "--config", "README.md"], ["README.md"]),
        (["train", "--minutes", "1e-9"], ["--minutes is 1e-09; valid is a finite number from 0.01 up"]),
        (["train", "--agent.hidden", "10000000"], ["--agent.hidden is 10000000; valid is 1 to 4096"]),
        (
            ["train", "--scene.robot.max-speed", "1000"],
            ["--scene.robot.max-speed is 1000.0; valid is above 0, at most 5"],
        ),
        (["train", "--scene", "x" * 300], ["can't be read: File name too long"]),
        (["fleet", "--minutes", "nan"], ["minutes is nan"]),
        (["fleet", "--listen", "tcp/127.0.0.1:99999"], ["'tcp/127.0.0.1:99999' is none; valid is such as tcp/"]),
    ],
)
def test_a_mistake_gets_one_line_that_names_what_is_valid(
    arguments: list[str], says: list[str], tmp_path: Path, capsys
) -> None:
    run = ["--run", str(tmp_path / "run")] if arguments[0] == "train" else []
    error = fail([*arguments, *run], capsys)
    for part in says:
        assert part in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["", "."])
def test_a_run_needs_a_folder_of_its_own(name: str, capsys) -> None:
    assert "valid is a folder of its own" in fail(["train", "--run", name], capsys)


def continuous():
    """An environment that QMIX can't act in."""
    from mpe2 import simple_spread_v3

    return simple_spread_v3.parallel_env(continuous_actions=True)


def test_a_run_that_is_damaged_or_not_the_asked_one_gets_one_line(trained: Path, tmp_path: Path, capsys) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    assert "already holds a run" in fail(["train", "--run", str(run)], capsys)
    error = fail(["train", "--run", str(run), "--resume", "--scene", "narrow", "--steps", "9999"], capsys)
    assert "'narrow'" in error
    assert "'aisle'" in error
    for weights in (run / "checkpoints").glob("*.safetensors"):
        weights.write_bytes(weights.read_bytes()[:1000])
    assert "has 1000 of its" in fail(["evaluate", str(run)], capsys)
    (run / "config.yaml").unlink()
    assert "config.yaml" in fail(["evaluate", str(run)], capsys)


def test_a_bundle_that_was_changed_gets_one_line(trained: Path, tmp_path: Path, capsys) -> None:
    bundle = tmp_path / "bundle"
    fleetmix.main(["export", str(trained), "--out", str(bundle)])
    file = bundle / "robot_1.onnx"
    good = file.read_bytes()
    file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    for command in ("verify", "drive"):
        assert "robot_1.onnx" in fail([command, str(bundle)], capsys)
    file.unlink()
    assert "robot_1.onnx" in fail(["drive", str(bundle)], capsys)
    (tmp_path / "full").write_text("a file")
    assert "full" in fail(["export", str(trained), "--out", str(tmp_path / "full")], capsys)
