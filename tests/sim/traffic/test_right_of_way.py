"""Right of way in the simulator: no contact, no deadlock, the same every time, and the same as on a robot."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from sim.env import WarehouseEnv
from sim.observation import MANEUVERS
from sim.scene import RightOfWayMode, SceneConfig
from sim.traffic.broadcast import RECORD, Fault, fault_of
from sim.traffic.fleet import Traffic
from sim.traffic.robot import RightOfWay
from sim.traffic.state import Heard

GO = MANEUVERS.index("go")


@contextmanager
def fleet(mode: RightOfWayMode, scene: str, robots: int, **settings: Any) -> Iterator[WarehouseEnv]:
    with WarehouseEnv(SceneConfig(scene, robots, right_of_way=mode, **settings)) as env:
        yield env


def traffic(env: WarehouseEnv) -> Traffic:
    rules = env._warehouse.sensors.traffic
    assert rules is not None
    return rules


def drive(env: WarehouseEnv, seed: int) -> Iterator[dict[str, dict[str, Any]]]:
    """Always go; yield the infos of all robots after each decision."""
    env.reset(seed)
    while env.agents:
        yield env.step(dict.fromkeys(env.agents, GO))[4]


@pytest.mark.parametrize("mode", ["plans", "claims"])
@pytest.mark.parametrize(("scene", "robots"), [("small", 8), ("narrow", 6), ("crossing", 2), ("aisle", 2)])
def test_nobody_touches_anybody_or_stands_for_good(mode: RightOfWayMode, scene: str, robots: int) -> None:
    with fleet(mode, scene, robots) as env:
        for seed in range(2000, 2004):
            distances = []
            for infos in drive(env, seed):
                distances.append([info["distance"] for info in infos.values()])
                assert all(info["robot_contacts"] == info["rack_contacts"] == 0 for info in infos.values())
            driven = np.array(distances)
            assert (driven[50:] - driven[:-50]).min() > 0.5  # in each 20 s


@pytest.mark.parametrize("mode", ["plans", "claims"])
def test_what_a_robot_tells_is_never_refused_and_no_two_end_in_a_cell(mode: RightOfWayMode) -> None:
    with fleet(mode, "small", 8, time_limit=30.0) as env:
        records = traffic(env).records
        for _ in drive(env, 2010):
            for record in records:
                assert fault_of(record, env.layout.blocked) == Fault.NONE
            counts = records[:, RECORD.claim_count].astype(int)
            last = np.arange(len(records)), RECORD.claims + counts - 1
            settled = records[last[0], last[1] + RECORD.claimed_at - RECORD.claims] < records[:, RECORD.clock] - 1
            ends = records[last][settled]
            assert len(set(ends)) == len(ends)


def test_an_episode_is_the_same_each_time() -> None:
    with fleet("plans", "small", 6, time_limit=20.0) as env:
        runs = []
        for _ in range(2):
            *_, infos = drive(env, 2020)
            runs.append((traffic(env).records.copy(), env._warehouse.poses.copy(), infos))
    assert np.array_equal(runs[0][0], runs[1][0])
    assert np.array_equal(runs[0][1], runs[1][1])
    assert runs[0][2] == runs[1][2]


@pytest.mark.parametrize("mode", ["plans", "claims"])
def test_a_robot_in_plain_python_tells_the_very_bits_of_the_simulator(mode: RightOfWayMode) -> None:
    with fleet(mode, "narrow", 5, time_limit=20.0) as env:
        env.reset(2030)
        rules, warehouse = traffic(env), env._warehouse
        robots = [RightOfWay(env.layout, env.scene, float(i)) for i in range(5)]
        for robot, (x, y, _) in zip(robots, warehouse.poses.tolist(), strict=True):
            robot.begin(x, y)
        commands = np.zeros((5, 2))
        for _ in range(200):
            for i, robot in enumerate(robots):
                heard, count = rules.radio, rules.radio.counts[i]
                rows = heard.rows[i, :count]
                room = robot.step(
                    tuple(warehouse.poses[i].tolist()),
                    tuple(warehouse.velocities[i].tolist()),
                    bool(warehouse.carrying[i]),
                    int(warehouse._orders.goal[i]),
                    warehouse.sensors.lidar[i],
                    Heard(heard.sent[rows], np.arange(count), heard.ages[i, :count]),
                )
                assert np.array_equal(robot.record, rules.records[i])
                assert np.array_equal(robot.seen, rules.seen[i])
                assert room == warehouse.sensors._rooms[i]
            env._controller(np.full(5, GO), warehouse.sensors.observations, commands)
            warehouse.tick(commands)
