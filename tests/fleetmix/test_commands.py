"""The command line as scripts use it: what it writes and what it prints."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fleetmix
from fleetmix import training_commands
from sim.errors import InputError
from sim.layout import load_layout
from tests.fleetmix.conftest import QUICK, fail

KEYS = {
    "policy", "scene", "robots", "drive", "episodes", "throughput", "throughput_ci95", "efficiency", "robot_contacts",
    "rack_contacts", "deadlocks",
}  # fmt: skip
UNLIKE = dict.fromkeys(("policy", "decision_us", "decision_us_p99"))
"""In what two rows of the same episodes may differ."""


@pytest.mark.slow
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
    assert [row["policy"] for row in tables[0]] == ["always-go, no rules", "QMIX", "solo"]
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


def test_the_scenes_are_listed(capsys) -> None:
    fleetmix.main(["scenes"])
    out = capsys.readouterr().out
    assert all(name in out for name in ("crossing", "aisle", "small", "narrow", "depot", "kiva"))


def test_a_scene_is_written_as_the_map_file_that_it_is(tmp_path: Path, capsys) -> None:
    picture = tmp_path / "map.png"
    fleetmix.main(["scenes", "generated:3:robots=5", "--picture", str(picture)])
    text = capsys.readouterr().out
    layout = load_layout("generated:3:robots=5")
    assert text == layout.text()
    pixels = np.asarray(Image.open(picture))
    scale = pixels.shape[0] // layout.rows
    assert pixels.shape == (layout.rows * scale, layout.columns * scale, 3)
    middles = pixels[scale // 2 :: scale, scale // 2 :: scale]
    dark = (middles.max(-1) < 100)[::-1]  # the picture's first row is the upper edge
    assert np.array_equal(dark, layout.blocked)


def test_a_picture_shows_the_directions_that_the_guidance_prefers(tmp_path: Path, capsys) -> None:
    picture = tmp_path / "map.png"
    for robots, arrows in ((1, False), (8, True)):  # guidance is for robots that are not alone
        fleetmix.main(["scenes", "small", "--picture", str(picture), "--robots", str(robots)])
        pixels = np.asarray(Image.open(picture)).astype(int)
        orange = (pixels[..., 0] > pixels[..., 2] + 20)[::-1]
        assert orange.any() == arrows
    scale = pixels.shape[0] // 8
    # The lowest aisle leads east: between its first two cells, on the edge, the arrow is wide behind and narrow ahead.
    edge = orange[:scale, scale // 2 : scale + scale // 2]
    assert edge[:, scale // 2 - 5].sum() > edge[:, scale // 2 + 5].sum() > 0
    capsys.readouterr()


def test_a_picture_needs_a_scene_and_an_ending(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="of no scene; valid is fleetmix scenes SCENE --picture FILE"):
        training_commands.scenes(picture=tmp_path / "map.png")
    with pytest.raises(InputError, match=r"map.gif'; valid is a name that ends in .png"):
        training_commands.scenes("small", tmp_path / "map.gif")


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


@pytest.mark.slow
def test_the_demo_leaves_a_table_a_curve_and_a_film(tmp_path: Path, capsys) -> None:
    from PIL import Image, ImageSequence

    run = tmp_path / "demo"
    fleetmix.main(["demo", "--scene", "aisle", "--steps", "512", "--episodes", "2", "--run", str(run), *QUICK])
    rows = json.loads((run / "table.json").read_text())
    assert [row["policy"] for row in rows] == [
        "always-go, no rules", "QMIX, torch", "QMIX, ONNX", "QMIX, ONNX, controller.onnx", "solo",
    ]  # fmt: skip
    assert {**rows[1], **UNLIKE} == {**rows[2], **UNLIKE}
    said = capsys.readouterr().out
    assert "against torch" in said
    assert "QMIX, torch and QMIX, ONNX are followed by the same compiled controller" in said
    with Image.open(run / "learning_curve.png") as curve:
        assert curve.size == (960, 540)
    with Image.open(run / "fleet.gif") as film:
        assert sum(1 for _ in ImageSequence.Iterator(film)) == 20  # 8 s, a frame every 0.4 s


@pytest.mark.slow
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
