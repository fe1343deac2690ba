"""Training in many warehouses: what is drawn, how it is padded, and that one network learns from all of it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.config import Truncation
from policies.env_batch import EnvBatch
from policies.environments import EnvSource
from policies.mix import ROOM, TRAINING_WAREHOUSES, Mix, MixConfig
from policies.mixed_env import MixedEnv
from policies.runs.config import TrainConfig
from policies.runs.folder import load_agent, load_run
from policies.train import train
from sim.env import WarehouseEnv
from sim.errors import InputError
from sim.observation import STATE
from sim.scene import SceneConfig
from tests.policies.tiny_runs import ROLLOUT, rows

SCENE = SceneConfig(time_limit=4.0)
HALLS = MixConfig(("small", "narrow", "generated:size=3-40"), (2, 9), generated=3)
MIX = Mix.of(HALLS)


def source(config: MixConfig = HALLS) -> EnvSource:
    return EnvSource(SCENE, mix=Mix.of(config))


@given(st.integers(0, 2**31))
def test_an_episode_is_drawn_by_its_seed_alone(seed: int) -> None:
    scene, layout, robots = MIX.draw(seed)
    again = MIX.draw(seed)
    assert (scene, layout.text(), robots) == (again[0], again[1].text(), again[2])
    assert 2 <= robots <= 9
    assert len(layout.free) >= ROOM * robots


def test_all_that_is_asked_for_is_drawn() -> None:
    drawn = [MIX.draw(seed) for seed in range(400)]
    shipped = {(scene, robots) for scene, _, robots in drawn if not scene.startswith("generated")}
    assert shipped == {(scene, robots) for scene in ("small", "narrow") for robots in range(2, 10)}
    generated = {scene for scene, _, _ in drawn} - {"small", "narrow"}
    first = TRAINING_WAREHOUSES
    assert generated == {f"generated:{number}:robots=2-9:size=3-40" for number in range(first, first + 3)}


def test_a_source_crosses_to_another_process_with_its_maps() -> None:
    here = source()
    there = EnvSource.from_json(here.to_json())
    assert there == here
    assert there.mix is not None
    assert there.mix.draw(5)[1].text() == MIX.draw(5)[1].text()


def test_what_is_shown_is_the_warehouse_padded_to_the_largest_fleet() -> None:
    envs = EnvBatch(source(), 1)
    seen = set()
    for seed in range(12):
        envs.reset(0, seed)
        scene, layout, robots = MIX.draw(seed)
        alone = WarehouseEnv(dataclasses.replace(SCENE, layout=scene, robots=robots), layout=layout)
        observations, _ = alone.reset(seed=seed)
        for step in range(3):
            assert envs.present[0].tolist() == [i < robots for i in range(9)]
            assert np.array_equal(envs.observation[0, :robots], np.stack(list(observations.values())))
            assert not envs.observation[0, robots:].any()
            each, state = robots * len(STATE), alone.state()
            assert np.array_equal(envs.state[0, :each], state[:each])
            assert not envs.state[0, each : 9 * len(STATE)].any()
            assert np.array_equal(envs.state[0, 9 * len(STATE) :], state[each:])
            actions = np.random.default_rng(step).integers(8, size=(1, 9))
            envs.step(actions, [0])
            chosen = dict(zip(alone.possible_agents, actions[0, :robots].tolist(), strict=True))
            observations, rewards, *_ = alone.step(chosen)
            assert envs.reward[0] == np.float32(rewards["robot_0"])
        episode = envs.episode(0)
        assert (episode.length, episode.robots) == (3, robots)
        alone.close()
        seen.add(robots)
    envs.close()
    assert len(seen) > 3


def test_the_state_fits_its_scale_in_every_warehouse() -> None:
    envs = EnvBatch(source(), 1)
    for seed in range(20):
        envs.reset(0, seed)
        assert (np.abs(envs.state[0]) <= envs.team.state_scale).all()
    envs.close()


def test_the_end_of_an_episode_is_what_the_source_says_it_is() -> None:
    ends_of: dict[Truncation, bool] = {"bootstrap": False, "end": True}
    for truncation, terminated in ends_of.items():
        env = MixedEnv(dataclasses.replace(source(), truncation=truncation))
        arrays = (np.zeros((9, env.team.features), np.float32), np.zeros(9 * len(STATE) + 1, np.float32))
        mask = np.zeros((9, env.team.n_actions), np.bool_)
        env.reset(0, *arrays, mask)
        assert mask.all()
        ends = [env.step([0] * 9, *arrays, mask)[1:] for _ in range(10)]
        assert ends == [(False, False)] * 9 + [(terminated, True)]
        env.close()


@pytest.mark.parametrize("robots", [(0, 4), (5, 4), (2,)])
def test_fleets_that_make_no_sense_are_refused(robots: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"mix.robots is \(.*valid is the smallest and the largest fleet"):
        MixConfig(("small",), robots)


def mixed(**changes: object) -> TrainConfig:
    base = TrainConfig(
        SCENE, HALLS, steps=320, batch=8, updates=2, replay=200, warmup=8, log_every=2,
        rollout=dataclasses.replace(ROLLOUT, validation_episodes=3),
    )  # fmt: skip
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("algo", ["qmix", "vdn", "iql"])
def test_one_network_learns_from_all_of_them(algo: str, tmp_path: Path) -> None:
    result = train(mixed(algo=algo), tmp_path / "run")
    assert (result.steps, result.updates) == (320, 16)
    last = rows(tmp_path / "run")[-1]
    assert float(last["loss"]) > 0
    assert last["throughput"] != ""
    assert last["efficiency"] == ""  # of many warehouses, there is no one throughput of robots that are alone
    agent, _ = load_agent(load_run(tmp_path / "run"))
    assert agent.n_agents == 9


def test_a_run_with_a_worker_is_the_same_run_and_goes_on(tmp_path: Path) -> None:
    train(mixed(), tmp_path / "plain")
    beside = mixed(rollout=dataclasses.replace(mixed().rollout, workers=1))
    train(beside, tmp_path / "beside")
    assert rows(tmp_path / "plain") == rows(tmp_path / "beside")
    result = train(dataclasses.replace(mixed(), steps=384), tmp_path / "plain", resume=True)
    assert result.steps == 384
    other = dataclasses.replace(mixed(), steps=448, mix=dataclasses.replace(HALLS, robots=(2, 8)))
    with pytest.raises(InputError, match=r"mix.robots is \(2, 8\), but run .* has \(2, 9\); --resume needs the same"):
        train(other, tmp_path / "plain", resume=True)
