"""The warehouse in other hands: copied, sent to other processes, wrapped, closed, and called in the wrong order."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import supersuit
from pettingzoo.test import parallel_api_test
from pettingzoo.utils import BaseParallelWrapper, aec_to_parallel, parallel_to_aec

from sim.env import WarehouseEnv
from sim.errors import InputError
from sim.scene import RobotConfig, SceneConfig

SCENE = SceneConfig("crossing", robots=2, time_limit=4.0, robot=RobotConfig(radius=0.25))
COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
}


def episode(env: Any) -> list[Any]:
    observations, _ = env.reset(seed=3)
    shown = [np.stack(list(observations.values()))]
    while env.agents:
        observations, rewards, *_ = env.step(dict.fromkeys(env.agents, 1))
        shown += [np.stack(list(observations.values())), np.array(list(rewards.values())), env.state()]
    return shown


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_is_a_warehouse_of_its_own_that_lives_the_same_episodes(way: str, tmp_path) -> None:
    (tmp_path / "floor.map").write_text("....\n.##.\nS..S\n")
    env = WarehouseEnv(SceneConfig(str(tmp_path / "floor.map"), robots=2, time_limit=4.0))
    (tmp_path / "floor.map").unlink()  # a copy needs no file
    other = COPIES[way](env)
    theirs = episode(other)
    env.reset(seed=9)
    env.close()
    for one, two in zip(theirs, episode(COPIES[way](other)), strict=True):
        np.testing.assert_array_equal(one, two)


def test_supersuit_steps_warehouses_in_several_processes() -> None:
    alone = WarehouseEnv(SCENE)
    observations, _ = alone.reset(seed=5)
    vector = supersuit.pettingzoo_env_to_vec_env_v1(WarehouseEnv(SCENE))
    many = supersuit.concat_vec_envs_v1(vector, num_vec_envs=2, num_cpus=2, base_class="gymnasium")
    try:
        shown, _ = many.reset(seed=5)
        assert shown.shape == (4, observations["robot_0"].size)
        np.testing.assert_array_equal(shown[:2], np.stack(list(observations.values())))
        for _ in range(3):
            shown, rewards, *_ = many.step(np.array([1, 2, 1, 2]))
            observations, own, *_ = alone.step({"robot_0": 1, "robot_1": 2})
        np.testing.assert_array_equal(shown[:2], np.stack(list(observations.values())))
        np.testing.assert_allclose(rewards[:2], list(own.values()), rtol=1e-6)
    finally:
        many.close()


@pytest.mark.parametrize("wrap", [BaseParallelWrapper, lambda env: aec_to_parallel(parallel_to_aec(env))])
def test_pettingzoos_wrappers_change_nothing(wrap: Callable[[Any], Any]) -> None:
    plain, wrapped = WarehouseEnv(SCENE), wrap(WarehouseEnv(SCENE))
    for one, two in zip(episode(plain), episode(wrapped), strict=True):
        np.testing.assert_array_equal(one, two)
    parallel_api_test(wrap(WarehouseEnv(SCENE)), num_cycles=20)


def test_it_is_closed_at_the_end_of_a_block() -> None:
    with WarehouseEnv(SCENE, render_mode="rgb_array") as env:
        for call in ("state", "render"):
            with pytest.raises(InputError, match=f"^{call} was called before reset; call reset first$"):
                getattr(env, call)()
        with pytest.raises(InputError, match=r"^step was called before reset; call reset first$"):
            env.step({})
        env.reset(seed=0)
        assert env.state().size == env.state_spec.size
    for call, arguments in (("reset", ()), ("step", ({},)), ("state", ()), ("render", ())):
        with pytest.raises(InputError, match=f"^{call} was called after close; valid is a new WarehouseEnv$"):
            getattr(env, call)(*arguments)
    env.close()


@pytest.mark.parametrize(
    "kind", [int, np.int64, np.uint8, np.array, lambda x: np.array([x]), lambda x: np.array([[x]])]
)
def test_an_action_is_a_number_in_any_of_numpys_forms(kind: Callable[[int], Any]) -> None:
    env, plain = WarehouseEnv(SCENE), WarehouseEnv(SCENE)
    for each in (env, plain):
        each.reset(seed=1)
    observations = env.step({"robot_0": kind(1), "robot_1": kind(7)})[0]
    np.testing.assert_array_equal(observations["robot_0"], plain.step({"robot_0": 1, "robot_1": 7})[0]["robot_0"])
    with pytest.raises(InputError, match=r"^the action of robot_0 is 8; valid is 0 to 7$"):
        env.step({"robot_0": np.array([8]), "robot_1": 1})  # type: ignore[dict-item] # PettingZoo wrote int
    with pytest.raises(InputError, match=r"^the action of robot_1 is array\(\[1, 2\]\); valid is 0 to 7$"):
        env.step({"robot_0": 1, "robot_1": np.array([1, 2])})  # type: ignore[dict-item] # likewise


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("time_limit", "valid is WarehouseEnv(SceneConfig(time_limit=...)), from sim.scene"),
        ("radius", "valid is WarehouseEnv(SceneConfig(robot=RobotConfig(radius=...))), from sim.scene"),
        ("delivery", "valid is WarehouseEnv(SceneConfig(reward=RewardConfig(delivery=...))), from sim.scene"),
        ("speed", "valid are scene, robots, drive, layout, render_mode, controller, orders; see SceneConfig for all"),
    ],
)
def test_a_setting_that_belongs_elsewhere_is_shown_its_place(name: str, valid: str) -> None:
    with pytest.raises(InputError) as error:
        WarehouseEnv(**{name: 0.2})  # type: ignore[arg-type] # the mistake
    assert str(error.value).startswith(f"WarehouseEnv has no argument {name!r}; {valid}")
