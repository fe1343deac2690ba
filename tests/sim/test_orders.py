from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.env import WarehouseEnv
from sim.layout import Layout, load_layout, parse_layout, scene_names
from sim.observation import MANEUVERS, STATE
from sim.orders import PickAndDeliver
from sim.scene import SceneConfig


def streams(robots: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng((seed, robot)) for robot in range(robots)]


def pick_and_deliver(scene: str, robots: int) -> PickAndDeliver:
    return PickAndDeliver(load_layout(scene), SceneConfig(robots=robots))


@pytest.mark.parametrize("scene", scene_names())
def test_a_pick_is_followed_by_a_station_and_that_by_the_next_pick(scene: str) -> None:
    layout, orders = load_layout(scene), pick_and_deliver(scene, 2)
    orders.reset(streams(2))
    first = orders.goal[0]
    for _ in range(10):
        assert orders.carrying.tolist() == [False, False]
        assert orders.goal[1] in layout.picks
        assert orders.complete(1) == "picks"
        assert orders.carrying.tolist() == [False, True]
        assert orders.goal[1] in layout.stations
        assert orders.complete(1) == "deliveries"
    assert orders.goal[0] == first
    assert first in layout.picks


@given(st.lists(st.integers(0, 2), max_size=30), st.integers(0, 2**32))
def test_a_robots_orders_do_not_depend_on_the_other_robots(completed: list[int], seed: int) -> None:
    fleet, alone = pick_and_deliver("small", 3), pick_and_deliver("small", 1)
    fleet.reset(streams(3, seed))
    alone.reset(streams(1, seed))
    for robot in completed:
        fleet.complete(robot)
        if robot == 0:
            alone.complete(0)
        assert fleet.goal[0] == alone.goal[0]


def test_reset_starts_over() -> None:
    orders = pick_and_deliver("small", 2)
    orders.reset(streams(2, seed=5))
    first = orders.goal.copy()
    for _ in range(3):
        orders.complete(0)
    orders.reset(streams(2, seed=5))
    np.testing.assert_array_equal(orders.goal, first)
    assert not orders.carrying.any()


def test_orders_are_uniform() -> None:
    layout, orders = load_layout("crossing"), pick_and_deliver("crossing", 1)
    orders.reset(streams(1))
    drawn = []
    for _ in range(8000):
        drawn.append(int(orders.goal[0]))
        orders.complete(0)
    # 4,000 draws among 4 stations: 1,000 each, with a standard deviation of sqrt(4000 * 1/4 * 3/4) = 27.
    assert {cell: drawn[1::2].count(cell) for cell in layout.stations} == {
        cell: pytest.approx(1000, abs=5 * 27) for cell in layout.stations
    }
    share = 4000 / len(layout.picks)
    for cell in layout.picks:
        assert drawn[::2].count(cell) == pytest.approx(share, abs=5 * share**0.5)


def reward(robots: int, deliveries: int, picks: int, progress: Any, new_contacts: Any, in_contact: Any) -> float:
    events = {"deliveries": deliveries, "picks": picks}
    return pick_and_deliver("small", robots).reward(
        events, np.array(progress), np.array(new_contacts), np.array(in_contact)
    )


def test_the_teams_reward_by_hand() -> None:
    # (1 * 1.0 + 1 * 0.5 + 0.3 m * 0.1 - 1 * 0.2 - 2 * 0.05) / 2 robots = 1.23 / 2
    assert reward(2, 1, 1, [0.4, -0.1], [True, False], [True, True]) == pytest.approx(0.615)


def test_the_teams_reward_does_not_grow_with_the_fleet() -> None:
    small = reward(2, 1, 2, [0.4, -0.1], [True, False], [True, True])
    large = reward(8, 4, 8, [0.4, -0.1] * 4, [True, False] * 4, [True, True] * 4)
    assert large == pytest.approx(small)


class Shuttle:
    """Robots go from station to station; only what they deliver counts. An order type of a user's own."""

    events: tuple[str, ...] = ("deliveries",)

    def __init__(self, layout: Layout, scene: SceneConfig) -> None:
        self._stations = layout.stations
        self.goal = np.zeros(scene.robots, np.int64)
        self.carrying = np.ones(scene.robots, np.bool_)

    def reset(self, streams: Sequence[np.random.Generator]) -> None:
        self.goal[:] = self._stations[0]

    def complete(self, robot: int) -> str:
        self.goal[robot] = self._stations[int(self.goal[robot] == self._stations[0])]
        return "deliveries"

    def reward(self, events: Mapping[str, int], *_ignored: Any) -> float:
        return 10.0 * events["deliveries"]


def test_another_order_type_is_one_class() -> None:
    lane = parse_layout("S....S\n#.....", "lane")
    env = WarehouseEnv(SceneConfig(robots=1), layout=lane, orders=Shuttle)
    env.reset(seed=0)
    goals, total = set(), 0.0
    while env.agents:
        _, rewards, _, _, infos = env.step({"robot_0": MANEUVERS.index("go")})
        total += rewards["robot_0"]
        goals.add(tuple(env.state()[STATE.goal_x : STATE.goal_y + 1].tolist()))
        assert env.state()[STATE.carrying] == 1.0
    assert list(infos["robot_0"]) == ["deliveries", "robot_contacts", "rack_contacts", "distance"]
    # Up to 4.3 m from start to the first station and 5 m between them, in 60 s, at 1.2 m/s.
    assert 5 <= infos["robot_0"]["deliveries"] <= 14
    assert total == 10.0 * infos["robot_0"]["deliveries"]
    assert goals == {(0.5, 1.5), (5.5, 1.5)}
    env.close()
