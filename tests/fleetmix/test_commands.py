"""The command line as scripts use it: what it writes, what it prints, and one line for every mistake."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import fleetmix
from sim.layout import load_layout

KEYS = {
    "policy", "scene", "robots", "drive", "episodes", "throughput", "throughput_ci95", "efficiency", "robot_contacts",
    "rack_contacts", "deadlocks",
}  # fmt: skip
# The smallest training that still learns something: 16 episodes of 8 s, validation included.
QUICK = ("--scene.time-limit", "8", "--rollout.envs", "4", "--rollout.validation-episodes", "2", "--warmup", "8")


def train(run: Path, *more: str) -> None:
    fleetmix.main(["train", "--scene", "aisle", "--steps", "512", "--run", str(run), *QUICK, *more])


@pytest.fixture(scope="module")
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


def test_the_whole_path_from_a_run_to_robots(trained: Path, tmp_path: Path, capsys) -> None:
    evaluated, driven = tmp_path / "evaluated.json", tmp_path / "driven.json"
    fleetmix.main(["evaluate", str(trained), "--episodes", "2", "--json", str(evaluated)])
    fleetmix.main(["export", str(trained), "--out", str(tmp_path / "bundle")])
    fleetmix.main(["verify", str(tmp_path / "bundle")])
    fleetmix.main(["verify", str(trained)])
    assert "against torch" in capsys.readouterr().out
    fleetmix.main(["drive", str(tmp_path / "bundle"), "--episodes", "2", "--json", str(driven)])
    tables = [json.loads(file.read_text()) for file in (evaluated, driven)]
    for rows in tables:
        assert all(set(row) >= KEYS for row in rows)
        assert [(row["scene"], row["robots"], row["drive"], row["episodes"]) for row in rows] == [
            ("aisle", 2, "velocity", 2)
        ] * 3
    assert [row["policy"] for row in tables[0]] == ["always-go", "QMIX", "solo bound"]
    # The same network on the same seeds: what torch does, the robots' own ONNX files do.
    figures = [{key: row[key] for key in KEYS - {"policy"}} for row in (tables[0][1], tables[1][1])]
    assert figures[0] == figures[1]
    assert tables[0][2]["efficiency"] == 1.0


def test_a_policy_runs_in_another_scene_with_more_robots_and_on_wheels(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    fleetmix.main(
        ["evaluate", str(trained), "--scene", "small", "--robots", "5", "--episodes", "1", "--drive", "wheels",
         "--json", str(file)]
    )  # fmt: skip
    row = json.loads(file.read_text())[1]
    assert (row["scene"], row["robots"], row["drive"]) == ("small", 5, "wheels")
    assert row["throughput_ci95"] is None  # one episode has no interval


def test_a_run_goes_on_with_its_own_settings(trained: Path, tmp_path: Path, capsys) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    fleetmix.main(["train", "--run", str(run), "--resume", "--steps", "1024"])
    assert "1,024 env steps" in capsys.readouterr().out
    assert "already has 1024" in fail(["train", "--run", str(run), "--resume"], capsys)


def test_a_run_that_saved_nothing_begins_anew(trained: Path, tmp_path: Path, capsys) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    shutil.rmtree(run / "checkpoints")
    fleetmix.main(["train", "--run", str(run), "--resume"])
    assert "512 env steps" in capsys.readouterr().out
    assert (run / "checkpoints" / "best.json").exists()


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


def test_the_scenes_are_listed(capsys) -> None:
    fleetmix.main(["scenes"])
    out = capsys.readouterr().out
    assert all(name in out for name in ("crossing", "aisle", "small", "narrow", "depot"))


def test_the_installed_command_shows_every_setting_with_its_unit_and_default() -> None:
    command = [sys.executable, "-m", "fleetmix", "train", "--help"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for option in (
        "--scene",
        "--robots",
        "--algo",
        "--agent",
        "--minutes",
        "--steps",
        "--seed",
        "--run",
        "--resume",
        "--env",
    ):
        assert option in out
    assert "[m/s]" in out
    assert "--learner.gamma" in out


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
        (["train", "--scene", "nowhere"], ["'nowhere'", "aisle, crossing, depot, narrow, small"]),
        (["train", "--algo", "ppo"], ["--algo is 'ppo'; valid is qmix, vdn, iql; see fleetmix train --help"]),
        (["train", "--agent", "cnn"], ["--agent is 'cnn'; valid is mlp, gru"]),
        (["train", "--robots", "69"], ["69", "68"]),
        (["train", "--robots", "0"], ["robots is 0; valid is a whole number from 1 up"]),
        (["train", "--learner.gamma", "2"], ["LearnerConfig.gamma is 2.0; valid is 0 to 1"]),
        (["train", "--env", "mpe2.simple_spread_v3:nothing"], ["nothing"]),
        (["train", "--env", "tests.fleetmix.test_commands:continuous"], ["Box", "Discrete"]),
        (["evaluate", "no/such/run"], ["'no/such/run'", "does not exist"]),
        (["evaluate"], ["run must be given; see fleetmix evaluate --help"]),
        (["drive", "no/such/run"], ["no/such/run", "neither"]),
        (["trian"], ["'trian' is no command; did you mean train? valid are train, ", ", robot, stop"]),
        (["--verbose"], ["'--verbose' is no command; valid are train"]),
        (["train", "--robots", "x"], ["--robots is 'x'; valid is INT; see fleetmix train --help"]),
        (
            ["train", "--scene.time-limit", "0"],
            ["fleetmix: scene.time_limit is 0.0; valid is a finite number above 0;"],
        ),
        (
            ["train", "--env", "tests.fleetmix.test_commands:continuous", "--robots", "3"],
            ["with --env is to leave them out"],
        ),
        (["evaluate", "README.md"], ["'README.md' is a file"]),
        (["evaluate", "no/such/run", "--json", "no/such/folder.json"], ["'no/such', which is no folder"]),
        (["evaluate", "no/such/run", "--json", "tests"], ["'tests' is a folder"]),
        (["evaluate", "no/such/run", "--seed", "-1"], ["seed is -1"]),
        (["fleet", "--seed", "-1"], ["seed is -1"]),
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


@pytest.mark.slow
def test_the_demo_leaves_a_table_a_curve_and_a_film(tmp_path: Path, capsys) -> None:
    from PIL import Image, ImageSequence

    run = tmp_path / "demo"
    fleetmix.main(["demo", "--scene", "aisle", "--steps", "512", "--episodes", "2", "--run", str(run), *QUICK])
    rows = json.loads((run / "table.json").read_text())
    assert [row["policy"] for row in rows] == ["always-go", "QMIX, torch", "QMIX, ONNX", "solo bound"]
    assert rows[1]["throughput"] == rows[2]["throughput"]
    assert "against torch" in capsys.readouterr().out
    with Image.open(run / "learning_curve.png") as curve:
        assert curve.size == (960, 540)
    with Image.open(run / "fleet.gif") as film:
        assert sum(1 for _ in ImageSequence.Iterator(film)) == 20  # 8 s, a frame every 0.4 s


def test_another_environment_is_trained_and_measured(tmp_path: Path, capsys) -> None:
    env = "mpe2.simple_spread_v3:parallel_env"
    run = tmp_path / "spread"
    fleetmix.main(["train", "--env", env, "--steps", "512", "--run", str(run), *QUICK])
    file = tmp_path / "rows.json"
    fleetmix.main(["evaluate", str(run), "--episodes", "3", "--json", str(file)])
    assert [row["policy"] for row in json.loads(file.read_text())] == ["random", "QMIX"]
    fleetmix.main(["export", str(run)])
    fleetmix.main(["verify", str(run)])
    assert "against torch" in capsys.readouterr().out
    assert "warehouse" in fail(["drive", str(run)], capsys)
