import math
from collections.abc import Callable, Iterator

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.physics.world import World
from sim.scene import DRIVE_MODELS, DriveModel, SceneConfig

RACKS = np.array([(1.0, 2.0, 3.0, 4.0), (4.0, 2.0, 6.0, 4.0), (1.0, 5.0, 3.0, 7.0), (4.0, 5.0, 6.0, 7.0)])
SIZE = (7.0, 8.0)
RADIUS = 0.3
Build = Callable[..., World]


@pytest.fixture
def build() -> Iterator[Build]:
    worlds: list[World] = []

    def make(robots: int, drive: DriveModel = "velocity", racks: NDArray[np.float64] = RACKS) -> World:
        worlds.append(World(racks, SIZE, SceneConfig(robots=robots, drive=drive)))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


def poses_of(*poses: tuple[float, float, float]) -> NDArray[np.float64]:
    return np.array(poses)


def random_poses(rng: np.random.Generator, robots: int) -> NDArray[np.float64]:
    """Return distinct cells of the two free lanes at the bottom, random headings."""
    cells = rng.permutation(14)[:robots]
    return np.stack([cells % 7 + 0.5, cells // 7 + 0.5, rng.uniform(-math.pi, math.pi, robots)], axis=1)


def roll(world: World, poses: NDArray[np.float64], seed: int, periods: int) -> NDArray[np.float64]:
    """Return every pose, velocity and contact under random commands [periods, robots, 7]."""
    rng = np.random.default_rng(seed)
    world.reset(poses)
    history = []
    for _ in range(periods):
        world.advance(rng.uniform((-1.2, -2.0), (1.2, 2.0), (len(poses), 2)))
        touching = np.stack([world.touching_robot, world.touching_rack], axis=1)
        history.append(np.concatenate([world.poses, world.velocities, touching], axis=1))
    return np.array(history)


@pytest.mark.parametrize("drive", DRIVE_MODELS)
def test_reset_makes_the_same_commands_bit_equal_whatever_happened_before(build: Build, drive: DriveModel) -> None:
    # A contact point left over from an earlier episode acts once in about 50 resets, hence so many.
    robots, periods, before = (10, 30, 150) if drive == "velocity" else (6, 12, 4)
    world, rng = build(robots, drive), np.random.default_rng(7)
    poses = random_poses(rng, robots)
    first = roll(world, poses, seed=1, periods=periods)
    assert first[..., 5:].any(), "the robots should hit something"
    for seed in range(before):
        roll(world, random_poses(rng, robots), seed, int(rng.integers(1, 30)))
        np.testing.assert_array_equal(roll(world, poses, seed=1, periods=periods), first)
    np.testing.assert_array_equal(roll(build(robots, drive), poses, seed=1, periods=periods), first)


def test_reset_puts_robots_at_rest_at_the_given_poses_with_wrapped_headings(build: Build) -> None:
    world = build(2)
    roll(world, poses_of((0.5, 0.5, 0.0), (1.2, 0.5, math.pi)), seed=0, periods=10)
    world.reset(poses_of((0.5, 1.5, -math.pi), (2.5, 0.5, 7.0)))
    np.testing.assert_allclose(world.poses, [(0.5, 1.5, math.pi), (2.5, 0.5, 7.0 - 2 * math.pi)], atol=1e-12)
    assert not world.velocities.any()
    assert not world.touching_robot.any()
    world.advance(np.zeros((2, 2)))
    np.testing.assert_allclose(world.poses, [(0.5, 1.5, math.pi), (2.5, 0.5, 7.0 - 2 * math.pi)], atol=1e-9)


@pytest.mark.parametrize("drive", DRIVE_MODELS)
def test_results_are_updated_in_place(build: Build, drive: DriveModel) -> None:
    world = build(1, drive)
    poses, velocities = world.poses, world.velocities
    world.reset(poses_of((0.5, 0.5, 0.0)))
    world.advance(np.array([(1.0, 0.0)]))
    assert world.poses is poses
    assert world.velocities is velocities
    assert poses[0, 0] > 0.5
    assert velocities[0, 0] > 0.1


@pytest.mark.parametrize("drive", DRIVE_MODELS)
def test_a_robot_stops_at_a_rack_and_reports_no_speed(build: Build, drive: DriveModel) -> None:
    world = build(2, drive)
    world.reset(poses_of((2.0, 1.0, math.pi / 2), (5.0, 0.5, 0.0)))
    for period in range(20):
        world.advance(np.array([(1.2, 0.0), (0.0, 0.0)]))
        if period >= 12:
            assert world.touching_rack.tolist() == [True, False]
    assert not world.touching_robot.any()
    # The rack begins at y = 2, so the robot's middle stays at 2 - 0.3 = 1.7.
    np.testing.assert_allclose(world.poses[0, :2], (2.0, 1.7), atol=0.004)
    assert abs(world.velocities[0, 0]) < 0.02
    for _ in range(5):
        world.advance(np.array([(-0.5, 0.0), (0.0, 0.0)]))
    assert not world.touching_rack.any()
    # Backwards 0.2, 0.4, 0.5, 0.5, 0.5 m/s after the periods: (0.1 + 0.3 + 0.45 + 0.5 + 0.5) 0.1 = 0.185 m.
    assert world.poses[0, 1] == pytest.approx(1.7 - 0.185, abs=0.02)


@pytest.mark.parametrize("drive", DRIVE_MODELS)
@pytest.mark.parametrize(
    ("start", "axis", "wall"),
    [
        ((0.6, 0.5, math.pi), 0, RADIUS),
        ((6.4, 0.5, 0.0), 0, SIZE[0] - RADIUS),
        ((3.5, 0.6, -math.pi / 2), 1, RADIUS),
        ((3.5, 7.4, math.pi / 2), 1, SIZE[1] - RADIUS),
    ],
)
def test_the_border_walls_hold(
    build: Build, drive: DriveModel, start: tuple[float, float, float], axis: int, wall: float
) -> None:
    world = build(1, drive)
    world.reset(poses_of(start))
    for _ in range(15):
        world.advance(np.array([(1.2, 0.0)]))
    assert world.touching_rack[0]
    assert world.poses[0, axis] == pytest.approx(wall, abs=0.004)


@pytest.mark.parametrize("drive", DRIVE_MODELS)
def test_robots_meet_at_two_radii_and_both_report_it(build: Build, drive: DriveModel) -> None:
    world = build(3, drive)
    world.reset(poses_of((2.0, 1.0, 0.0), (4.0, 1.0, math.pi), (6.0, 0.5, 0.0)))
    touched = False
    for _ in range(25):
        world.advance(np.array([(1.2, 0.0), (1.2, 0.0), (0.0, 0.0)]))
        gap = np.linalg.norm(world.poses[0, :2] - world.poses[1, :2])
        assert gap > 2 * RADIUS - 0.005
        touched |= bool(world.touching_robot[0])
    assert touched
    assert gap == pytest.approx(2 * RADIUS, abs=0.003)
    assert world.touching_robot.tolist() == [True, True, False]
    assert not world.touching_rack.any()
    assert np.abs(world.velocities[:, 0]).max() < 0.02


def test_a_glancing_slide_keeps_its_speed_along_the_wall(build: Build) -> None:
    world = build(1, racks=np.zeros((0, 4)))
    world.reset(poses_of((1.0, RADIUS + 0.01, -0.1)))
    for _ in range(12):
        world.advance(np.array([(1.0, 0.0)]))
    assert world.touching_rack[0]
    # The wall takes the speed into it, sin 0.1, and leaves cos 0.1; its part along the heading is cos^2 0.1 = 0.990.
    assert world.velocities[0, 0] == pytest.approx(0.990, abs=0.01)
    assert world.poses[0, 2] == pytest.approx(-0.1, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_crowd_never_overlaps_tunnels_or_leaves_the_floor(seed: int) -> None:
    world = World(RACKS, SIZE, SceneConfig(robots=10))
    check_crowd(world, seed, periods=40, slack=0.03)
    world.close()


@pytest.mark.slow
def test_a_crowd_on_wheels_never_overlaps_tips_or_leaves_the_floor() -> None:
    world = World(RACKS, SIZE, SceneConfig(robots=6, drive="wheels"))
    for seed in range(3):
        check_crowd(world, seed, periods=40, slack=0.03)
    world.close()


def check_crowd(world: World, seed: int, periods: int, slack: float) -> None:
    rng = np.random.default_rng(seed)
    robots = len(world.poses)
    world.reset(random_poses(rng, robots))
    pairs = np.triu_indices(robots, 1)
    for _ in range(periods):
        world.advance(rng.uniform((0.0, -1.5), (1.2, 1.5), (robots, 2)))
        middles = world.poses[:, :2]
        gaps = np.linalg.norm(middles[pairs[0]] - middles[pairs[1]], axis=1)
        assert gaps.min() > 2 * RADIUS - slack
        nearest = np.clip(middles[:, None], RACKS[:, :2], RACKS[:, 2:])
        assert np.linalg.norm(middles[:, None] - nearest, axis=2).min() > RADIUS - slack
        assert (middles > RADIUS - slack).all()
        assert (middles < np.array(SIZE) - RADIUS + slack).all()
        assert np.isfinite(world.velocities).all()
        assert np.abs(world.velocities[:, 0]).max() < 1.5
        assert (np.abs(world.poses[:, 2]) <= math.pi).all()


@pytest.mark.parametrize("drive", DRIVE_MODELS)
def test_resets_do_not_grow_memory(build: Build, drive: DriveModel) -> None:
    world, rng = build(4, drive), np.random.default_rng(0)
    process = psutil.Process()
    commands = rng.uniform(-1, 1, (4, 2))

    def churn(resets: int) -> int:
        for _ in range(resets):
            world.reset(random_poses(rng, 4))
            world.advance(commands)
        return int(process.memory_info().rss)

    settled = churn(50)
    assert churn(300) - settled < 2_000_000  # bytes


def test_two_worlds_do_not_share_physics(build: Build) -> None:
    poses = poses_of((0.5, 0.5, 0.0), (2.5, 0.5, 2.0))
    alone = roll(build(2), poses, seed=3, periods=10)
    left, right = build(2), build(2)
    right.reset(poses[::-1].copy())
    right.advance(np.ones((2, 2)))
    np.testing.assert_array_equal(roll(left, poses, seed=3, periods=10), alone)


def test_hundreds_of_racks_still_stop_robots(build: Build) -> None:
    columns, rows = np.meshgrid(np.arange(1, 60, 2), np.arange(1, 20, 2))
    corner = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(float)
    world = World(np.concatenate([corner, corner + 1], axis=1), (61.0, 21.0), SceneConfig(robots=1))
    world.reset(poses_of((57.5, 18.5, math.pi / 2)))
    for _ in range(15):
        world.advance(np.array([(1.0, 0.0)]))
    assert world.touching_rack[0]
    # The last row of racks begins at y = 19.
    assert world.poses[0, 1] == pytest.approx(19 - RADIUS, abs=0.004)
    world.close()


def test_close_twice_is_harmless_and_frees_the_client() -> None:
    for _ in range(3):
        world = World(RACKS, SIZE, SceneConfig(robots=1))
        world.render(20, 20, supersample=1)
        world.close()
        world.close()
