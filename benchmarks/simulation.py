"""How fast the warehouse steps, and how much of that is Bullet: fleets of 1 to 32 robots under random maneuvers.

The same episodes are played with the plain simulator, with a clock around `stepSimulation` and with a clock around
every PyBullet call. What the clock itself costs is subtracted. Of each step the fastest of all repetitions counts,
since the other processes of a machine can only slow it down. The last column compares what a step costs for each robot
with a fleet of 4 in the same scene: 1.00 means that the cost grows with the fleet and no faster.

    python -m benchmarks.simulation [--drive velocity|wheels] [--repeats 10] [--decisions N]
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pybullet
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import sim.physics.world
from sim.env import WarehouseEnv
from sim.lidar import scan
from sim.observation import MANEUVERS
from sim.scene import DRIVE_MODELS, DriveModel, SceneConfig

CASES = [("small", 1), ("small", 4), ("small", 8), *(("depot", robots) for robots in (1, 4, 8, 16, 32))]
STEP = "stepSimulation"
WORLD: dict[str, Any] = vars(sim.physics.world)
"""Where the simulator finds the pybullet module."""


class Clock:
    """The pybullet module, with its calls timed.

    Args:
        bullet: the module.
        timed: names of the functions that are timed.
    """

    def __init__(self, bullet: Any, timed: list[str]) -> None:
        self._bullet = bullet
        self.seconds, self.calls = 0.0, 0
        for name in timed:
            setattr(self, name, self._around(getattr(bullet, name)))
        nothing = self._around(bool)
        for _ in range(10_000):
            nothing()
        self._own = self.seconds / self.calls  # what a call of nothing takes
        self.restart()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bullet, name)

    def _around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        now = time.perf_counter

        def timed(*arguments: Any, **named: Any) -> Any:
            begin = now()
            result = function(*arguments, **named)
            self.seconds += now() - begin
            self.calls += 1
            return result

        return timed

    def restart(self) -> None:
        """Count from zero."""
        self.seconds, self.calls = 0.0, 0

    def net(self) -> float:
        """Return the time inside the calls since the restart, without the clock's own [s]."""
        return max(0.0, self.seconds - self.calls * self._own)


@contextmanager
def environment(scene: str, robots: int, drive: DriveModel, timed: list[str]) -> Iterator[tuple[WarehouseEnv, Clock]]:
    """Return an environment whose physics calls go through a clock."""
    bullet = WORLD["pybullet"]
    clock = Clock(bullet, timed)
    WORLD["pybullet"] = clock if timed else bullet
    env = WarehouseEnv(scene, robots, drive=drive)
    try:
        yield env, clock
    finally:
        env.close()
        WORLD["pybullet"] = bullet


@dataclass
class Episode:
    """What the first steps of an episode took."""

    steps: list[float]
    """Time of each step [s]."""
    inside: list[float]
    """Of that, inside the timed calls [s]."""
    states: list[NDArray[np.float32]]
    """The state after each step."""


def play(env: WarehouseEnv, clock: Clock, decisions: int) -> Episode:
    """Play the first steps of an episode by random maneuvers; leave the clock with what the last step brought."""
    rng = np.random.default_rng(0)
    actions = rng.integers(len(MANEUVERS), size=(decisions, len(env.possible_agents))).tolist()
    env.reset(seed=0)
    episode = Episode([], [], [])
    for choice in actions:
        chosen = dict(zip(env.agents, choice, strict=True))
        clock.restart()
        begin = time.perf_counter()
        env.step(chosen)
        episode.steps.append(time.perf_counter() - begin)
        episode.inside.append(clock.net())
        episode.states.append(env.state())
    return episode


def ray_time(env: WarehouseEnv, states: list[NDArray[np.float32]], repeats: int) -> float:
    """Return the time of a lidar ray at the places of an episode [s], each scan with other surroundings."""
    robot, n = env.scene.robot, env.scene.robots
    rows = np.array(states)[:, :-1].reshape(len(states), n, -1).astype(np.float64)
    poses = np.concatenate([rows[..., :2], np.arctan2(rows[..., 3], rows[..., 2])[..., None]], axis=2)
    out = np.empty((n, robot.lidar_rays), np.float32)
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        for pose in poses:
            scan(env.layout.blocked, pose, robot.radius, robot.lidar_range, out)
        times.append(time.perf_counter() - begin)
    return min(times[1:]) / (len(poses) * out.size)


def measure(scene: str, robots: int, drive: DriveModel, repeats: int, decisions: int) -> dict[str, float]:
    """Return the times of a step, its physics and PyBullet calls, a substep, a ray [s], and the substeps of a step."""
    calls = [name for name in dir(pybullet) if callable(getattr(pybullet, name))]
    runs: list[list[Episode]] = []
    for timed in ([], calls, [STEP]):
        with environment(scene, robots, drive, timed) as (env, clock):
            runs.append([play(env, clock, decisions) for _ in range(repeats + 1)][1:])
            substeps = clock.calls * pybullet.getPhysicsEngineParameters(env._warehouse._world._client)["numSubSteps"]
            ray = ray_time(env, runs[0][0].states, repeats)
    if any(not np.array_equal(episode.states, runs[0][0].states) for kind in runs for episode in kind):
        raise RuntimeError("the repetitions differ, so their times can't be compared")
    bullet, simulating = (float(np.min([episode.inside for episode in kind], axis=0).mean()) for kind in runs[1:])
    return {
        "step": float(np.min([episode.steps for episode in runs[0]], axis=0).mean()),
        "simulating": simulating,
        "bullet": bullet,
        "substeps": substeps,
        "substep": simulating / substeps,
        "ray": ray,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drive", choices=DRIVE_MODELS, default="velocity", help="drive model")
    parser.add_argument("--repeats", type=int, default=10, help="times that each episode is played")
    parser.add_argument("--decisions", type=int, help="steps of an episode, by default 100, on wheels 5")
    arguments = parser.parse_args()
    table = Table(
        title=f"Simulation with drive {arguments.drive}, the fastest of {arguments.repeats} runs of each step"
    )
    for column in (
        "scene", "robots", "env steps/s", "robot steps/s", "us a step", "in stepSimulation", "in all PyBullet calls",
        "us not in them", "substeps a step", "us a substep", "ns a ray", "cost a robot / of 4",
    ):  # fmt: skip
        table.add_column(column, justify="left" if column == "scene" else "right")
    decisions = arguments.decisions or (100 if arguments.drive == "velocity" else 5)
    limit = SceneConfig().decisions
    if not (1 <= decisions <= limit and arguments.repeats >= 1):
        parser.error(
            f"--decisions is {decisions}, valid is 1 to {limit}; --repeats is {arguments.repeats}, valid from 1"
        )
    rows = {case: measure(*case, arguments.drive, arguments.repeats, decisions) for case in CASES}
    for (scene, robots), row in rows.items():
        step, four = row["step"], rows[scene, 4]["step"] / 4
        table.add_row(
            scene, str(robots), f"{1 / step:,.0f}", f"{robots / step:,.0f}", f"{1e6 * step:.0f}",
            f"{row['simulating'] / step:.0%}", f"{row['bullet'] / step:.0%}", f"{1e6 * (step - row['bullet']):.0f}",
            f"{row['substeps']:.0f}", f"{1e6 * row['substep']:.2f}", f"{1e9 * row['ray']:.0f}",
            f"{step / robots / four:.2f}",
        )  # fmt: skip
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
