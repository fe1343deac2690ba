"""Whatever an environment does wrong is one line that names it, the agent, what came, and what would be valid."""

import numpy as np
import pytest

from policies.env_api import EnvError
from policies.env_batch import EnvBatch
from policies.environments import EnvSource, TeamEnv
from policies.runs.checkpoint import load_checkpoint
from policies.train import train
from tests.policies.tiny_runs import TINY, config

BAD = "tests.policies.bad_envs"


def play(env: str) -> None:
    envs = EnvBatch(EnvSource(factory=f"{BAD}:{env}"), 2)
    for i in range(2):
        envs.reset(i, seed=i)
    for step in range(3):
        envs.step(np.array([[0, step % 2]] * 2), range(2))


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ("NanObservation", "the observation of high has nan in element 1; valid is finite numbers of 32 bits (step 3"),
        ("HugeObservation", "the observation of low has inf in element 0; valid is finite numbers of 32 bits (step 3"),
        ("InfiniteState", "the state has inf in element 2; valid is finite numbers of 32 bits (step 3"),
        ("InfiniteReward", "the reward of right is -inf; valid is a finite number of 32 bits (step 3"),
        ("NothingAllowed", "the action mask of high allows nothing; valid is an action at least (step 3"),
        ("GrowingState", "the state is an array of shape (5,); valid is an array of shape (4,) (step 3"),
        ("LongMask", "the mask of low is an array of shape (3,); valid is an array of shape (2,) (step 0"),
        ("Lists", "the observation of low is a list; valid is an array of shape (2,) (step 0"),
        ("WrongShape", "the observation of high is an array of shape (2,); valid is an array of shape (3,) (step 0"),
        (
            "Four",
            "step returned 4 values; valid is five dicts: observations, rewards, terminations, truncations, infos",
        ),
        ("OnlyObservations", "reset returned a dict; valid is two dicts: observations, infos"),
        ("NoState", "state returned None; valid is a NumPy array, or no method state"),
        ("OtherStateSpace", "the state is an array of shape (4,); valid is that of its state_space, (7,)"),
        ("Unseeded", "its reset takes no seed; valid is reset(seed=None, options=None)"),
        ("NoAgents", "has no agents; valid is possible_agents with the name of each"),
        ("NoSpaces", "its spaces failed with AttributeError: 'NoSpaces' object has no attribute 'observation_spaces'"),
        ("with_argument", "missing a required argument: 'robots'; valid is a factory that takes env_args, {}"),
        ("failing", "its factory failed with RuntimeError: no licence for this machine (bad_envs.py, line "),
        ("turns", "valid is a parallel one: pettingzoo.utils.conversions.aec_to_parallel(env)"),
    ],
)
def test_what_an_environment_does_wrong_is_named(env: str, sentence: str) -> None:
    with pytest.raises(EnvError) as error:
        play(env)
    assert sentence in str(error.value)
    assert f"{BAD}:{env}" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_agent_may_have_no_action_when_the_episode_is_over() -> None:
    envs = EnvBatch(EnvSource(factory=f"{BAD}:NothingAllowed"), 1)
    (env,) = envs._envs
    assert isinstance(env, TeamEnv)
    env.env.length = 3
    envs.reset(0, seed=0)
    for step in range(3):
        envs.step(np.array([[0, step % 2]]), range(1))
    assert envs.done[0]


def test_an_environment_that_breaks_later_costs_nothing_that_was_learned(tmp_path) -> None:
    settings = config(env=f"{TINY}:Poisoned", steps=5000)
    with pytest.raises(EnvError, match=r"the reward of low is nan.*; saved after \d+ steps, go on with: fleetmix"):
        train(settings, tmp_path)
    assert 500 < load_checkpoint(tmp_path / "checkpoints", "newest").info.steps < 640


def test_nobody_is_sent_to_resume_where_nothing_was_learned(tmp_path) -> None:
    with pytest.raises(EnvError) as error:
        train(config(env=f"{BAD}:Four"), tmp_path)
    assert "resume" not in str(error.value)


def test_an_agent_that_ends_the_episode_of_the_others_is_told_once(tmp_path, capsys) -> None:
    train(config(env=f"{TINY}:Leaving", steps=128), tmp_path)
    said = capsys.readouterr().out
    sentence = f"env {TINY}:Leaving: low left while others stayed; the team's episode ends with the first that leaves\n"
    assert said.count(sentence) == 1
