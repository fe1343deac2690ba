"""`evaluate` without a run, and beside one: what a user would run in place of a learned policy."""

import json
from pathlib import Path

import pytest

import fleetmix
from tests.fleetmix.conftest import fail


@pytest.mark.parametrize("name", ["always-go", "always-go, claims alone", "always-go, no rules", "pibt", "rhcr"])
def test_a_policy_that_needs_no_run_is_evaluated_by_its_name(name: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    fleetmix.main(
        ["evaluate", "--policy", name, "--scene", "crossing", "--robots", "3", "--episodes", "1", "--seed", "5",
         "--json", str(file)]
    )  # fmt: skip
    rows = json.loads(file.read_text())
    assert [row["policy"] for row in rows] == [name, "solo"]
    assert (rows[0]["scene"], rows[0]["robots"]) == ("crossing", 3)
    assert 0.0 < rows[0]["decision_us"] < rows[0]["decision_us_p99"]
    assert rows[0]["throughput_by_legs"] > 0.0
    assert rows[0]["radio_bytes"] == {"always-go, no rules": 490, "pibt": 1130, "rhcr": 1130}.get(name, 4880)


def test_planners_are_shown_beside_a_run_and_kept_out_of_its_record(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    fleetmix.main(["evaluate", str(trained), "--episodes", "1", "--against", "pibt", "--json", str(file)])
    names = [row["policy"] for row in json.loads(file.read_text())]
    assert names == ["always-go, no rules", "QMIX", "pibt", "solo"]
    recorded = json.loads((trained / "evaluation.json").read_text())
    assert [row["policy"] for row in recorded] == ["always-go, no rules", "QMIX", "solo"]
    assert all(row["decision_us"] is None for row in recorded)  # what goes into bundles is equal on every day


@pytest.mark.slow
def test_a_benchmark_leaves_tables_and_a_picture_and_prints_the_table(tmp_path: Path, capsys) -> None:
    out = tmp_path / "new" / "benchmark"
    command = ["benchmark", "--scenes", "aisle", "--policies", "pibt", "--episodes", "2", "--time-limit", "8"]
    fleetmix.main([*command, "--out", str(out), "--processes", "1"])
    printed = capsys.readouterr().out
    assert "aisle, 2 robots, pibt: " in printed
    assert (out / "table.md").read_text() in printed
    assert f"`fleetmix {' '.join(command)}.0`" in printed
    assert [row["policy"] for row in json.loads((out / "table.json").read_text())] == ["pibt", "solo"]
    assert (out / "table.csv").read_text().count("\n") == 3
    assert (out / "throughput.png").read_bytes().startswith(b"\x89PNG")
    assert "holds a benchmark with episodes 2, not 3; valid is the same again" in fail(
        [*command[:-3], "3", *command[-2:], "--out", str(out)], capsys
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--scenes", "smal"], "'smal'"),
        (["--policies", "cbs"], "'cbs'"),
        (["--scenes", "crossing", "--robots", "2", "14"], "robots is 14, but layout crossing has room for 13"),
        (["--robots", "0"], "robots is 0"),
        (["--episodes", "0"], "--episodes is 0; valid is a whole number from 1 up"),
        (["--processes", "0"], "--processes is 0; valid is a whole number from 1 up"),
        (["--time-limit", "nan"], "time_limit is nan"),
        (["--scenes"], "scenes"),
    ],
)
def test_a_benchmark_that_cannot_be_played_is_one_line_and_leaves_nothing(
    arguments: list[str], says: str, tmp_path: Path, capsys
) -> None:
    assert says in fail(["benchmark", "--out", str(tmp_path / "out"), *arguments], capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "neither is given; valid is a run folder, or one of 'always-go', 'always-go, claims alone', "),
        (["somewhere", "--policy", "pibt"], "both are given, somewhere and pibt"),
        (["--policy", "pibt", "--scene", "crossing", "--robots", "14"], "robots is 14, but layout crossing has room"),
        (["--policy", "cbs"], "'cbs'"),
    ],
)
def test_a_policy_that_cannot_be_evaluated_is_one_line(arguments: list[str], says: str, capsys) -> None:
    assert says in fail(["evaluate", *arguments], capsys)
