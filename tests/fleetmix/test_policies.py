"""`evaluate` without a run, and beside one: what a user would run in place of a learned policy."""

import json
from pathlib import Path

import pytest

import fleetmix
from tests.fleetmix.conftest import fail


@pytest.mark.parametrize("name", ["always-go, no rules", "pibt", "rhcr"])
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


def test_planners_are_shown_beside_a_run_and_kept_out_of_its_record(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    fleetmix.main(["evaluate", str(trained), "--episodes", "1", "--against", "pibt", "--json", str(file)])
    names = [row["policy"] for row in json.loads(file.read_text())]
    assert names == ["always-go, no rules", "QMIX", "pibt", "solo"]
    recorded = json.loads((trained / "evaluation.json").read_text())
    assert [row["policy"] for row in recorded] == ["always-go, no rules", "QMIX", "solo"]
    assert all(row["decision_us"] is None for row in recorded)  # what goes into bundles is equal on every day


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "neither is given; valid is a run folder, or one of always-go, no rules, pibt, rhcr"),
        (["somewhere", "--policy", "pibt"], "both are given, somewhere and pibt"),
        (["--policy", "pibt", "--scene", "crossing", "--robots", "14"], "robots is 14, but layout crossing has room"),
        (["--policy", "cbs"], "'cbs'"),
    ],
)
def test_a_policy_that_cannot_be_evaluated_is_one_line(arguments: list[str], says: str, capsys) -> None:
    assert says in fail(["evaluate", *arguments], capsys)
