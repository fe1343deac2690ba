"""What right of way costs on a robot, in plain Python: processor time of a control period, with and without a plan.

All robots of a simulated fleet always go on. In each control period one of them, in turn, computes on the side what it
would on a robot: it judges what it heard, and keeps its right of way.

    python -m benchmarks.right_of_way [--scene depot] [--robots 32] [--seconds 60] [--seed 1000]
"""

import argparse
import time
from dataclasses import replace

import numpy as np

from export.robot.hearing import Hearing
from sim.env import WarehouseEnv
from sim.observation import MANEUVERS
from sim.scene import open_scene
from sim.traffic.right_of_way import keep_right_of_way
from sim.traffic.state import MEMORY, Chart, Heard, new_scratch

GO = MANEUVERS.index("go")


class RobotClock:
    """The times that one robot in turn takes, in plain Python, for what the simulator computes.

    Args:
        env: the simulated fleet.
    """

    def __init__(self, env: WarehouseEnv) -> None:
        traffic = env._warehouse.sensors.traffic
        assert traffic is not None
        self._env, self._traffic, self._scratch = env, traffic, new_scratch(env.layout.blocked.size)
        self._hearing = [Hearing(env.scene.robot, env.layout.blocked, float(i), True) for i in range(env.scene.robots)]
        self._turn, self._hear = 0, traffic.hear
        traffic.hear = self._hear_and_compute  # type: ignore[method-assign]
        self.judging: list[float] = []
        """To judge what was heard, a control period each [s]."""
        self.periods: list[float] = []
        """A control period without a plan [s]."""
        self.plans: list[float] = []
        """A control period with a plan [s]."""

    def _hear_and_compute(self) -> None:
        self._hear()
        self._turn = (self._turn + 1) % self._env.scene.robots
        i, traffic, sensors = self._turn, self._traffic, self._env._warehouse.sensors
        air, charts = traffic.radio, traffic.charts
        rows, ages = air.rows[i, : air.counts[i]], air.ages[i, : air.counts[i]].copy()
        started = time.thread_time()
        heard = self._hearing[i].judge(air.sent[rows], ages)
        judged = time.thread_time()
        memory, seen = traffic.memory[i].copy(), np.zeros_like(sensors.lidar[i])
        chart = Chart(
            charts.blocked, charts.costs, charts.to_goal[i].copy(), charts.closed[i].copy(), charts.watched[i].copy()
        )
        keep_right_of_way(
            traffic.records[i].copy(), memory, int(traffic._goals[i]), sensors.lidar[i], chart,
            Heard(heard.records, heard.rows, heard.ages), self._scratch, traffic.rules, seen,
        )  # fmt: skip
        kept = time.thread_time() - judged
        planned = memory[MEMORY.plans] > traffic.memory[i, MEMORY.plans]
        self.judging.append(judged - started)
        (self.plans if planned else self.periods).append(kept)


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", default="depot")
    parser.add_argument("--robots", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1000)
    options = parser.parse_args()
    scene, layout = open_scene(options.scene, options.robots)
    with WarehouseEnv(replace(scene, right_of_way="plans", time_limit=options.seconds), layout=layout) as env:
        clock = RobotClock(env)
        env.reset(options.seed)
        while env.agents:
            env.step(dict.fromkeys(env.agents, GO))
    for name, taken in (
        ("judging what was heard", clock.judging), ("control period", clock.periods), ("with a plan", clock.plans),
    ):  # fmt: skip
        p50, p99, worst = np.percentile(np.array(taken) * 1e3, [50, 99, 100])
        print(f"{name}: {len(taken)} times, p50 {p50:.2f} ms, p99 {p99:.2f} ms, at most {worst:.2f} ms")


if __name__ == "__main__":
    main()
