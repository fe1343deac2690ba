from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

import fleetmix
from fleetmix.replay.film import write_gif, write_mp4
from sim.errors import InputError
from sim.palette import colour
from tests.fleetmix.conftest import fail
from tests.fleetmix.replay.scenes import every_decision, recording, standing


def test_a_film_shows_the_robots_in_their_colours(tmp_path: Path) -> None:
    record = recording(standing(80, (0.5, 3.5), (3.5, 3.5)), every_decision(80, {}, {}))
    write_gif(record, tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        assert sum(1 for _ in ImageSequence.Iterator(film)) == 20  # 8 s, four times as fast, ten frames a second
        assert film.info["duration"] == 100
        film.seek(19)
        pixels = np.asarray(film.convert("RGB")) / 255
    for robot in (0, 1):
        assert (np.abs(pixels - colour(robot)).max(axis=2) < 0.04).sum() > 100


def test_an_mp4_needs_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    record = recording(standing(8, (0.5, 3.5)), every_decision(8, {}))
    with pytest.raises(InputError, match="ffmpeg is not installed"):
        write_mp4(record, tmp_path / "film.mp4")


def test_replay_lists_and_writes_what_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "flight.mcap"
    options = ["--policy", "always-go, no rules", "--scene", "aisle", "--episodes", "1", "--record", str(file)]
    fleetmix.main(["evaluate", *options])
    capsys.readouterr()
    outs = [str(tmp_path / name) for name in ("page.html", "film.gif", "list.csv")]
    fleetmix.main(["replay", str(file), "--html", outs[0], "--gif", outs[1], "--csv", outs[2]])
    said = capsys.readouterr().out
    assert "robot_0 picks up" in said
    assert all(Path(out).stat().st_size > 500 for out in outs)
    file.write_bytes(file.read_bytes()[:-2000])
    fleetmix.main(["replay", str(file)])
    assert "cut short" in capsys.readouterr().out
    assert "missing.mcap" in fail(["replay", str(tmp_path / "missing.mcap")], capsys)
