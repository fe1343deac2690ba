from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.env import Controller, WarehouseEnv
from sim.errors import InputError
from sim.layout import parse_layout
from sim.observation import MANEUVERS, observation_spec
from sim.scene import RewardConfig, RobotConfig, SceneConfig

GO = MANEUVERS.index("go")
LANE = parse_layout("S..#", "lane")  # one station, and one pick cell: the third
LONG_LANE = parse_layout("S......#", "long lane")
SPEC = observation_spec(RobotConfig())
Make = Callable[..., WarehouseEnv]


def go(env: WarehouseEnv) -> tuple[dict[str, Any], float, dict[str, Any], dict[str, Any], dict[str, dict[str, Any]]]:
    """Let all go for one step; return what it returns, and the reward that all share."""
    observations, rewards, terminations, truncations, infos = env.step(dict.fromkeys(env.agents, GO))
    assert len(set(rewards.values())) == 1
    return observations, next(iter(rewards.values())), terminations, truncations, infos


def robots_in(env: WarehouseEnv) -> NDArray[np.float32]:
    """Return the state, a row of x, y, cos, sin, v, w, goal x, y, carrying, remaining path for each robot."""
    return env.state()[:-1].reshape(-1, 10)


def start_where(env: WarehouseEnv, wanted: Callable[[NDArray[np.float32]], bool]) -> None:
    """Start the first episode whose robots stand as wanted."""
    for seed in range(1_000):
        env.reset(seed=seed)
        if wanted(robots_in(env)):
            return
    pytest.fail("no episode starts like that")


def always(speed: float, turn_rate: float = 0.0) -> Controller:
    """Return a controller that always commands the same."""

    def command(_maneuvers: Any, _observations: Any, commands: NDArray[np.float64]) -> None:
        commands[:] = speed, turn_rate

    return command


def ram(maneuvers: NDArray[np.int64], observations: NDArray[np.float32], commands: NDArray[np.float64]) -> None:
    """Command every robot into the nearest one."""
    for observation, command in zip(observations, commands, strict=True):
        _, ahead, left = observation[SPEC.slice("neighbours")][:3]
        bearing = np.arctan2(left, ahead)
        command[:] = 0.5 * (abs(bearing) < 0.1), 3.0 * bearing


def test_one_order_earns_what_the_reward_says(make: Make) -> None:
    env = make(SceneConfig(robots=1), layout=LANE)
    start_where(env, lambda robots: robots[0, 0] == 0.5)
    total, steps, picked_at = 0.0, 0, None
    infos: dict[str, dict[str, Any]] = {"robot_0": {"deliveries": 0}}
    while infos["robot_0"]["deliveries"] == 0:
        _, reward, _, _, infos = go(env)
        total, steps = total + reward, steps + 1
        picked_at = steps if picked_at is None and infos["robot_0"]["picks"] else picked_at
    info = infos["robot_0"]
    assert (info["picks"], info["deliveries"]) == (1, 1)
    assert picked_at is not None
    assert picked_at < steps
    # From x = 0.5 to the pick cell's middle at 2.5 the path is 2 m, and an order counts as reached at 0.35 m, or up to
    # 0.12 m (1.2 m/s for 0.1 s) nearer: 1.65 to 1.77 m. Back to 0.5 from there: 1.65 to 1.77 less 0.23 to 0.35 m.
    # So 0.5 + 1.0 + 0.1 * (2.95 to 3.31), less up to 0.036 for rolling on, away from the next pick, in that step.
    assert 1.795 - 0.036 <= total <= 1.831
    assert 2.95 <= info["distance"] <= 4.0
    assert info["robot_contacts"] == info["rack_contacts"] == 0
    assert robots_in(env)[0, 6:9].tolist() == [2.5, 0.5, 0.0]  # sent to the pick cell again, carrying nothing


def test_the_reward_is_the_config_times_what_happened(make: Make) -> None:
    config = RewardConfig(delivery=3.0, pick=20.0, progress=0.0, new_contact=0.0, in_contact=0.0)
    env = make(SceneConfig(robots=3, reward=config))
    env.reset(seed=4)
    total = 0.0
    infos: dict[str, dict[str, Any]] = {}
    while env.agents:
        _, reward, _, _, infos = go(env)
        total += reward
    picks, deliveries = (sum(info[name] for info in infos.values()) for name in ("picks", "deliveries"))
    assert picks > 2
    assert deliveries > 0
    assert total == pytest.approx((20.0 * picks + 3.0 * deliveries) / 3)


def test_progress_is_the_path_that_got_shorter(make: Make) -> None:
    env = make("small", robots=4)
    env.reset(seed=2)
    checked = 0
    for _ in range(30):
        before = robots_in(env)
        _, reward, _, _, infos = go(env)
        after = robots_in(env)
        contacts = sum(info["robot_contacts"] + info["rack_contacts"] for info in infos.values())
        if contacts == 0 and (before[:, 6:9] == after[:, 6:9]).all():  # still the same goals
            checked += 1
            assert reward == pytest.approx(0.1 * float(np.mean(before[:, 9] - after[:, 9])), abs=1e-6)
    assert checked > 10


def test_a_controller_can_be_replaced_and_the_distance_is_what_was_covered(make: Make) -> None:
    env = make("small", robots=1, controller=always(0.5))
    start_where(env, lambda robots: bool(abs(robots[0, 3]) < 0.1 and robots[0, 2] > 0 and robots[0, 0] < 6.0))
    x = robots_in(env)[0, 0]
    _, _, _, _, infos = go(env)
    # At 2 m/s^2 the speed is 0.2, 0.4, 0.5, 0.5 m/s after each 0.1 s: 0.01 + 0.03 + 0.045 + 0.05 m.
    assert infos["robot_0"]["distance"] == pytest.approx(0.135, abs=1e-5)
    assert robots_in(env)[0, 0] - x == pytest.approx(0.135, abs=0.001)
    assert robots_in(env)[0, 4] == pytest.approx(0.5)


def test_a_push_against_a_rack_counts_once_and_costs_as_long_as_it_lasts(make: Make) -> None:
    env = make(SceneConfig(robots=1), layout=LANE, controller=always(1.0))
    # Facing the rack at x = 3, 0.5 m and less than 2 degrees off: at 1 m/s the 0.2 m of free floor last one step.
    start_where(env, lambda robots: bool(robots[0, 0] == 1.5 and abs(robots[0, 3]) < 0.03 and robots[0, 2] > 0))
    rewards, contacts = [], []
    for _ in range(9):
        _, reward, _, _, infos = go(env)
        rewards.append(reward)
        contacts.append(infos["robot_0"]["rack_contacts"])
    began = contacts.index(1)
    assert contacts == [0] * began + [1] * (9 - began)
    assert infos["robot_0"]["robot_contacts"] == 0
    # It passes the pick cell, so it moves away from its station at 0.5 m while it still moves: at most 0.4 m a step.
    assert -0.25 - 0.04 <= rewards[began] - 0.5 * (began == 0) <= 0.5 - 0.25 + 0.04
    assert rewards[-1] == pytest.approx(-0.05, abs=1e-3)


def test_two_robots_that_collide_both_count_one_contact(make: Make) -> None:
    env = make(SceneConfig(robots=2, reward=RewardConfig(0.0, 0.0, 0.0)), layout=LONG_LANE, controller=ram)
    start_where(env, lambda robots: bool(abs(robots[0, 0] - robots[1, 0]) == 2.0))
    rewards = []
    for _ in range(12):
        _, reward, _, _, infos = go(env)
        rewards.append(reward)
    assert [info["robot_contacts"] for info in infos.values()] == [1, 1]
    assert [info["rack_contacts"] for info in infos.values()] == [0, 0]
    # Both robots: a new contact, -0.2, in the step that ends in contact, -0.05; later the latter alone.
    began = rewards.index(min(rewards))
    assert rewards[:began] == [0.0] * began
    assert rewards[began:] == pytest.approx([-0.25] + [-0.05] * (11 - began))


@given(decisions=st.integers(1, 12))
def test_an_episode_is_truncated_at_the_time_limit_and_never_terminates(decisions: int) -> None:
    env = WarehouseEnv(SceneConfig(layout="crossing", robots=2, time_limit=0.4 * decisions))
    for _ in range(2):
        env.reset(seed=0)
        for step in range(1, decisions + 1):
            assert env.agents == env.possible_agents
            _, _, terminations, truncations, _ = go(env)
            assert not any(terminations.values())
            assert list(truncations.values()) == [step == decisions] * 2
            assert env.state()[-1] == np.float32(step / decisions)
        assert env.agents == []
        with pytest.raises(InputError, match=r"^step was called after the end of the episode; call reset first$"):
            env.step({"robot_0": GO, "robot_1": GO})
    env.close()


def test_every_free_cell_can_hold_a_robot(make: Make) -> None:
    env = make("crossing", robots=13)
    env.reset(seed=0)
    assert {(x, y) for x, y in robots_in(env)[:, :2].tolist()} == {env.layout.middle(cell) for cell in env.layout.free}
    go(env)


def test_settings_and_maps_of_ones_own(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "mine.map"
    path.write_text("robots 3\nmap\n....\n.##.\nS..S\n", encoding="utf-8")
    assert make(path).possible_agents == ["robot_0", "robot_1", "robot_2"]
    assert make(path, robots=1).scene == SceneConfig(layout=str(path), robots=1)
    settings = SceneConfig(layout="crossing", robots=3, robot=RobotConfig(lidar_rays=16, neighbours=1))
    env = make(settings, drive="wheels")
    assert (env.scene.drive, env.scene.robots) == ("wheels", 3)
    # 16 rays, 2 + 2 + 1 + 1 + 2 + 1 of its own, 9 of a neighbour, 8 maneuvers.
    assert env.observation_space("robot_0").shape == (16 + 9 + 9 + 8,)


def test_pictures_show_the_floor_and_change_as_robots_move(make: Make) -> None:
    env = make("narrow", render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    assert first is not None
    assert first.dtype == np.uint8
    assert first.shape == (720, 648, 3)  # 10 by 9 cells, 720 pixels along the longer side
    again = env.render()
    assert again is not None
    assert (again == first).all()
    for _ in range(3):
        go(env)
    later = env.render()
    assert later is not None
    assert (later != first).any(axis=2).mean() > 0.005
    blind = make("crossing")
    blind.reset(seed=0)
    assert blind.render() is None


def test_close_twice_is_harmless(make: Make) -> None:
    env = make("crossing")
    env.close()
    env.close()
