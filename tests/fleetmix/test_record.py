from pathlib import Path

import pytest

import fleetmix
from export.recordings.reader import read_recording
from tests.fleetmix.conftest import fail


@pytest.mark.parametrize(("policy", "choices"), [("always-go, no rules", 8), ("pibt", 1)])
def test_evaluate_records_the_policy(tmp_path: Path, policy: str, choices: int) -> None:
    file = tmp_path / "flight.mcap"
    options = ["--policy", policy, "--scene", "aisle", "--episodes", "2", "--record", str(file)]
    fleetmix.main(["evaluate", *options])
    recording = read_recording(file)
    assert (recording.about.policy, len(recording.about.choices)) == (policy, choices)
    assert recording.episodes == [0.0, 60.0]
    assert len(recording.decisions) == 300


def test_a_run_is_recorded_with_its_values(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "flight.mcap"
    fleetmix.main(["evaluate", str(trained), "--episodes", "1", "--record", str(file)])
    first = read_recording(file).decisions[0]["robots"][0]
    assert first["choice"] == read_recording(file).about.choices[first["q_values"].index(max(first["q_values"]))]


def test_mistakes_are_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ".mcap" in fail(["evaluate", "run", "--record", "flight.bag"], capsys)
    nowhere = str(tmp_path / "nowhere" / "flight.mcap")
    assert "nowhere" in fail(["evaluate", "--policy", "pibt", "--episodes", "1", "--record", nowhere], capsys)
