"""Whole episodes in real physics: what the planners promise, no contact and no deadlock, on seeds that nobody tuned."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from policies.episode import throughput
from policies.planners.episode import run_alone, run_planner
from policies.planners.fields import Fields
from policies.planners.names import PLANNERS, PlannerName
from policies.planners.pibt import Pibt
from policies.planners.ways import Ways
from sim.layout import load_layout
from sim.scene import SceneConfig, open_scene
from sim.warehouse import Warehouse


@pytest.fixture
def warehouse(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    opened = Warehouse(*open_scene(*request.param))
    yield opened
    opened.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize(
    "warehouse",
    [("small", 8), ("narrow", 6), ("crossing", 2), ("aisle", 2), ("small", 4, "wheels")],
    indirect=True,
    ids=lambda place: f"{place[0]}-{place[1]}",
)
def test_a_planner_delivers_without_contact_and_without_deadlock(warehouse: Warehouse, name: PlannerName) -> None:
    for seed in (500, 501):
        totals = run_planner(warehouse, name, seed).totals
        assert totals["deliveries"] >= warehouse.scene.robots
        assert totals["robot_contacts"] == totals["rack_contacts"] == totals["deadlocks"] == 0


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize("warehouse", [("small", 4)], indirect=True)
def test_an_episode_is_fixed_by_its_seed(warehouse: Warehouse, name: PlannerName) -> None:
    poses = []
    for seed in (3, 4, 3):
        run_planner(warehouse, name, seed)
        poses.append(warehouse.poses.copy())
    np.testing.assert_array_equal(poses[0], poses[2])
    assert not np.array_equal(poses[0], poses[1])


@pytest.mark.parametrize("warehouse", [("small", 3)], indirect=True)
def test_decisions_are_timed(warehouse: Warehouse) -> None:
    played = run_planner(warehouse, "pibt", 1)
    assert 0.0 < played.decision_us < played.decision_us_p99


def test_alone_no_robot_stands_or_touches_anything() -> None:
    scene = SceneConfig(layout="depot", robots=6)
    episode = run_alone(scene, load_layout("depot"), 11)
    assert episode.totals["deadlocks"] == episode.totals["rack_contacts"] == 0
    assert throughput([episode], scene) > 80


def test_of_two_ways_into_one_cell_the_lower_rank_goes_first() -> None:
    """Two robots at right angles want the middle of the crossing: the one with the lower rank never waits."""
    layout = load_layout("crossing")
    scene = dataclasses.replace(open_scene("crossing", 2)[0], time_limit=6.0)
    warehouse = Warehouse(scene, layout)
    middle = 3 * 7 + 3
    for first in (0, 1):
        warehouse.reset(0)
        warehouse._world.reset(np.array([[1.5, 3.5, 0.0], [3.5, 1.5, np.pi / 2]]))  # west and south of the middle
        ways = Ways(warehouse, Fields(layout))
        for robot, cells in enumerate(([middle - 1, middle, middle + 1], [middle - 7, middle, middle + 7])):
            for k, cell in enumerate(cells):
                ways.append(robot, cell, k + (0.5 if robot != first else 0.0))
        commands = np.zeros((2, 2))
        came: dict[int, int] = {}
        for tick in range(60):
            ways.sense()
            ways.command(commands)
            warehouse.tick(commands)
            for robot in (0, 1):
                if np.hypot(*(warehouse.poses[robot, :2] - 3.5)) < 0.2:
                    came.setdefault(robot, tick)
        assert list(came) == [first, 1 - first]
        assert not warehouse.touching_robot.any()
    warehouse.close()


@pytest.mark.parametrize("warehouse", [("small", 6)], indirect=True)
def test_no_cell_is_the_end_of_two_ways(warehouse: Warehouse) -> None:
    warehouse.reset(9)
    fields = Fields(warehouse.layout)
    ways = Ways(warehouse, fields)
    planner, commands = Pibt(warehouse, ways, fields), np.zeros((6, 2))
    for _ in range(200):
        ways.sense()
        planner.plan()
        assert len(set(ways.ends.tolist())) == 6
        ways.command(commands)
        warehouse.tick(commands)
