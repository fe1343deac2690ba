"""What recording costs: whoever records, the process that writes, and the disk.

    python -m benchmarks.recording [--robots N] [--scene NAME]

Prints the processor time that a control period takes of the thread that is recorded, with and without a recording, and
the bytes of a minute.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.fleet.recording import FleetRecording
from policies.evaluate import play
from policies.fleet_policies import AlwaysGo
from sim.env import WarehouseEnv
from sim.observation import MANEUVERS

EPISODES = 5


def seconds_per_tick(env: WarehouseEnv, act: Callable[[NDArray[np.float32]], NDArray[np.int64]]) -> float:
    """Return the processor time of this thread for a control period [s], the least over some episodes."""
    spent = []
    for seed in range(EPISODES):
        began = time.thread_time()
        decisions = sum(1 for _ in play(env, seed, act))
        spent.append((time.thread_time() - began) / (decisions * env.scene.ticks))
    return min(spent)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scene", default="small")
    parser.add_argument("--robots", type=int, default=8)
    options = parser.parse_args()
    env = WarehouseEnv(options.scene, options.robots)
    q_values = np.random.default_rng(0).normal(size=(options.robots, len(MANEUVERS))).astype(np.float32)
    plain = seconds_per_tick(env, AlwaysGo().act)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "flight.mcap"
        with FleetRecording(env.warehouse, file, "benchmark", print, q_values=lambda: q_values):
            recorded = seconds_per_tick(env, AlwaysGo().act)
        minutes = EPISODES * env.scene.decisions * env.scene.decision_period / 60
        size = file.stat().st_size / minutes
    cost, period = recorded - plain, env.scene.control_period
    print(f"{options.scene}, {options.robots} robots that always go, a control period of {period:g} s")
    print(f"without a recording {1e6 * plain:7.1f} us")
    print(
        f"with a recording    {1e6 * recorded:7.1f} us: {1e6 * cost:.1f} us, {cost / period:.3%} of the control period"
    )
    print(f"a minute            {size / 1e6:7.2f} MB")


if __name__ == "__main__":
    main()
