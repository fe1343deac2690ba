"""Real episodes in processes: the same figures by one or by several, killed in between or not."""

import dataclasses
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from policies.benchmark.record import FILE
from policies.benchmark.run import run_benchmark
from policies.benchmark.settings import BenchmarkConfig
from policies.results import Row, make_row
from policies.without_run import evaluate_without_run, play_without_run
from sim.errors import InputError

pytestmark = pytest.mark.slow

OPTIONS = (
    "--scenes", "depot", "--robots", "16", "--policies", "rhcr", "--episodes", "4", "--seed", "7", "--time-limit", "24",
)  # fmt: skip
EPISODES = 8
"""With those of the robots alone."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkConfig:
    out = tmp_path_factory.mktemp("benchmark") / "whole"
    return BenchmarkConfig(out, ("depot",), (16,), ("rhcr",), episodes=4, seed=7, time_limit=24.0, processes=2)


@pytest.fixture(scope="module")
def whole(config: BenchmarkConfig) -> list[Row]:
    return run_benchmark(config, print)


def plain(rows: Sequence[Row]) -> list[dict[str, object]]:
    """What does not depend on the day."""
    values = (dataclasses.asdict(row).items() for row in rows)
    return [{k: v for k, v in row if not k.startswith("decision_us")} for row in values]


def stored(out: Path) -> int:
    """How many episodes a benchmark has written."""
    return len(json.loads((out / FILE).read_text())["episodes"]) if (out / FILE).exists() else 0


def begin(out: Path) -> "subprocess.Popen[str]":
    """A benchmark that has played some of its episodes: the first one is written at once."""
    command = [sys.executable, "-m", "fleetmix", "benchmark", *OPTIONS, "--out", str(out), "--processes", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 300.0
    while stored(out) < 1:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    return process


def test_rows_are_those_of_the_same_episodes_one_by_one(whole: list[Row], config: BenchmarkConfig) -> None:
    ((scene, layout),) = config.fleets()
    solo = make_row("solo", scene, play_without_run("solo", scene, layout, range(7, 11)))
    rows = evaluate_without_run(config.policies, scene, layout, range(7, 11), solo.throughput)
    assert plain(whole) == plain([*rows, solo])
    assert 0.0 < whole[0].decision_us < whole[0].decision_us_p99


def test_the_number_of_processes_changes_nothing(whole: list[Row], config: BenchmarkConfig, tmp_path: Path) -> None:
    assert plain(run_benchmark(dataclasses.replace(config, out=tmp_path, processes=1), print)) == plain(whole)


def test_what_was_played_is_not_played_again(whole: list[Row], config: BenchmarkConfig) -> None:
    said: list[str] = []
    rows = run_benchmark(config, said.append)
    assert rows[0] == whole[0]  # with the times of then
    assert plain(rows) == plain(whole)
    assert said == [f"going on: {EPISODES} of {EPISODES} episodes were played before"]


def test_killed_it_leaves_no_process_and_goes_on(whole: list[Row], config: BenchmarkConfig, tmp_path: Path) -> None:
    process = begin(tmp_path)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    process.kill()
    process.communicate()
    assert psutil.wait_procs(workers, timeout=30.0)[1] == []
    played = stored(tmp_path)
    assert 1 <= played < EPISODES
    said: list[str] = []
    assert plain(run_benchmark(dataclasses.replace(config, out=tmp_path), said.append)) == plain(whole)
    assert said[0] == f"going on: {played} of {EPISODES} episodes were played before"


def test_ctrl_c_keeps_what_was_played(tmp_path: Path) -> None:
    process = begin(tmp_path)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=120.0)
    assert process.returncode == 130
    assert "fleetmix: interrupted" in error
    assert f"stopped with {stored(tmp_path)} of {EPISODES} episodes; the same command goes on with the rest" in out
    assert not (tmp_path / "table.md").exists()


def test_nothing_is_begun_that_can_not_be_finished(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="robots is 14, but layout crossing has room for"):
        run_benchmark(BenchmarkConfig(tmp_path, ("small", "crossing"), (4, 14), ("pibt",)), print)
    assert list(tmp_path.iterdir()) == []
