"""What nobody tells of: half the way counts up to it, and it is driven round when it stays."""

import math

import numpy as np
import pytest

from sim.env import WarehouseEnv
from sim.layout import parse_layout
from sim.observation import MANEUVERS
from sim.scene import SceneConfig
from sim.traffic.broadcast import RECORD, RECORD_SIZE
from sim.traffic.closed_cells import CLOSED_AFTER, REMEMBERED, close_cells, judge_lidar
from sim.traffic.fleet import Traffic
from sim.traffic.rules import Rules
from sim.traffic.state import Chart, Heard, new_chart

# A lane of cells 0 to 8 between two walls, and a way round it above.
RING = parse_layout(".........\n.#######.\nS........\n", "ring")
LANE = parse_layout("#########\nS........\n", "lane")
RULES = Rules()
GO = MANEUVERS.index("go")
NOBODY = Heard(np.zeros((0, RECORD_SIZE)), np.zeros(0, np.int64), np.zeros(0))


def robot(x: float, y: float, speed: float = 0.0) -> np.ndarray:
    record = np.zeros(RECORD_SIZE)
    record[RECORD.x], record[RECORD.y], record[RECORD.speed] = x, y, speed
    return record


def look(chart: Chart, ahead: float, heard: Heard, now: float = 0.0) -> np.ndarray:
    """What a robot at (1.5, 0.5) that faces along x drives by: one ray ahead, one behind to the border."""
    out, lidar = np.zeros(2, np.float32), np.array([ahead, 1.5], np.float32)
    judge_lidar(robot(1.5, 0.5), lidar, chart, heard, now, RULES, out)
    return out


def test_half_the_way_counts_to_what_neither_map_nor_radio_explains() -> None:
    chart = new_chart(LANE.blocked, LANE.costs)
    assert look(chart, 2.3, NOBODY).tolist() == pytest.approx([0.3 + 1.0, 1.5])
    assert look(chart, 4.0, NOBODY).tolist() == [4.0, 1.5]  # nothing in range
    heard = Heard(robot(4.1, 0.5)[np.newaxis], np.array([0]), np.array([0.0]))
    assert look(chart, 2.3, heard).tolist() == pytest.approx([2.3, 1.5])


def test_a_robot_that_was_heard_a_while_ago_explains_what_is_where_it_would_be_now() -> None:
    chart = new_chart(LANE.blocked, LANE.costs)
    moving = Heard(robot(4.1, 0.5, 1.0)[np.newaxis], np.array([0]), np.array([0.5]))
    assert look(chart, 2.8, moving)[0] == np.float32(2.8)  # it is at 4.6 now
    assert look(chart, 1.6, moving)[0] < 1.6


def test_a_cell_closes_when_it_was_taken_for_long_and_opens_when_it_is_seen_through() -> None:
    chart = new_chart(LANE.blocked, LANE.costs)
    lidar, free = np.array([2.3, 1.5], np.float32), np.array([4.0, 1.5], np.float32)
    now, changes = 0.0, []
    while now < CLOSED_AFTER + 0.55:
        look(chart, 2.3, NOBODY, now)
        changes.append(close_cells(robot(1.5, 0.5), lidar, chart, now))
        now += 0.1
    assert sum(changes) == 1
    assert np.flatnonzero(chart.closed).tolist() == [3]  # the surface is at 3.8, what is behind it in cell 3
    assert not close_cells(robot(0.5, 0.5), lidar, chart, now)  # out of sight, it stays closed
    assert close_cells(robot(1.5, 0.5), free, chart, now)
    assert not chart.closed.any()


def test_a_closed_cell_that_was_not_seen_for_very_long_is_tried_again() -> None:
    chart = new_chart(LANE.blocked, LANE.costs)
    for now in (0.0, 1.5, 3.0, 4.5, 6.0, 7.5, 9.0, 10.5):
        look(chart, 2.3, NOBODY, now)
        close_cells(robot(1.5, 0.5), np.array([2.3, 1.5], np.float32), chart, now)
    assert chart.closed.any()
    blind = np.array([0.5, 0.5], np.float32)
    assert not close_cells(robot(1.5, 0.5), blind, chart, 10.5 + REMEMBERED)
    assert close_cells(robot(1.5, 0.5), blind, chart, 10.6 + REMEMBERED)


def test_what_passes_by_closes_nothing() -> None:
    chart = new_chart(LANE.blocked, LANE.costs)
    for now in np.arange(0.0, 60.0, 3.0).tolist():  # gaps of 3 s between the sights
        look(chart, 2.3, NOBODY, now)
        assert not close_cells(robot(1.5, 0.5), np.array([2.3, 1.5], np.float32), chart, now)


def traffic(env: WarehouseEnv) -> Traffic:
    rules = env._warehouse.sensors.traffic
    assert rules is not None
    return rules


def put(env: WarehouseEnv, poses: list[tuple[float, float, float]], goals: list[int]) -> None:
    """Begin an episode with the robots at these poses, each with its goal."""
    env.reset(0)
    warehouse = env._warehouse
    warehouse._world.reset(np.array(poses))
    warehouse.sensors.start(warehouse.poses, 0)
    for i, goal in enumerate(goals):
        warehouse._orders.goal[i] = goal
        warehouse.sensors.send(i, goal)


@pytest.mark.parametrize("drive", ["velocity", "wheels"])
def test_two_that_meet_head_on_without_radio_stop_in_time(drive: str) -> None:
    with WarehouseEnv(SceneConfig(robots=2, right_of_way="plans", drive=drive), layout=LANE) as env:  # type: ignore[arg-type]
        put(env, [(0.5, 0.5, 0.0), (8.5, 0.5, math.pi)], [8, 0])
        traffic(env).radio.mute[:] = True
        env._warehouse._sense()
        fastest = 0.0
        for _ in range(20):
            before = np.abs(env._warehouse.velocities[:, 0]).sum()
            infos = env.step(dict.fromkeys(env.agents, GO))[4]
            fastest = max(fastest, before)
            touched = any(info["robot_contacts"] for info in infos.values())
            assert not touched or before <= 0.3
        assert fastest > 2.0  # they were at full speed


def test_a_robot_drives_round_one_that_died_in_the_lane() -> None:
    with WarehouseEnv(SceneConfig(robots=2, right_of_way="plans", time_limit=60.0), layout=RING) as env:
        put(env, [(0.5, 0.5, 0.0), (4.5, 0.5, 0.0)], [8, 0])
        rules = traffic(env)
        rules.radio.mute[1] = True
        commands = np.zeros((2, 2))
        warehouse = env._warehouse
        for _ in range(400):
            env._controller(np.full(2, GO), warehouse.sensors.observations, commands)
            commands[1] = 0.0
            warehouse.tick(commands)
            if warehouse.events["picks"][0] + warehouse.events["deliveries"][0]:
                break
        assert warehouse.events["picks"][0] == 1
        assert rules.charts.closed[0, 4]
        assert not warehouse._touched.any()
