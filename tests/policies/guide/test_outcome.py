from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import fleetmix
from policies.guide.outcome import compare, put_into
from policies.guide.search import CHECK_SEED, Factors
from policies.guide.settings import GuideConfig
from sim.errors import InputError
from sim.guidance import Guidance
from sim.layout import load_layout

ONES = np.ones((3, 2))


def by_factor(jobs: Sequence[tuple[Factors, Sequence[int]]]) -> list[list[float]]:
    """Ten times the largest factor, and the parity of the seed, which is the same for all guidances."""
    return [[10.0 * float(factors.max()) + seed % 2 for seed in seeds] for factors, seeds in jobs]


def test_a_gain_is_measured_episode_by_episode_on_the_same_fresh_orders() -> None:
    outcome = compare(1.2 * ONES, 1.5 * ONES, 10, by_factor)
    # Five even and five odd seeds: half a delivery above ten times the factor; the gain is 3 in every episode.
    assert [outcome.none[0], outcome.before[0], outcome.after[0]] == pytest.approx([10.5, 12.5, 15.5])
    assert outcome.gain == pytest.approx((3.0, 0.0))
    assert outcome.pays
    assert not compare(1.5 * ONES, 1.2 * ONES, 10, by_factor).pays


def test_a_gain_within_chance_does_not_pay() -> None:
    def noisy(jobs: Sequence[tuple[Factors, Sequence[int]]]) -> list[list[float]]:
        return [[float(factors.max()) * (30.0 if seed % 2 else -10.0) for seed in seeds] for factors, seeds in jobs]

    outcome = compare(1.0 * ONES, 1.2 * ONES, 6, noisy)
    # Gains of +6 and -2 in turn: the mean is 2, and the interval 2.571 * 4.38 / sqrt(6) = 4.6.
    assert outcome.gain == pytest.approx((2.0, 4.6), abs=0.01)
    assert not outcome.pays


def test_every_fresh_seed_is_played_once_under_each_guidance() -> None:
    seen: list[int] = []

    def note(jobs: Sequence[tuple[Factors, Sequence[int]]]) -> list[list[float]]:
        seen.extend(seed for _, seeds in jobs for seed in seeds)
        return by_factor(jobs)

    compare(ONES, ONES, 9, note)
    assert seen == [CHECK_SEED + k for k in range(9)] * 3


def test_new_guidance_replaces_that_for_the_same_fleets() -> None:
    old = (Guidance(4, 1.1 * ONES), Guidance(16, 1.6 * ONES))
    assert [(part.robots, part.factors[0, 0]) for part in put_into(old, Guidance(8, 1.3 * ONES))] == [
        (4, 1.1), (8, 1.3), (16, 1.6),
    ]  # fmt: skip
    assert [part.factors[0, 0] for part in put_into(old, Guidance(4, 1.3 * ONES))] == [1.3, 1.6]


@pytest.mark.slow
def test_the_command_tells_before_and_after_and_writes_only_what_pays(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    effort = ["--generations", "2", "--episodes", "1", "--population", "4", "--check", "10", "--time-limit", "20"]
    fleetmix.main(["guide", "small", "--robots", "6", *effort])
    out = capsys.readouterr().out
    titles = [line.split()[0] for line in out.splitlines()]
    assert titles[:3] == ["generation", "generation", "small,"]
    assert all(f"  {title}" in out for title in ("no guidance", "before", "after", "gain"))
    assert (tmp_path / "small.map").exists() == ("it pays" in out)
    if "it pays" in out:
        assert [part.robots for part in load_layout(tmp_path / "small.map").guidance] == [6]
    assert (tmp_path / "runs" / "guide-small-6-pibt.json").exists()
    fleetmix.main(["guide", "small", "--robots", "6", *effort])
    again = capsys.readouterr().out.splitlines()
    assert again[0].startswith("going on: 2 generations were played before")
    assert again[1:] == out.splitlines()[2:]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"generations": 0}, "generations is 0; valid is a whole number from 1 up"),
        ({"population": 3}, "population is 3; valid is a whole number from 4 up"),
        ({"check": 9}, "check is 9; valid is a whole number from 10 up"),
        ({"seed": -1}, "seed is -1; valid is a whole number from 0 up"),
    ],
)
def test_effort_that_is_not_valid_is_refused(settings: dict[str, int], says: str) -> None:
    with pytest.raises(InputError, match=says):
        GuideConfig(**settings)  # type: ignore[arg-type]


def test_a_map_without_aisles_and_a_folder_that_is_not_there_are_refused(tmp_path: Path) -> None:
    tiny = tmp_path / "tiny.map"
    tiny.write_text("#.\nS.\n")
    with pytest.raises(InputError, match="layout tiny: it has no aisle that could be guided"):
        GuideConfig(robots=2).open(str(tiny))
    scene, _ = GuideConfig().open("small")
    with pytest.raises(InputError, match="which is no folder"):
        GuideConfig(record=tmp_path / "r.json", out=tmp_path / "nowhere" / "small.map").files(scene)


def test_a_map_file_is_written_where_it_is_and_a_shipped_map_beside_the_caller(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "own.map"
    own.write_text(load_layout("small").text())
    scene, _ = GuideConfig(robots=5).open(str(own))
    assert GuideConfig().files(scene) == (Path("runs/guide-own-5-pibt.json"), own)
    shipped, _ = GuideConfig(policy="rhcr").open("small")
    assert GuideConfig(policy="rhcr").files(shipped) == (Path("runs/guide-small-4-rhcr.json"), Path("small.map"))
