"""What right of way may take on a robot, which computes ten times a second: processor time, whatever else runs."""

from dataclasses import replace

import numpy as np

from benchmarks.right_of_way import GO, RobotClock
from sim.env import WarehouseEnv
from sim.scene import open_scene


def test_a_robot_in_plain_python_is_in_time() -> None:
    scene, layout = open_scene("depot", 32)
    with WarehouseEnv(replace(scene, right_of_way="plans", time_limit=20.0), layout=layout) as env:
        clock = RobotClock(env)
        env.reset(1000)
        while env.agents:
            env.step(dict.fromkeys(env.agents, GO))
    assert len(clock.plans) > 20
    assert np.percentile(np.array(clock.periods), 99) < 2e-3
    assert np.percentile(np.array(clock.plans), 99) < 30e-3
    assert np.percentile(np.array(clock.judging), 99) < 2e-3
