import psutil
import pytest
import torch

from policies import memory
from policies.agent import AgentNetwork
from policies.config import AgentConfig
from policies.environments import EnvSource, TeamEnv
from policies.memory import estimate_memory, free_memory
from policies.replay import ReplayBuffer
from policies.train import train
from sim.errors import InputError
from tests.policies.tiny_runs import TINY, config

TEAM = TeamEnv(EnvSource(factory=f"{TINY}:Guess")).team


@pytest.mark.parametrize("agent", [AgentConfig("mlp", 24), AgentConfig("gru", 24, shared=False)])
def test_the_replay_and_the_parameters_are_estimated_to_the_byte(agent: AgentConfig) -> None:
    settings = config(agent=agent)
    estimate = estimate_memory(settings, TEAM)
    network = AgentNetwork(2, torch.from_numpy(TEAM.observation_scale), TEAM.n_actions, agent)
    assert estimate["agent.hidden"] == 5 * 4 * sum(x.numel() for x in network.parameters())
    replay = ReplayBuffer(settings.replay, TEAM.sequence_size(settings.rollout.sequence, network.hidden_size))
    assert estimate["replay"] == sum(stored.nbytes for _, stored, _ in replay._pairs(replay._storage))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"replay": 10**11}, "replay is 100000000000, and training needs about "),
        ({"batch": 10**10}, "batch is 10000000000, and training needs about "),
    ],
)
def test_what_does_not_fit_is_refused_before_it_is_tried(tmp_path, changes: dict[str, int], named: str) -> None:
    with pytest.raises(InputError) as error:
        train(config(**changes), tmp_path / "run")
    assert str(error.value).startswith(named)
    assert "GiB that are free" in str(error.value)
    assert not (tmp_path / "run").exists()


def test_the_largest_part_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 2**20)
    with pytest.raises(InputError, match=r"^agent\.hidden is 2048, .* valid is what fits into the 0\.0 GiB"):
        train(config(agent=AgentConfig(hidden=2048)), tmp_path / "run")


def test_what_is_free_is_what_the_system_says() -> None:
    free = free_memory()
    assert free is not None
    assert abs(free - psutil.virtual_memory().available) < 2**31
