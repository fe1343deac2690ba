"""What a lidar ray costs: `sim.lidar.scan` against Bullet's `rayTestBatch` among the same racks and robots.

Both read the same random placements of the robots, and each works through them in a row, so that both are warm. Making
Bullet's lists of rays and moving its bodies is not counted. Printed are medians over the placements.

    python -m benchmarks.lidar [--rounds 500]
"""

import argparse
import math
import time

import numpy as np
import pybullet
from numpy.typing import NDArray

from sim.layout import load_layout
from sim.lidar import scan
from sim.scene import RobotConfig

ROBOT = RobotConfig()
FLEETS = (1, 4, 8, 16, 32)
HEIGHT = 0.5


def build(racks: NDArray[np.float64], robots: int) -> tuple[int, list[int]]:
    """Return a Bullet world with racks as boxes and robots as cylinders: the client, and the robots' bodies."""
    client = pybullet.connect(pybullet.DIRECT)
    for x0, y0, x1, y1 in racks:
        half = [(x1 - x0) / 2, (y1 - y0) / 2, HEIGHT]
        shape = pybullet.createCollisionShape(pybullet.GEOM_BOX, halfExtents=half, physicsClientId=client)
        pybullet.createMultiBody(0, shape, basePosition=[(x0 + x1) / 2, (y0 + y1) / 2, 0], physicsClientId=client)
    disc = pybullet.createCollisionShape(
        pybullet.GEOM_CYLINDER, radius=ROBOT.radius, height=HEIGHT, physicsClientId=client
    )
    return client, [pybullet.createMultiBody(0, disc, physicsClientId=client) for _ in range(robots)]


def rays(poses: NDArray[np.float64]) -> tuple[list[list[float]], list[list[float]]]:
    """Return where the rays of all robots start, just outside of their own bodies, and end."""
    angles = poses[:, 2:] + 2 * math.pi / ROBOT.lidar_rays * np.arange(ROBOT.lidar_rays)
    along = np.stack([np.cos(angles), np.sin(angles), np.zeros_like(angles)], 2)
    centre = np.column_stack([poses[:, :2], np.zeros(len(poses))])[:, None]
    start, end = centre + 1.001 * ROBOT.radius * along, centre + ROBOT.lidar_range * along
    return start.reshape(-1, 3).tolist(), end.reshape(-1, 3).tolist()


def measure(robots: int, rounds: int) -> tuple[float, float]:
    """Return the median cost of a ray in ns: the scan's and Bullet's."""
    layout, rng = load_layout("small"), np.random.default_rng(0)
    free = np.array(layout.free)
    cells = np.array([rng.permutation(free)[:robots] for _ in range(rounds)])
    headings = rng.uniform(-math.pi, math.pi, cells.shape)
    placements = np.stack([cells % layout.columns + 0.5, cells // layout.columns + 0.5, headings], 2)

    out = np.zeros((robots, ROBOT.lidar_rays), np.float32)
    scan(layout.blocked, placements[0], ROBOT.radius, ROBOT.lidar_range, out)  # compiles
    ours, bullets = np.empty(rounds), np.empty(rounds)
    for i, poses in enumerate(placements):
        start = time.perf_counter()
        scan(layout.blocked, poses, ROBOT.radius, ROBOT.lidar_range, out)
        ours[i] = time.perf_counter() - start

    client, bodies = build(layout.racks(), robots)
    for i, poses in enumerate(placements):
        for body, (x, y, _) in zip(bodies, poses, strict=True):
            pybullet.resetBasePositionAndOrientation(body, [x, y, 0], [0, 0, 0, 1], physicsClientId=client)
        starts, ends = rays(poses)
        start = time.perf_counter()
        pybullet.rayTestBatch(starts, ends, physicsClientId=client)
        bullets[i] = time.perf_counter() - start
    pybullet.disconnect(client)
    return 1e9 * float(np.median(ours)) / out.size, 1e9 * float(np.median(bullets)) / out.size


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="ns a lidar ray: sim.lidar.scan against Bullet's rayTestBatch")
    parser.add_argument("--rounds", type=int, default=500, help="placements of each fleet (default 500)")
    rounds = parser.parse_args().rounds
    print(f"{'robots':>6}  {'scan [ns/ray]':>13}  {'Bullet [ns/ray]':>15}  {'ratio':>6}")
    for robots in FLEETS:
        ours, bullets = measure(robots, rounds)
        print(f"{robots:>6}  {ours:>13.1f}  {bullets:>15.0f}  {bullets / ours:>6.0f}")


if __name__ == "__main__":
    main()
