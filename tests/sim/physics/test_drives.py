import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.physics.world import World
from sim.scene import DRIVE_MODELS, DriveModel, RobotConfig, SceneConfig

ROBOT = RobotConfig()
PERIOD = 0.1
FREE = np.zeros((0, 4))
Commands = Sequence[tuple[float, float]]
commands_strategy = st.lists(st.tuples(st.floats(-1.6, 1.6), st.floats(-2.6, 2.6)), min_size=1, max_size=25)


def track_of(model: DriveModel, commands: Commands, heading: float = 0.3) -> NDArray[np.float64]:
    """Return [periods + 1, 5] x, y, unwrapped heading, speed, turn rate, from the middle of a free floor."""
    world = World(FREE, (40.0, 40.0), SceneConfig(robots=1, drive=model))
    world.reset(np.array([(20.0, 20.0, heading)]))
    rows = [np.concatenate([world.poses[0], world.velocities[0]])]
    for command in commands:
        world.advance(np.array([command]))
        rows.append(np.concatenate([world.poses[0], world.velocities[0]]))
    world.close()
    track = np.array(rows)
    track[:, 2] = np.unwrap(track[:, 2])
    return track


def unicycle(commands: Commands, heading: float) -> NDArray[np.float64]:
    """Return the same by small steps: within a period speed and turn rate go linearly to where the limits let them."""
    x, y, v, w = 20.0, 20.0, 0.0, 0.0
    rows = [(x, y, heading, v, w)]
    steps = 200
    for speed, turn in commands:
        speed = float(np.clip(np.clip(speed, -ROBOT.max_speed, ROBOT.max_speed), v - 0.2, v + 0.2))  # 2 m/s^2 for 0.1 s
        turn = float(np.clip(np.clip(turn, -ROBOT.max_turn_rate, ROBOT.max_turn_rate), w - 1.0, w + 1.0))
        for step in range(steps):
            share = (step + 0.5) / steps
            middle = heading + PERIOD * (w * share + (turn - w) * share**2 / 2)
            x += (v + (speed - v) * share) * math.cos(middle) * PERIOD / steps
            y += (v + (speed - v) * share) * math.sin(middle) * PERIOD / steps
        heading += PERIOD * (w + turn) / 2
        v, w = speed, turn
        rows.append((x, y, heading, v, w))
    return np.array(rows)


@settings(max_examples=40, deadline=None)
@given(commands=commands_strategy, heading=st.floats(-3.0, 3.0))
def test_velocity_drive_ends_each_period_on_the_exact_arc(commands: Commands, heading: float) -> None:
    track, exact = track_of("velocity", commands, heading), unicycle(commands, heading)
    np.testing.assert_allclose(track[:, :2], exact[:, :2], atol=1e-5)
    np.testing.assert_allclose(track[:, 2], exact[:, 2], atol=1e-9)
    np.testing.assert_allclose(track[:, 3:], exact[:, 3:], atol=1e-9)


@pytest.mark.parametrize("model", DRIVE_MODELS)
def test_going_straight(model: DriveModel) -> None:
    track = track_of(model, [(1.2, 0.0)] * 20)
    # 0.6 s from 0 to 1.2 m/s at 2 m/s^2 are 0.36 m, then 1.4 s at 1.2 m/s are 1.68 m.
    assert np.linalg.norm(track[-1, :2] - track[0, :2]) == pytest.approx(2.04, rel=0.03)
    assert track[-1, 2] == pytest.approx(0.3, abs=0.01)
    assert track[-1, 3] == pytest.approx(1.2, abs=0.01)


@pytest.mark.parametrize("model", DRIVE_MODELS)
@pytest.mark.parametrize("turn", [-2.0, -0.5, 1.0, 2.0])
def test_turning_on_the_spot(model: DriveModel, turn: float) -> None:
    track = track_of(model, [(0.0, turn)] * 20 + [(0.0, 0.0)] * 5)
    # What the ramp up misses the ramp down adds: turn * 2.0 s in all.
    assert track[-1, 2] - 0.3 == pytest.approx(turn * 2.0, rel=0.03)
    assert np.linalg.norm(track[-1, :2] - track[0, :2]) < 0.01


@pytest.mark.parametrize("model", DRIVE_MODELS)
def test_braking_from_full_speed(model: DriveModel) -> None:
    track = track_of(model, [(1.2, 0.0)] * 20 + [(0.0, 0.0)] * 10)
    # v^2 / 2a = 1.44 / 4 = 0.36 m.
    assert np.linalg.norm(track[-1, :2] - track[20, :2]) == pytest.approx(0.36, rel=0.05)
    assert track[-1, 3] == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("model", DRIVE_MODELS)
def test_commands_beyond_the_limits_are_clipped(model: DriveModel) -> None:
    track = track_of(model, [(9.0, -9.0)] * 15)
    assert track[-1, 3] == pytest.approx(1.2, abs=0.02)
    assert track[-1, 4] == pytest.approx(-2.0, abs=0.02)


@settings(max_examples=15, deadline=None)
@given(speed=st.floats(-1.2, 1.2), turn=st.floats(-2.0, 2.0))
def test_both_drives_go_alike(speed: float, turn: float) -> None:
    commands = [(speed, turn)] * 15 + [(0.0, 0.0)] * 8
    fast, wheels = track_of("velocity", commands), track_of("wheels", commands)
    length = np.linalg.norm(np.diff(fast[:, :2], axis=0), axis=1).sum()
    assert np.linalg.norm(wheels[-1, :2] - fast[-1, :2]) < 0.1 * length + 0.01
    assert wheels[-1, 2] - 0.3 == pytest.approx(fast[-1, 2] - 0.3, rel=0.1, abs=0.02)
    assert abs(wheels[-1, 3]) < 0.02


def test_other_robots_and_periods_keep_the_arc() -> None:
    robot = RobotConfig(radius=0.2, height=0.4, mass=20.0, max_speed=0.8)
    for model in DRIVE_MODELS:
        scene = SceneConfig(robots=1, drive=model, robot=robot, control_period=0.08, decision_period=0.4)  # type: ignore[arg-type]
        world = World(FREE, (10.0, 10.0), scene)
        world.reset(np.array([(3.0, 3.0, 0.0)]))
        for _ in range(25):
            world.advance(np.array([(1.0, 0.0)]))
        # 0.4 s up to 0.8 m/s are 0.16 m, then 1.6 s at 0.8 m/s are 1.28 m.
        assert world.poses[0, 0] == pytest.approx(3.0 + 1.44, rel=0.01)
        world.close()
