import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import InputError
from sim.scene import RewardConfig, RobotConfig, SceneConfig
from sim.settings import read_settings

scenes = st.builds(
    SceneConfig,
    layout=st.text(),
    robots=st.integers(1, 1000),
    drive=st.sampled_from(["velocity", "wheels"]),
    time_limit=st.floats(1.0, 1e4),
    reach_distance=st.floats(0.01, 0.5),
    robot=st.builds(RobotConfig, radius=st.floats(0.05, 0.49), lidar_rays=st.integers(8, 360)),
    reward=st.builds(RewardConfig, delivery=st.floats(-1e3, 1e3)),
)


@given(scenes)
def test_a_scene_survives_json(scene: SceneConfig) -> None:
    assert read_settings(SceneConfig, json.loads(json.dumps(dataclasses.asdict(scene))), "scene.json") == scene


def test_what_is_left_out_keeps_its_default() -> None:
    scene = read_settings(SceneConfig, {"robots": 2, "robot": {"radius": 0.25}}, "scene.json")
    assert scene == SceneConfig(robots=2, robot=RobotConfig(radius=0.25))


def test_clock_counts_whole_periods() -> None:
    assert (SceneConfig().ticks, SceneConfig().decisions) == (4, 150)  # 0.4 / 0.1 and 60 / 0.4
    # 0.3 / 0.1 is 2.9999999999999996 in floating point, and 0.7 s have room for two periods of 0.3 s.
    scene = SceneConfig(decision_period=0.3, time_limit=0.7)
    assert (scene.ticks, scene.decisions) == (3, 2)
    assert SceneConfig(decision_period=0.1, time_limit=0.3).decisions == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"robots": 0}, "run.yaml: robots is 0; valid is a whole number from 1 up"),
        ({"robots": 2.5}, "run.yaml: robots is 2.5; valid is a whole number from 1 up"),
        ({"robots": True}, "run.yaml: robots is True"),
        ({"layout": 7}, "run.yaml: layout is 7; valid is a scene's name or the path of a map"),
        ({"drive": "legs"}, "run.yaml: drive is 'legs'; valid is velocity or wheels"),
        ({"time_limit": math.inf}, "run.yaml: scene.time_limit is inf; valid is a finite number above 0"),
        ({"time_limit": "60"}, "run.yaml: scene.time_limit is '60'; valid is a finite number above 0"),
        ({"time_limit": 0.2}, "run.yaml: scene.time_limit is 0.2; valid is at least one decision, 0.4 s"),
        ({"decision_period": 0.25}, "run.yaml: scene.decision_period is 0.25; valid is a multiple of the control"),
        ({"reach_distance": 0.6}, "run.yaml: scene.reach_distance is 0.6; valid is at most 0.5 m"),
        ({"speed": 1.0}, "run.yaml: setting is 'speed'; valid is layout, robots, drive"),
        ({"robot": {"radius": 0.5}}, "run.yaml, robot: robot.radius is 0.5; valid is below 0.5 m"),
        ({"robot": {"radius": -0.1}}, "run.yaml, robot: robot.radius is -0.1; valid is a finite number above 0"),
        ({"robot": {"mass": None}}, "run.yaml, robot: robot.mass is None; valid is a finite number above 0"),
        (
            {"robot": {"lidar_rays": 7}},
            "run.yaml, robot: robot.lidar_rays is 7; valid is a whole number from 8 to 1440",
        ),
        ({"robot": {"lidar_rays": 10**8}}, "run.yaml, robot: robot.lidar_rays is 100000000; valid is"),
        ({"robot": {"lidar_rays": 0}}, "run.yaml, robot: robot.lidar_rays is 0; valid is a whole number from 8"),
        (
            {"robot": {"neighbours": 65}},
            "run.yaml, robot: robot.neighbours is 65; valid is a whole number from 1 to 64",
        ),
        ({"time_limit": 1e9}, "run.yaml: scene.time_limit is 1000000000.0; valid is at least one decision"),
        ({"robot": {"lidar_rays": 24.5}}, "run.yaml, robot: robot.lidar_rays is 24.5"),
        ({"robot": {"neighbours": 1.5}}, "run.yaml, robot: robot.neighbours is 1.5; valid is a whole number"),
        ({"robot": {"safety_margin": -1}}, "run.yaml, robot: robot.safety_margin is -1; valid is at least 0"),
        ({"robot": {"wings": 2}}, "run.yaml, robot: setting is 'wings'; valid is radius, height"),
        ({"robot": [1]}, "run.yaml, robot: the settings are [1]; valid is a mapping of radius, height"),
        ({"reward": {"pick": math.nan}}, "run.yaml, reward: reward.pick is nan; valid is a finite number"),
        (["robots"], "run.yaml: the settings are ['robots']; valid is a mapping of layout, robots"),
        (None, "run.yaml: the settings are None"),
    ],
)
def test_bad_settings_are_refused_in_one_line(values: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        read_settings(SceneConfig, values, "run.yaml")
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SceneConfig().robots = 5  # type: ignore[misc]
