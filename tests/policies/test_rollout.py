import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from policies.agent import AgentNetwork
from policies.batch import Batch
from policies.config import AgentConfig, AgentKind
from policies.environments import EnvSource, TeamEnv
from policies.rollout.collector import TRAINING_SEEDS, VALIDATION_SEED, Collector
from policies.rollout.interface import Collected, Rollout
from policies.rollout.local import InProcessRollout
from policies.rollout.setup import RolloutSetup
from policies.rollout.workers import WorkerRollout
from sim.errors import InputError

TINY = "tests.policies.tiny_envs"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def setup(env: str = "Uneven", kind: AgentKind = "mlp", envs: int = 3) -> RolloutSetup:
    agent = AgentConfig(kind=kind, hidden=8)
    return RolloutSetup(EnvSource(factory=f"{TINY}:{env}"), agent, envs=envs, sequence=4, seed=1)


def weights(rollout: Rollout, kind: AgentKind, seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    scale = torch.from_numpy(rollout.team.observation_scale)
    config = AgentConfig(kind=kind, hidden=8)
    return AgentNetwork(len(rollout.team.agents), scale, rollout.team.n_actions, config).state_dict()


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children() if "resource_tracker" not in " ".join(child.cmdline())}


def test_sequences_end_with_the_episode_and_are_padded():
    collector = setup(envs=1).build()
    first, episodes = collector.collect(1.0)
    assert first["valid"].tolist() == [[True] * 4]
    assert episodes == []
    # Episodes have 5 steps, iterations 4: the second iteration holds step 5 of the first episode and 3 of the next.
    second, episodes = collector.collect(1.0)
    assert second["valid"].tolist() == [[True, False, False, False], [True, True, True, False]]
    assert second["observation"][:, :, 0, 0].tolist() == [
        [4, 5, 0, 0, 0],
        [0, 1, 2, 3, 0],
    ]  # the time that an agent sees
    assert second["reward"].tolist() == [[2, 0, 0, 0], [2, 2, 2, 0]]
    assert not second["terminated"].any()  # a truncation is no termination
    assert not second["observation"][0, 2:].any()
    assert [(e.team_return, e.length, e.totals) for e in episodes] == [(10.0, 5, {"steps": 10.0})]
    # The third begins where the second stopped, with two steps to go; the last step of all ends no episode.
    third, _ = collector.collect(1.0)
    assert third["observation"][:, 0, 0, 0].tolist() == [3, 0]


def test_an_episode_that_ends_with_the_iteration_leaves_no_empty_sequence():
    collector = setup("Leaving", envs=2).build()  # 2 steps an episode, 4 an iteration
    arrays, episodes = collector.collect(1.0)
    assert arrays["valid"].tolist() == [[True, True, False, False]] * 4
    assert arrays["terminated"].tolist() == [[False, True, False, False]] * 4
    assert len(episodes) == 4


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_masked_actions_are_never_taken(epsilon: float):
    collector = setup().build()
    for _ in range(20):  # the environment asserts it as well
        arrays, _ = collector.collect(epsilon)
        taken = np.take_along_axis(arrays["action_mask"][:, :-1], arrays["action"][..., None], -1)[..., 0]
        assert taken[arrays["valid"]].all()
    assert (arrays["action"][..., 0] <= 1).all()


def test_exploration_is_uniform_over_the_allowed_actions():
    collector = Collector(EnvSource(factory=f"{TINY}:Guess"), AgentConfig(hidden=8), envs=8, sequence=16, seed=2)
    actions = np.concatenate([collector.collect(1.0)[0]["action"].reshape(-1) for _ in range(8)])
    # 2,048 fair coins: 1,024 heads with a standard deviation of 22.6.
    assert abs(int(actions.sum()) - 1024) < 4 * 22.6


def test_the_hidden_state_is_stored_at_the_start_of_each_sequence_and_forgotten_between_episodes():
    collector = setup(kind="gru", envs=1).build()
    first, _ = collector.collect(0.3)
    second, _ = collector.collect(0.3)
    assert not first["hidden"].any()
    assert not second["hidden"][1].any()
    # The hidden state at the start of the second iteration is that after the four observations of the first.
    _, hidden = collector.agent(torch.from_numpy(first["observation"][:, :4]), torch.zeros(1, 2, 8))
    np.testing.assert_allclose(second["hidden"][0], hidden[0].detach().numpy(), atol=1e-6)


def test_validation_repeats_itself_and_leaves_training_alone():
    plain, validated = setup().build(), setup().build()
    validated.agent.load_state_dict(plain.agent.state_dict())
    plain.collect(0.5)
    validated.collect(0.5)
    once, again = validated.validate(range(5)), validated.validate(range(5))
    assert once == again
    assert [episode.length for episode in once] == [5] * 5
    undisturbed, _ = plain.collect(0.5)
    for name, array in validated.collect(0.5)[0].items():
        np.testing.assert_array_equal(array, undisturbed[name], name)


def test_seeds_of_training_validation_and_evaluation_never_meet():
    collector = setup(envs=4).build()
    seeds: list[int] = []
    for env in collector._envs._envs:
        assert isinstance(env, TeamEnv)
        original = env.env.reset

        def reset(seed: int, original: Any = original) -> Any:
            seeds.append(seed)
            return original(seed=seed)

        env.env.reset = reset
    for _ in range(20):
        collector.collect(1.0)
    assert len(set(seeds)) == len(seeds) > 50
    low, high = TRAINING_SEEDS
    assert all(low <= seed < high for seed in seeds)
    assert low > VALIDATION_SEED + 100_000


def assert_equal(one: Collected, two: Collected) -> None:
    for field in dataclasses.fields(Batch):
        assert torch.equal(getattr(one.batch, field.name), getattr(two.batch, field.name)), field.name
    assert one.episodes == two.episodes
    assert one.state.random == two.state.random
    for name, array in one.state.arrays.items():
        np.testing.assert_array_equal(array, two.state.arrays[name], name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mlp", "gru"])
def test_worker_and_process_are_bit_equal(kind: AgentKind):
    before = children()
    local, worker = InProcessRollout(setup(kind=kind)), WorkerRollout(setup(kind=kind))
    try:
        assert worker.team.agents == local.team.agents
        np.testing.assert_array_equal(worker.team.observation_scale, local.team.observation_scale)
        states = []
        for seed in range(4):
            parameters = weights(local, kind, seed)
            for rollout in (local, worker):
                rollout.start(parameters, epsilon=0.3)
            for x in parameters.values():
                x.data.add_(1.0)  # what the learner does meanwhile must not matter
            collected = local.result()
            states.append(collected.state)
            assert_equal(collected, worker.result())
            assert local.validate(parameters, 2) == worker.validate(parameters, 2)
        # Restored, the same iteration comes again.
        for rollout in (local, worker):
            rollout.restore(states[-2])
            rollout.start(weights(local, kind, seed), epsilon=0.3)
            assert_equal(collected, rollout.result())
    finally:
        worker.close()
    assert children() == before


@pytest.mark.slow
def test_what_is_collected_does_not_depend_on_how_many_workers_share_the_environments():
    local, workers = InProcessRollout(setup("Guess", envs=5)), WorkerRollout(setup("Guess", envs=5), workers=2)
    try:
        for _ in range(3):
            for rollout in (local, workers):
                rollout.start(weights(local, "mlp", 0), epsilon=1.0)  # no network call, whose rounding differs by size
            one, several = local.result(), workers.result()
            assert one.state.random == several.state.random
            for name, array in one.state.arrays.items():
                np.testing.assert_array_equal(array, several.state.arrays[name], name)
            assert sorted(map(repr, one.episodes)) == sorted(map(repr, several.episodes))
            assert one.batch.reward.sum() == several.batch.reward.sum()
        assert workers.validate(weights(local, "mlp", 1), 7) == local.validate(weights(local, "mlp", 1), 7)
    finally:
        workers.close()


def test_errors_in_the_settings_of_an_environment_come_out_of_the_worker():
    before = children()
    with pytest.raises(InputError, match="wheels is 3; valid is 2 or 4"):
        WorkerRollout(setup("invalid"))
    assert children() == before
