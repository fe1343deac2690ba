import math

import numpy as np

from sim.physics.world import World
from sim.scene import SceneConfig

RACKS = np.array([(1.0, 2.0, 3.0, 4.0), (4.0, 2.0, 6.0, 4.0)])
POSES = np.array([(0.5, 0.5, 0.0), (5.5, 1.0, 2.0)])


def test_a_picture_shows_the_robots_where_they_are_and_leaves_the_physics_alone() -> None:
    watched, unwatched = (World(RACKS, (7.0, 8.0), SceneConfig(robots=2)) for _ in range(2))
    for world in (watched, unwatched):
        world.reset(POSES)
    here = watched.render(140, 160)
    assert here.shape == (160, 140, 3)
    assert here.dtype == np.uint8
    red, green, blue = (here[..., k].astype(int) for k in range(3))
    first, second = blue - red > 80, red - green > 90  # robot 0 is blue and stands left, robot 1 is vermilion, right
    assert first[:, :70].any()
    assert not first[:, 70:].any()
    assert second[:, 70:].any()
    assert not second[:, :70].any()
    extras = watched.render(140, 160, np.array([True, False]), POSES[::-1, :2].copy(), np.array([(3.5, 0.5)]))
    assert (extras != here).any()
    for speed in np.linspace(0.2, 1.2, 5):
        for world in (watched, unwatched):
            world.advance(np.array([(speed, 1.0), (-speed, math.pi / 4)]))
        np.testing.assert_array_equal(watched.poses, unwatched.poses)
    for world in (watched, unwatched):
        world.close()
