import numpy as np
import pytest

from policies.environments import EnvSource, TeamEnv, make_env
from sim.errors import InputError
from sim.layout import load_layout
from sim.scene import SceneConfig

TINY = "tests.policies.tiny_envs"


def arrays(env: TeamEnv) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    agents, team = len(env.team.agents), env.team
    return (
        np.zeros((agents, team.features), np.float32),
        np.zeros(len(team.state_scale), np.float32),
        np.zeros((agents, team.n_actions), np.bool_),
    )


def test_agents_of_different_size_are_padded_and_masked():
    env = TeamEnv(EnvSource(factory=f"{TINY}:Uneven"))
    # Feature 0: bounds 8 and none (1), the larger counts; feature 1: 200 and 100; feature 2: the second agent's 4.
    assert env.team.observation_scale.tolist() == [8, 200, 4]
    assert env.team.state_scale.tolist() == [8, 200, 4, 8, 200, 4]
    observation, state, mask = arrays(env)
    env.reset(107, observation, state, mask)
    assert observation.tolist() == [[0, 7, 0], [0, 7, 0]]
    assert mask.tolist() == [[True, True, False], [True, True, True]]
    reward, terminated, done = env.step([1, 2], observation, state, mask)
    assert (reward, terminated, done) == (2.0, False, False)  # the mean of 1 and 3
    assert observation.tolist() == [[1, 7, 0], [1, 7, 3]]  # index 2 is the action 3
    assert state.tolist() == observation.reshape(-1).tolist()
    assert mask.tolist() == [[True, True, False], [True, True, False]]
    assert env.totals() == {"steps": 2.0}


def test_a_factory_is_called_with_its_arguments():
    source = EnvSource(factory="mpe2.simple_spread_v3:parallel_env", arguments='{"N": 5, "max_cycles": 7}')
    env = TeamEnv(EnvSource.from_json(source.to_json()))
    assert len(env.team.agents) == 5
    views = arrays(env)
    env.reset(0, *views)
    assert [env.step([0] * 5, *views)[2] for _ in range(7)] == [False] * 6 + [True]
    with pytest.raises(InputError, match=r"argument 'wheels'; valid is a factory that takes env_args"):
        make_env(EnvSource(factory=f"{TINY}:Guess", arguments='{"wheels": 3}'))


def test_agents_may_observe_their_own_last_action():
    env = TeamEnv(EnvSource(factory=f"{TINY}:Uneven", last_action=True))
    assert env.team.observation_scale.tolist() == [8, 200, 4, 1, 1, 1]
    assert env.team.state_scale.tolist() == [8, 200, 4, 8, 200, 4]  # which holds the observations alone
    observation, state, mask = arrays(env)
    env.reset(107, observation, state, mask)
    assert observation.tolist() == [[0, 7, 0, 0, 0, 0]] * 2
    env.step([1, 2], observation, state, mask)
    assert observation.tolist() == [[1, 7, 0, 0, 1, 0], [1, 7, 3, 0, 0, 1]]
    assert state.tolist() == [1, 7, 0, 1, 7, 3]
    env.reset(107, observation, state, mask)
    assert observation.tolist() == [[0, 7, 0, 0, 0, 0]] * 2


def test_the_episode_ends_for_good_when_one_agent_does():
    env = TeamEnv(EnvSource(factory=f"{TINY}:Leaving"))
    views = arrays(env)
    env.reset(0, *views)
    assert views[2].tolist() == [[False, True, False], [True, True, True]]  # masks from the observations
    assert env.step([1, 0], *views) == (2.0, False, False)
    assert env.step([1, 1], *views) == (2.0, True, True)


def test_a_time_limit_is_no_termination():
    env = TeamEnv(EnvSource(factory=f"{TINY}:Uneven"))
    views = arrays(env)
    env.reset(0, *views)
    ends = [env.step([0, i % 2], *views)[1:] for i in range(5)]
    assert ends == [(False, False)] * 4 + [(False, True)]


def test_a_team_may_be_paid_the_sum_and_end_at_a_time_limit():
    env = TeamEnv(EnvSource(factory=f"{TINY}:Uneven", team_reward="sum", truncation="end"))
    views = arrays(env)
    env.reset(0, *views)
    steps = [env.step([0, i % 2], *views) for i in range(5)]
    assert steps == [(4.0, False, False)] * 4 + [(4.0, True, True)]  # 1 + 3


def test_mpe2_has_a_state_of_its_own():
    env = TeamEnv(EnvSource(factory="mpe2.simple_spread_v3:parallel_env"))
    views = arrays(env)
    env.reset(3, *views)
    assert views[0].shape == (3, 18)
    np.testing.assert_array_equal(views[1], env.env.state())
    assert env.team.observation_scale.tolist() == [1.0] * 18  # without bounds


def test_a_warehouse_comes_back_from_its_json():
    source = EnvSource(SceneConfig(layout="crossing", robots=2), load_layout("crossing").text())
    env = TeamEnv(EnvSource.from_json(source.to_json()))
    assert EnvSource.from_json(source.to_json()) == source
    views = arrays(env)
    env.reset(3, *views)
    assert env.team.agents == ("robot_0", "robot_1")
    assert (np.abs(views[0]) <= env.team.observation_scale).all()
    assert set(env.totals()) == {"deliveries", "picks", "robot_contacts", "rack_contacts", "distance"}
    env.close()


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        (f"{TINY}:Continuous", ["Continuous", "low", "Box(-1.0, 1.0", "discrete"]),
        ("mpe2.simple_spread_v3", ["mpe2.simple_spread_v3", "MODULE:FACTORY"]),
        ("no_such_module:env", ["no_such_module", "MODULE:FACTORY"]),
        (f"{TINY}:nothing", ["nothing", "MODULE:FACTORY"]),
        (f"{TINY}:__doc__", ["__doc__", "function or class"]),
        (f"{TINY}:not_an_env", ["made a int", "PettingZoo parallel environment"]),
    ],
)
def test_invalid_environments_are_named(factory: str, words: list[str]):
    with pytest.raises(InputError) as error:
        TeamEnv(EnvSource(factory=factory))
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)


def test_continuous_mpe2_is_refused():
    with pytest.raises(InputError, match=r"continuous_spread.*discrete"):
        TeamEnv(EnvSource(factory="tests.policies.test_environments:continuous_spread"))


def continuous_spread() -> object:
    from mpe2 import simple_spread_v3

    return simple_spread_v3.parallel_env(continuous_actions=True)


def test_factories_are_found_in_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "my_fleet.py").write_text("from tests.policies.tiny_envs import Guess as make\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("/")  # undoes what make_env does to sys.path
    assert make_env(EnvSource(factory="my_fleet:make")).possible_agents == ["left", "right"]
