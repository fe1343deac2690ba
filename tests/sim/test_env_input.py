from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.env import WarehouseEnv
from sim.errors import InputError

Make = Callable[..., WarehouseEnv]


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ({"robot_0": 1}, "the action of robot_1 is None; valid is 0 to 7"),
        ({"robot_0": 1, "robot_1": 8}, "the action of robot_1 is 8; valid is 0 to 7"),
        ({"robot_0": -1, "robot_1": 1}, "the action of robot_0 is -1; valid is 0 to 7"),
        ({"robot_0": 1.5, "robot_1": 1}, "the action of robot_0 is 1.5; valid is 0 to 7"),
        ({"robot_0": "go", "robot_1": 1}, "the action of robot_0 is 'go'; valid is 0 to 7"),
        ({}, "the action of robot_0 is None; valid is 0 to 7"),
    ],
)
def test_a_wrong_action_is_refused_and_changes_nothing(make: Make, actions: dict[str, Any], message: str) -> None:
    env, other = make("crossing"), make("crossing")
    env.reset(seed=0)
    other.reset(seed=0)
    with pytest.raises(InputError) as error:
        env.step(actions)
    assert str(error.value) == message
    good: dict[str, Any] = {"robot_0": np.int64(4), "robot_1": 6}
    mine, others = (e.step(good)[0]["robot_1"] for e in (env, other))
    np.testing.assert_array_equal(mine, others)
    np.testing.assert_array_equal(env.state(), other.state())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scene": "moon"}, "scene 'moon' is neither a shipped one (aisle, crossing, depot, kiva, narrow, small), "),
        ({"scene": Path("no/such.map")}, "scene 'no/such.map' is neither a shipped one ("),
        (
            {"scene": "crossing", "robots": 14},
            "robots is 14, but layout crossing has room for 13, one on each free cell",
        ),
        ({"robots": 0}, "robots is 0; valid is a whole number from 1 up"),
        ({"drive": "legs"}, "drive is 'legs'; valid is velocity or wheels"),
        ({"render_mode": "human"}, "render_mode is 'human'; valid is None or 'rgb_array'"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        WarehouseEnv(**settings)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("first", [-1, 12, 0.5, "x", None])
def test_a_wrong_first_robot_is_refused(make: Make, first: object) -> None:
    env = make("crossing")  # 13 free cells
    with pytest.raises(InputError) as error:
        env.reset(seed=0, options={"first_robot": first})
    assert str(error.value) == f"first_robot is {first!r}; valid is 0 to 11 with 2 robots"
    env.reset(seed=0, options={"first_robot": 11})


def test_a_negative_seed_is_refused(make: Make) -> None:
    with pytest.raises(InputError, match=r"^seed is -1; valid is a whole number from 0 up$"):
        make("crossing").reset(seed=-1)
