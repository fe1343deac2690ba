import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from policies.agent import AgentNetwork
from policies.config import AgentConfig
from policies.environments import EnvSource
from policies.episode import DecisionTimes, Episode, EpisodeMeter, throughput
from policies.evaluate import (
    choose_scene,
    evaluate_fleet,
    evaluate_returns,
    run_episode,
    run_solo,
)
from policies.fleet_policies import AlwaysGo, GreedyPolicy
from policies.results import as_json, make_row, mean_and_ci95, without_times
from policies.without_run import evaluate_without_run
from sim.env import WarehouseEnv
from sim.errors import InputError
from sim.layout import load_layout
from sim.observation import MANEUVERS, observation_spec
from sim.scene import RobotConfig, SceneConfig

SMALL = SceneConfig(layout="small", robots=2, time_limit=24.0)
LAYOUT = load_layout("small")


class AlwaysStop(AlwaysGo):
    """Never moves."""

    def act(self, observations):
        return np.full(len(observations), MANEUVERS.index("stop"), np.int64)


def network(shared: bool) -> AgentNetwork:
    scale = torch.from_numpy(observation_spec(RobotConfig()).scale)
    return AgentNetwork(3, scale, len(MANEUVERS), AgentConfig("gru", hidden=8, shared=shared))


def test_a_robot_that_stands_for_20_s_is_deadlocked_once() -> None:
    env = WarehouseEnv(dataclasses.replace(SMALL, time_limit=60.0))
    episode = run_episode(env, AlwaysStop(), seed=1)
    # Both robots stand from the start, so each deadlock begins after 20 s and never ends. 60 s are 150 decisions.
    assert episode.length == 150
    assert episode.totals == {"deliveries": 0, "legs": 0, "robot_contacts": 0, "rack_contacts": 0, "deadlocks": 2}
    shorter = WarehouseEnv(dataclasses.replace(SMALL, time_limit=19.6))
    assert run_episode(shorter, AlwaysStop(), seed=1).totals["deadlocks"] == 0


def test_solo_of_one_robot_is_its_own_episode_and_that_of_two_adds_them_up() -> None:
    one = dataclasses.replace(SMALL, robots=1)
    rows = evaluate_fleet([], one, LAYOUT, episodes=3, seed=7)
    assert [row.policy for row in rows] == ["always-go, no rules", "solo"]
    assert rows[1].throughput >= rows[0].throughput > 0  # solo drives better than always-go
    assert rows[1].efficiency == 1.0
    first = run_solo(one, LAYOUT, [7])[0].totals[
        "deliveries"
    ]  # robot 0 has the start and orders that it has in a fleet
    both = run_solo(SMALL, LAYOUT, [7])[0]
    assert both.totals["deliveries"] > first > 0
    assert throughput([both], SMALL) == pytest.approx(both.totals["deliveries"] / (2 * 24 / 3600))


def test_policies_that_need_no_run_are_measured_on_the_same_seeds_with_their_decision_times() -> None:
    rows = evaluate_without_run(["pibt", "always-go, no rules", "pibt"], SMALL, LAYOUT, [7, 8], 100.0)
    assert [row.policy for row in rows] == ["pibt", "always-go, no rules"]
    assert all(0.0 < row.decision_us < row.decision_us_p99 for row in rows)
    assert all(math.isnan(row.decision_us) and math.isnan(row.decision_us_p99) for row in without_times(rows))
    assert rows[0].efficiency == rows[0].throughput / 100.0
    again, solo = evaluate_fleet([], SMALL, LAYOUT, 2, 7)
    assert again.throughput == rows[1].throughput
    assert json.loads(as_json([solo]))[0]["decision_us"] is None  # of many episodes that are played as one


def test_rows_worked_by_hand() -> None:
    # 4 robots x 60 s = 1/15 h: 5, 7 and 9 deliveries are 75, 105 and 135 an hour; mean 105, standard deviation 30,
    # and with 2 degrees of freedom t = 4.3027, so the interval is 4.3027 * 30 / sqrt(3) = 74.52.
    scene = SceneConfig(robots=4)  # a decision takes 0.4 s, so 150 of them 60 s
    counts = {"robot_contacts": 1.0, "rack_contacts": 0.0}
    # With 1 pick on the way in each episode, legs are 11, 15 and 19: 82.5, 112.5 and 142.5 orders an hour by legs.
    episodes = [
        Episode(0.0, 150, {**counts, "deliveries": n, "legs": 2 * n + 1, "deadlocks": float(n == 5)}, n, 4 * n)
        for n in (5.0, 7.0, 9.0)
    ]
    row = make_row("ours", scene, episodes, solo_throughput=210.0)
    assert (row.throughput, row.efficiency) == pytest.approx((105.0, 0.5))
    assert row.throughput_ci95 == pytest.approx(74.52, abs=0.01)
    assert (row.throughput_by_legs, row.throughput_by_legs_ci95) == pytest.approx((112.5, 74.52), abs=0.01)
    assert (row.decision_us, row.decision_us_p99) == pytest.approx((7.0, 28.0))
    assert (row.robot_contacts, row.rack_contacts) == pytest.approx((15.0, 0.0))  # 3 in 1/5 h
    assert (row.deadlocks, row.empty_episodes, row.episodes) == (1, 0, 3)
    assert math.isnan(mean_and_ci95([1.0])[1])
    alone = make_row("ours", scene, episodes[:1], solo_throughput=210.0)
    assert json.loads(as_json([alone]))[0]["throughput_ci95"] is None


def test_an_order_is_two_legs_and_one_without_picks_as_well() -> None:
    counts = {"robot_contacts": 0, "rack_contacts": 0, "distance": 1.0}
    for picks, legs in (({"picks": 3}, 5.0), ({}, 4.0)):
        meter = EpisodeMeter(dataclasses.replace(SMALL, robots=1))
        meter.add([{"deliveries": 2, **picks, **counts}])
        assert meter.episode().totals["legs"] == legs


def test_times_of_decisions_worked_by_hand() -> None:
    # 2 robots, a decision for 4 control periods: 40 us for both are 20 us in one of four periods, 5 us in the mean.
    times = DecisionTimes(SMALL, 4)
    for _ in range(50):
        times.add(40e-6)
    told = times.told_of(Episode(0.0, 50, {}))
    assert (told.decision_us, told.decision_us_p99) == pytest.approx((5.0, 20.0))
    assert told == Episode(0.0, 50, {})  # equal episodes are equal, whatever they took


def test_what_rules_take_counts_in_every_control_period() -> None:
    # A decision of 40 us in the first of two periods and rules of 10 and 20 us, for 2 robots: 25 and 10 us each.
    times = DecisionTimes(SMALL, 2)
    times.add(40e-6)
    times.add_to_periods([10e-6, 20e-6])
    assert times.told_of(Episode(0.0, 1, {})).decision_us == pytest.approx(17.5)
    ruled = dataclasses.replace(SMALL, time_limit=4.0, right_of_way="plans")
    with WarehouseEnv(ruled) as by_rules, WarehouseEnv(dataclasses.replace(ruled, right_of_way="none")) as without:
        policies = AlwaysGo("plans"), AlwaysGo("none")
        took = [
            run_episode(env, policy, 1).decision_us for env, policy in zip((by_rules, without), policies, strict=True)
        ]
    assert took[0] > 2 * took[1]
    assert [policy.name for policy in policies] == ["always-go", "always-go, no rules"]


def test_a_shared_network_drives_any_fleet_and_one_of_own_parameters_only_its_own() -> None:
    for robots in (1, 2, 5):
        policy = GreedyPolicy(network(shared=True), "shared")
        run_episode(WarehouseEnv("small", robots=robots), policy, seed=0)
    own = GreedyPolicy(network(shared=False), "own")
    own.reset(3)
    with pytest.raises(InputError, match="robots is 5, but each of the 3 robots"):
        own.reset(5)


def test_greedy_episodes_forget_the_one_before() -> None:
    env, policy = WarehouseEnv(SMALL), GreedyPolicy(network(shared=True), "ours")
    first = run_episode(env, policy, seed=3)
    run_episode(env, policy, seed=4)
    assert run_episode(env, policy, seed=3) == first


def test_another_scene_keeps_the_robot_and_brings_its_own_fleet() -> None:
    trained = dataclasses.replace(SMALL, robot=RobotConfig(radius=0.25))
    assert choose_scene(trained, LAYOUT, None, None, "velocity") == (trained, LAYOUT.guided(2))
    scene, layout = choose_scene(trained, LAYOUT, "narrow", None, "wheels")
    assert (scene.layout, scene.robots, scene.drive, scene.robot.radius) == ("narrow", 6, "wheels", 0.25)
    assert layout.columns == 9
    assert choose_scene(trained, LAYOUT, "narrow", 2, "velocity")[0].robots == 2
    with pytest.raises(InputError, match="robots is 69, but layout small has room for 68"):
        choose_scene(trained, LAYOUT, None, 69, "velocity")


def knowing_agent() -> AgentNetwork:
    """A network that says what it sees, which is -1 or 1 in the first of two features."""
    agent = AgentNetwork(2, torch.ones(2), 2, AgentConfig(hidden=8))
    with torch.no_grad():
        for parameter in agent.parameters():
            parameter.zero_()
        for layer in ("encoder.0", "encoder.3"):
            agent.get_parameter(f"networks.0.{layer}.weight")[0, 0] = 1.0  # unit 0 is positive where a 1 is seen
        for norm in ("encoder.1", "encoder.4"):
            agent.get_parameter(f"networks.0.{norm}.weight").fill_(1.0)
        agent.get_parameter("networks.0.head.weight")[1, 0] = 1.0
        agent.get_parameter("networks.0.head.bias")[0] = 0.5
    return agent


def test_another_environment_is_measured_by_its_return() -> None:
    source = EnvSource(factory="tests.policies.tiny_envs:Guess")
    # Saying what it sees brings an agent its best reward at every step; by chance it does so half of the time.
    random, greedy = evaluate_returns(source, knowing_agent(), "IQL", episodes=30, seed=0)
    assert (random.policy, greedy.policy, greedy.episodes) == ("random", "IQL", 30)
    # 30 x 8 fair coins of 1/2 each: 2 on average, standard deviation of the mean sqrt(8 / 16 / 30) = 0.13.
    assert random.team_return == pytest.approx(2.0, abs=5 * 0.13)
    assert greedy.team_return == 4.0
