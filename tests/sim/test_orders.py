import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.layout import load_layout, scene_names
from sim.orders import Orders, team_reward
from sim.scene import RewardConfig


def streams(robots: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng((seed, robot)) for robot in range(robots)]


@pytest.mark.parametrize("scene", scene_names())
def test_a_pick_is_followed_by_a_station_and_that_by_the_next_pick(scene: str) -> None:
    layout = load_layout(scene)
    orders = Orders(layout, 2)
    orders.reset(streams(2))
    for done in range(20):
        assert orders.picks[1] == (done + 1) // 2  # done = 1 is the first pick
        assert orders.deliveries[1] == done // 2
        assert orders.carrying.tolist() == [False, done % 2 == 1]
        assert orders.goal[0] in layout.picks
        assert orders.goal[1] in (layout.stations if orders.carrying[1] else layout.picks)
        orders.complete(1)
    assert (orders.picks[0], orders.deliveries[0]) == (0, 0)


@given(st.lists(st.integers(0, 2), max_size=30), st.integers(0, 2**32))
def test_a_robots_orders_do_not_depend_on_the_other_robots(completed: list[int], seed: int) -> None:
    layout = load_layout("small")
    fleet, alone = Orders(layout, 3), Orders(layout, 1)
    fleet.reset(streams(3, seed))
    alone.reset(streams(1, seed))
    for robot in completed:
        fleet.complete(robot)
        if robot == 0:
            alone.complete(0)
        assert fleet.goal[0] == alone.goal[0]


def test_reset_starts_over() -> None:
    orders = Orders(load_layout("small"), 2)
    orders.reset(streams(2, seed=5))
    first = orders.goal.copy()
    for _ in range(3):
        orders.complete(0)
    orders.reset(streams(2, seed=5))
    np.testing.assert_array_equal(orders.goal, first)
    assert not orders.picks.any()
    assert not orders.deliveries.any()
    assert not orders.carrying.any()


def test_orders_are_uniform() -> None:
    layout = load_layout("crossing")
    orders = Orders(layout, 1)
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


def test_team_reward_by_hand() -> None:
    reward = team_reward(
        RewardConfig(),
        deliveries=1,
        picks=1,
        progress=np.array([0.4, -0.1]),
        new_contacts=np.array([True, False]),
        in_contact=np.array([True, True]),
    )
    # (1 * 1.0 + 1 * 0.5 + 0.3 m * 0.1 - 1 * 0.2 - 2 * 0.05) / 2 robots = 1.23 / 2
    assert reward == pytest.approx(0.615)


def test_team_reward_does_not_grow_with_the_fleet() -> None:
    progress, new, touching = np.array([0.4, -0.1]), np.array([True, False]), np.array([True, True])
    small = team_reward(RewardConfig(), 1, 2, progress, new, touching)
    large = team_reward(RewardConfig(), 4, 8, np.tile(progress, 4), np.tile(new, 4), np.tile(touching, 4))
    assert large == pytest.approx(small)
