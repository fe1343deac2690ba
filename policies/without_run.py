"""Policies that need no run, by their names: always-go and the planners, and the robots alone."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cache

from policies.episode import Episode
from policies.evaluate import LookOn, run_episode, run_solo
from policies.fleet_policies import AlwaysGo
from policies.planners.episode import run_planner
from policies.planners.names import PLANNERS, SOLO, PlannerName, PolicyName, SoloName, rules_of
from policies.results import Row, make_row
from sim.env import WarehouseEnv
from sim.layout import Layout
from sim.scene import SceneConfig, open_scene
from sim.warehouse import Warehouse


def play_without_run(
    name: PolicyName | SoloName,
    scene: SceneConfig,
    layout: Layout,
    seeds: Iterable[int],
    watch: LookOn | None = None,
) -> list[Episode]:
    """Return an episode for each seed.

    Args:
        name: of the policy.
        scene: the scene, the fleet and the drive model; the name alone tells the rules of right of way.
        layout: its map.
        seeds: of the episodes.
        watch: looks on, unless each robot is alone.
    """
    scene = replace(scene, right_of_way=rules_of(name))
    if name == SOLO:
        return run_solo(scene, layout, seeds)
    if name not in PLANNERS:
        always_go = AlwaysGo(scene.right_of_way)
        with WarehouseEnv(scene, layout=layout) as env, watch(env.warehouse, always_go) if watch else nullcontext():
            return [run_episode(env, always_go, seed) for seed in seeds]
    _compile(name)
    return _play_planner(name, scene, layout, seeds, watch)


def evaluate_without_run(
    names: Sequence[PolicyName],
    scene: SceneConfig,
    layout: Layout,
    seeds: Sequence[int],
    solo_throughput: float,
    watch: LookOn | None = None,
) -> list[Row]:
    """Return a row for each policy; arguments as in `play_without_run` and `make_row`.

    Whoever looks on sees the first of them.
    """
    rows: list[Row] = []
    for name in dict.fromkeys(names):
        episodes = play_without_run(name, scene, layout, seeds, watch if not rows else None)
        rows.append(make_row(name, replace(scene, right_of_way=rules_of(name)), episodes, solo_throughput))
    return rows


@cache
def _compile(name: PlannerName) -> None:
    """Compile what no decision that is timed should be told to wait for."""
    scene, layout = open_scene("small")
    _play_planner(name, replace(scene, time_limit=scene.decision_period), layout, [0])


def _play_planner(
    name: PlannerName, scene: SceneConfig, layout: Layout, seeds: Iterable[int], watch: LookOn | None = None
) -> list[Episode]:
    warehouse = Warehouse(scene, layout)
    with watch(warehouse, name) if watch else nullcontext():
        episodes = [run_planner(warehouse, name, seed) for seed in seeds]
    warehouse.close()
    return episodes
