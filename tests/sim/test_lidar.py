import math
from collections.abc import Iterator

import numpy as np
import pybullet
import pytest
from numpy.typing import NDArray

from sim.lidar import scan
from tests.sim.unicycle import grid

FLOOR = grid("........", ".##..#..", "....##.#", "........")
RADIUS, REACH, RAYS = 0.3, 4.0, 24


def read(blocked: NDArray[np.bool_], poses: list[tuple[float, float, float]], rays: int = 4) -> NDArray[np.float32]:
    out = np.zeros((len(poses), rays), np.float32)
    scan(blocked, np.array(poses), RADIUS, REACH, out)
    return out


def test_rays_go_counter_clockwise_from_straight_ahead() -> None:
    # From (3.5, 2.5), heading +y: 1.5 m to the border ahead, left the rack that ends at x = 3, behind 2.5 m to the
    # border, right the rack that begins at x = 5.
    assert read(FLOOR, [(3.5, 2.5, math.pi / 2)])[0].tolist() == pytest.approx([1.5, 0.5, 2.5, 1.5])


def test_what_is_out_of_reach_reads_as_the_reach() -> None:
    assert read(np.zeros((20, 20), np.bool_), [(10.0, 10.0, 0.3)], 24).tolist() == [[REACH] * 24]


def test_robots_are_seen_at_their_rim_and_hide_what_is_behind() -> None:
    first, second = read(FLOOR, [(1.5, 0.5, 0.0), (3.5, 0.5, 0.0)])
    # 2 m apart, less the radius of the other; up is the rack that begins at y = 2 or the border at y = 4.
    assert first.tolist() == pytest.approx([1.7, 1.5, 1.5, 0.5])
    assert second.tolist() == pytest.approx([4.0, 3.5, 1.7, 0.5])


def test_a_robot_inside_a_rack_or_outside_the_map_reads_zero() -> None:
    assert read(FLOOR, [(1.5, 2.5, 0.0), (-0.5, 1.0, 0.0)]).tolist() == [[0.0] * 4] * 2


@pytest.fixture(scope="module")
def bullet() -> Iterator[tuple[int, list[int]]]:
    """The floor in Bullet, with eight robots in it: the client and the bodies of the robots."""
    client = pybullet.connect(pybullet.DIRECT)
    boxes = [(column, row, column + 1, row + 1) for row, column in np.argwhere(FLOOR)]
    rows, columns = FLOOR.shape
    boxes += [(-1, -1, columns + 1, 0), (-1, rows, columns + 1, rows + 1)]
    boxes += [(-1, 0, 0, rows), (columns, 0, columns + 1, rows)]
    for x0, y0, x1, y1 in boxes:
        shape = pybullet.createCollisionShape(
            pybullet.GEOM_BOX, halfExtents=[(x1 - x0) / 2, (y1 - y0) / 2, 0.5], physicsClientId=client
        )
        middle = [(x0 + x1) / 2, (y0 + y1) / 2, 0.5]
        pybullet.createMultiBody(0, shape, basePosition=middle, physicsClientId=client)
    disc = pybullet.createCollisionShape(pybullet.GEOM_CYLINDER, radius=RADIUS, height=0.5, physicsClientId=client)
    yield client, [pybullet.createMultiBody(0, disc, physicsClientId=client) for _ in range(8)]
    pybullet.disconnect(client)


def bullet_reads(client: int, bodies: list[int], poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """What rayTestBatch reads, one robot after the other, each lifted out of its own rays' way."""
    result = np.zeros((len(poses), RAYS))
    for robot, (x, y, heading) in enumerate(poses):
        for body, pose in zip(bodies, poses, strict=True):
            height = 9.0 if body == bodies[robot] else 0.25
            pybullet.resetBasePositionAndOrientation(body, [*pose[:2], height], [0, 0, 0, 1], physicsClientId=client)
        angles = heading + 2 * math.pi / RAYS * np.arange(RAYS)
        start = np.tile([x, y, 0.25], (RAYS, 1))
        end = start + REACH * np.stack([np.cos(angles), np.sin(angles), np.zeros(RAYS)], 1)
        hits = pybullet.rayTestBatch(start.tolist(), end.tolist(), physicsClientId=client)
        result[robot] = [REACH * hit[2] for hit in hits]
    return result


def test_it_agrees_with_bullet_on_ten_thousand_rays(bullet: tuple[int, list[int]]) -> None:
    rng = np.random.default_rng(0)
    free = np.argwhere(~FLOOR)
    errors = []
    for _ in range(53):  # 53 * 8 robots * 24 rays = 10,176
        cells = free[rng.permutation(len(free))[:8]]
        place = cells[:, ::-1] + rng.uniform(0.2, 0.8, (8, 2))
        poses = np.column_stack([place, rng.uniform(-math.pi, math.pi, 8)])
        out = np.zeros((8, RAYS), np.float32)
        scan(FLOOR, poses, RADIUS, REACH, out)
        errors.append(np.abs(out - bullet_reads(*bullet, poses)))
    assert np.mean(np.array(errors) < 0.01) >= 0.999
