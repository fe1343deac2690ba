import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from policies.episode import throughput
from policies.guide.record import Record
from policies.guide.search import CHECK_SEED, SEARCH_SEED, Factors, as_factors, find_guidance, play
from policies.guide.settings import GuideConfig
from policies.planners.episode import run_planner
from policies.planners.names import PLANNERS
from sim.errors import InputError
from sim.guidance import alternating_factors
from sim.layout import load_layout, parse_layout
from sim.scene import SceneConfig
from sim.warehouse import Warehouse

LOOP = parse_layout("....\n.##.\nS...", "loop")
SCENE = SceneConfig(layout="loop", robots=2, time_limit=12.0)
CONFIG = GuideConfig(generations=40, population=12, episodes=2)
BEST = np.array([[1.0, 1.5], [1.2, 1.0], [1.0, 2.0], [1.0, 1.0]])


def distance_from_best(jobs: Sequence[tuple[Factors, Sequence[int]]]) -> list[list[float]]:
    """Throughput that falls with the distance of the logarithms from those of BEST, and with luck by seed."""
    luck = [np.random.default_rng(seeds[0]).normal(0.0, 0.05) for _, seeds in jobs]
    return [
        [100.0 - 10.0 * float(np.square(np.log(factors / BEST)).sum()) + noise for _ in seeds]
        for (factors, seeds), noise in zip(jobs, luck, strict=True)
    ]


def search(path: Path, generations: int, config: GuideConfig = CONFIG, lines: list[str] | None = None) -> Factors:
    config = dataclasses.replace(config, generations=generations)
    record = Record(path, config, SCENE, LOOP)
    log = [] if lines is None else lines
    return find_guidance(config, SCENE, LOOP.guided(2), record, distance_from_best, log.append)


def test_the_search_comes_near_the_best_guidance(tmp_path: Path) -> None:
    np.testing.assert_allclose(search(tmp_path / "record.json", 60), BEST, atol=0.15)


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole.json", 8)
    search(tmp_path / "parts.json", 3)
    lines: list[str] = []
    np.testing.assert_array_equal(search(tmp_path / "parts.json", 8, lines=lines), whole)
    assert [line.split(":")[0] for line in lines] == [f"generation {k} of 8" for k in (4, 5, 6, 7, 8)]
    assert (tmp_path / "parts.json").read_bytes() == (tmp_path / "whole.json").read_bytes()


def test_every_generation_has_orders_of_its_own_and_all_guidances_in_it_the_same(tmp_path: Path) -> None:
    seen: list[set[int]] = []

    def note(jobs: Sequence[tuple[Factors, Sequence[int]]]) -> list[list[float]]:
        seen.append({seed for _, seeds in jobs for seed in seeds})
        return distance_from_best(jobs)

    config = dataclasses.replace(CONFIG, generations=3)
    find_guidance(config, SCENE, LOOP, Record(tmp_path / "r.json", config, SCENE, LOOP), note, lambda _: None)
    assert seen == [{SEARCH_SEED + 2 * k, SEARCH_SEED + 2 * k + 1} for k in range(3)]
    assert max(max(seeds) for seeds in seen) < CHECK_SEED


def test_a_record_of_another_search_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    search(tmp_path / "r.json", 1)
    with pytest.raises(InputError, match="holds a search with episodes 2, not 3; valid is the same again, or another"):
        search(tmp_path / "r.json", 1, dataclasses.replace(CONFIG, episodes=3))
    for text in ("", "[]", '{"settings": {}, "generations": [["x"]]}'):
        (tmp_path / "r.json").write_text(text)
        with pytest.raises(InputError, match=r"r.json' is no record of a search; valid is another --record"):
            search(tmp_path / "r.json", 1)


@pytest.mark.slow
def test_always_go_by_the_rules_can_drive_the_fleet() -> None:
    layout, scene = load_layout("small"), SceneConfig(robots=4, time_limit=40.0)
    assert play(np.ones((len(layout.aisles), 2)), [5], scene, layout, "always-go")[0] > 50.0


def test_factors_are_cut_rounded_and_left_out_where_they_are_negligible() -> None:
    logarithms = np.log([0.5, 1.014, 1.0249, 1.026, 2.0, 9.0])
    assert as_factors(logarithms).ravel().tolist() == [1.0, 1.0, 1.02, 1.03, 2.0, 3.0]


def test_throughput_is_that_of_the_planner_under_the_guidance() -> None:
    """Factors of 1 play the episodes of a map without guidance; by legs, half of each."""
    layout, scene = load_layout("small"), SceneConfig(robots=4, time_limit=20.0)
    played = play(np.ones((len(layout.aisles), 2)), [5, 6], scene, layout, PLANNERS[0])
    warehouse = Warehouse(scene, layout)
    episodes = [run_planner(warehouse, PLANNERS[0], seed) for seed in (5, 6)]
    warehouse.close()
    hours = 4 * 20.0 / 3600
    np.testing.assert_allclose(played, [episode.totals["legs"] / 2 / hours for episode in episodes])
    assert sum(played) >= sum(throughput([episode], scene) for episode in episodes)
    guided = alternating_factors(layout.aisles, layout.columns, 3.0)
    assert play(guided, [5, 6], scene, layout, PLANNERS[0]) != played
