"""Going on where environments stood: their episodes are played again from seeds and actions."""

import numpy as np
import pytest
import torch

from policies.config import AgentConfig, AgentKind
from policies.environments import EnvSource
from policies.rollout.collector import Collector
from policies.rollout.state import CollectorState
from tests.policies.tiny_runs import TINY


def build(env: str = "Uneven", kind: AgentKind = "gru", envs: int = 3, sequence: int = 3) -> Collector:
    torch.manual_seed(0)  # the same parameters in each
    return Collector(EnvSource(factory=f"{TINY}:{env}"), AgentConfig(kind, 8), envs, sequence, seed=5)


@pytest.mark.parametrize("iterations", [1, 2, 7])  # episodes have 5 steps: the states lie 3, 1 and 1 steps into one
def test_a_restored_collector_goes_on_exactly(iterations: int) -> None:
    original, restored = build(), build()
    for _ in range(iterations):
        original.collect(0.5)
    restored.restore(original.state())
    for _ in range(3):
        arrays, episodes = original.collect(0.5)
        again, same = restored.collect(0.5)
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, again[name], name)
        assert episodes == same  # their returns count what came before, too
    assert restored.note == ""


@pytest.mark.slow
def test_a_restored_warehouse_goes_on_exactly() -> None:
    from sim.layout import load_layout
    from sim.scene import SceneConfig

    source = EnvSource(scene=SceneConfig(time_limit=8.0), layout=load_layout("small").text())
    torch.manual_seed(0)
    original, restored = (Collector(source, AgentConfig(hidden=8), 2, 16, seed=5) for _ in range(2))
    restored.agent.load_state_dict(original.agent.state_dict())
    for _ in range(5):
        original.collect(0.5)
    restored.restore(original.state())
    assert restored.note == ""
    np.testing.assert_array_equal(original.collect(0.5)[0]["state"], restored.collect(0.5)[0]["state"])


def test_new_episodes_in_place_of_the_old_ones_are_new_and_repeatable() -> None:
    original = build()
    original.collect(0.5)
    state = original.state()
    first, second = build(), build()
    for collector in (first, second):
        collector.restore(state, anew=True)
    assert not set(first.state().arrays["seed"]) & set(state.arrays["seed"])
    assert not first.state().arrays["length"].any()
    np.testing.assert_array_equal(first.collect(0.5)[0]["action"], second.collect(0.5)[0]["action"])


def test_an_environment_that_does_not_repeat_itself_is_told_and_goes_on() -> None:
    original, restored = build("Unrepeatable"), build("Unrepeatable")
    original.collect(0.5)
    restored.restore(original.state())
    assert "came out differently" in restored.note
    assert restored.collect(0.5)[0]["valid"].any()


def test_an_episode_that_now_ends_sooner_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    original, restored = build(), build()
    original.collect(0.5)
    monkeypatch.setattr("tests.policies.tiny_envs.Uneven.length", 2)
    restored.restore(original.state())
    assert "came out differently" in restored.note
    assert not restored.state().arrays["length"].any()


def test_states_are_parted_and_joined() -> None:
    collector = build(envs=5)
    collector.collect(0.5)
    state = collector.state()
    parts = state.split([2, 3])
    parts[0].arrays["actions"] = parts[0].arrays["actions"][:, :1]  # where none of its episodes is longer
    joined = CollectorState.join(parts)
    assert joined.random == state.random
    np.testing.assert_array_equal(joined.arrays["actions"][2:], state.arrays["actions"][2:])
    assert not joined.arrays["actions"][:2, 1:].any()
    with pytest.raises(ValueError, match="of 5 environments; valid is one of 4"):
        state.split([1, 3])
