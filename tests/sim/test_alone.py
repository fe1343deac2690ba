"""A robot that is alone never stands, and does every order in the time that its way takes."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.planners.episode import run_alone
from sim.env import WarehouseEnv
from sim.layout import Layout, load_layout, scene_names
from sim.observation import MANEUVERS, PATH_RANGE, STATE
from sim.scene import DRIVE_MODELS, DriveModel, RightOfWayMode, SceneConfig
from tests.sim.maps import layouts

STANDS = 4.0
"""A robot that covers less than 0.3 m in this time stands [s]."""
HALF_SPEED, TURNS = 0.6, 8.0
"""An order is done at half of the largest speed [m/s], and this much for turns on the way and at its ends [s]."""


def drive_alone(
    layout: Layout,
    seed: int,
    seconds: float,
    drive: DriveModel = "velocity",
    rules: RightOfWayMode = "none",
    maneuver: str = "go",
) -> tuple[float, float, int]:
    """Let a robot that is alone always do the same.

    Returns:
        The longest time that it covers less than 0.3 m in [s]; the largest share of the time allowed for a leg that one
        took; and how many legs were done.
    """
    scene = SceneConfig(robots=1, drive=drive, time_limit=seconds, right_of_way=rules)
    with WarehouseEnv(scene, layout=layout) as env:
        _, infos = env.reset(seed)
        longest = moved = distance = worst = began = now = allowed = 0.0
        done = -1
        while env.agents:
            info = infos["robot_0"]
            robot = env.state()[: len(STATE)]
            if info["picks"] + info["deliveries"] > done:
                done, began, path = info["picks"] + info["deliveries"], now, float(robot[STATE.remaining_path])
                allowed = TURNS + path / HALF_SPEED if path < PATH_RANGE else math.inf  # what is longer is not told
            if info["distance"] - distance > 0.3:
                moved, distance = now, info["distance"]
            longest = max(longest, now - moved)
            worst = max(worst, (now - began) / allowed)
            infos = env.step({"robot_0": MANEUVERS.index(maneuver)})[-1]
            now += scene.decision_period
        assert infos["robot_0"]["rack_contacts"] == 0
    return longest, worst, done


def require_all_done(layout: Layout, seed: int, seconds: float, drive: DriveModel = "velocity") -> None:
    stands, worst, done = drive_alone(layout, seed, seconds, drive)
    assert stands < STANDS
    assert worst < 1.0
    assert done > 0


@settings(max_examples=200, deadline=None)
@given(layouts(), st.integers(0, 2**32 - 1))
def test_every_order_is_done_on_any_map(layout: Layout, seed: int) -> None:
    require_all_done(layout, seed, 30.0)


@pytest.mark.parametrize("seed", range(20))
def test_every_order_is_done_in_generated_warehouses(seed: int) -> None:
    require_all_done(load_layout(f"generated:{seed}"), seed, 90.0)


@pytest.mark.parametrize("drive", DRIVE_MODELS)
@pytest.mark.parametrize("scene", scene_names())
def test_every_order_is_done_in_the_scenes_that_ship(scene: str, drive: DriveModel) -> None:
    for seed in range(3):
        require_all_done(load_layout(scene), seed, 60.0, drive)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(layouts(), st.integers(0, 2**32 - 1))
def test_every_order_is_done_on_wheels(layout: Layout, seed: int) -> None:
    require_all_done(layout, seed, 30.0, "wheels")


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(layouts(), st.integers(0, 2**32 - 1))
def test_every_order_is_done_by_the_rules_too(layout: Layout, seed: int) -> None:
    stands, worst, done = drive_alone(layout, seed, 30.0, rules="plans")
    assert stands < STANDS
    assert worst < 1.0
    assert done > 0


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(layouts(), st.integers(0, 2**32 - 1))
def test_the_planners_motion_does_every_order_too(layout: Layout, seed: int) -> None:
    """Alone on a map of up to 7 x 7 cells a leg is 12 m and some turns at most, most are far shorter."""
    episode = run_alone(SceneConfig(robots=1, time_limit=60.0), layout, seed)
    assert episode.totals["rack_contacts"] == episode.totals["deadlocks"] == 0
    assert episode.totals["legs"] >= 2


def test_the_measure_sees_a_robot_that_stands() -> None:
    stands, worst, done = drive_alone(load_layout("small"), 0, 40.0, maneuver="stop")
    assert stands > 30.0
    assert worst > 1.0
    assert done == 0
