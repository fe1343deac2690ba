"""Several seeds side by side, and runs held against each other: the tables, the files, the mistakes."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fleetmix
from policies.runs.folder import load_run
from policies.train import train
from tests.fleetmix.conftest import fail
from tests.policies.tiny_runs import TINY, config

SCORES = {"vdn": (1.0, 2.0, 6.0), "qmix": (3.0, 4.0)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Runs whose validations are known: 0 at 100 steps, half the score at 200 and the score at 300."""
    folder, made = tmp_path_factory.mktemp("runs"), []
    train(config(steps=32), folder / "first")
    for algo, scores in SCORES.items():
        for seed, score in enumerate(scores):
            run = Path(shutil.copytree(folder / "first", folder / f"{algo}-{seed}"))
            settings = (run / "config.yaml").read_text().replace("algo: qmix", f"algo: {algo}")
            (run / "config.yaml").write_text(settings)
            rows = [f"100,{0.0}", "150,", f"200,{score / 2}", f"300,{score}"]
            (run / "metrics.csv").write_text("\n".join(["steps,validation_return", *rows]))
            made.append(run)
    return made


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_runs_are_compared_by_a_setting(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = tmp_path / "out"
    fleetmix.main(["compare", *map(str, runs), "--to", str(to)])
    assert f"{TINY}:Guess: return of the last validation" in " ".join(capsys.readouterr().out.split())
    scores = {row["algo"]: row for row in read(to / "scores.csv")}
    assert (scores["vdn"]["runs"], scores["vdn"]["mean"], scores["qmix"]["mean"]) == ("3", "3", "3.5")
    assert float(scores["vdn"]["mean_low"]) < 3 < float(scores["vdn"]["mean_high"])
    # Of the six pairs, vdn's 6 beats 3 and 4.
    improvement = {(row["algo"], row["over"]): float(row["probability"]) for row in read(to / "improvement.csv")}
    assert improvement == pytest.approx({("vdn", "qmix"): 2 / 6, ("qmix", "vdn"): 4 / 6}, abs=1e-5)
    with Image.open(to / "curves.png") as picture:
        colours = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    for colour in ((8, 81, 156), (217, 72, 1)):  # a line for each group
        assert (np.abs(colours - np.array(colour)).sum(1) < 10).sum() > 100


def test_a_group_of_one_has_no_interval_and_needs_no_pair(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleetmix.main(["compare", str(runs[0]), "--by", "agent.kind", "--to", str(tmp_path / "out")])
    (row,) = read(tmp_path / "out" / "scores.csv")
    assert row == {
        "agent.kind": "mlp", "runs": "1", "iqm": "1", "iqm_low": "", "iqm_high": "", "mean": "1", "mean_low": "",
        "mean_high": "",
    }  # fmt: skip
    assert read(tmp_path / "out" / "improvement.csv") == []
    assert "beats" not in capsys.readouterr().out


def test_what_can_not_be_compared_is_said(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = ["--to", str(tmp_path / "out")]
    assert "by is 'algos'; valid is a setting of config.yaml" in fail(
        ["compare", str(runs[0]), "--by", "algos", *to], capsys
    )
    other = Path(shutil.copytree(runs[0], tmp_path / "other"))
    settings = (other / "config.yaml").read_text()
    (other / "config.yaml").write_text(settings.replace(":Guess", ":Uneven"))
    assert f"of env {TINY}:Uneven; valid is one env" in fail(["compare", str(runs[0]), str(other), *to], capsys)
    (other / "metrics.csv").write_text("steps,validation_return\n100,\n")
    assert "has no validation yet" in fail(["compare", str(other), *to], capsys)
    assert "no run is given" in fail(["compare", *to], capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_seeds_are_trained_side_by_side_and_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "train",
        "--env",
        f"{TINY}:Guess",
        "--agent",
        "mlp",
        "--seed",
        "3",
        "--seeds",
        "2",
        "--run",
        str(tmp_path),
    ]
    settings = ["--rollout.workers", "0", "--rollout.envs", "4", "--rollout.validation-episodes", "4"]
    fleetmix.main([*command, *settings, "--steps", "512"])
    said = capsys.readouterr().out
    assert said.count("done") >= 3  # the column, and both seeds
    assert f"next: fleetmix compare {tmp_path}/seed-*" in said
    runs = [tmp_path / "seed-3", tmp_path / "seed-4"]
    assert [load_run(run).config.seed for run in runs] == [3, 4]
    assert all("valid is another folder" not in (run / "train.log").read_text() for run in runs)
    assert "already holds a run" in fail([*command, *settings, "--steps", "512"], capsys)
    assert [int(read(run / "metrics.csv")[-1]["steps"]) for run in runs] == [512, 512]


@pytest.mark.slow
def test_a_seed_that_fails_is_told_with_the_end_of_its_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "--env", f"{TINY}:not_an_env", "--seeds", "2", "--run", str(tmp_path), "--rollout.workers", "0"]
    with pytest.raises(SystemExit) as stop:
        fleetmix.main(command)
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert f"seed 0 failed, as 2 of 2 did; {tmp_path / 'seed-0' / 'train.log'} ends with" in error
    assert "not_an_env' made a int; valid is a PettingZoo parallel environment" in error
