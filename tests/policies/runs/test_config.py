from typing import Any

import numpy as np
import pytest

from policies.runs.config import RolloutConfig, TrainConfig
from sim.errors import InputError
from sim.settings import read_settings


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"algo": "ppo"}, "algo is 'ppo'; valid is qmix, vdn, iql"),
        ({"minutes": float("nan")}, "minutes is nan"),
        ({"seed": -1}, "seed is -1"),
        ({"replay": 100}, "replay is 100; valid is at least"),
        ({"warmup": 50000}, "warmup is 50000"),
        ({"rollout": {"envs": 0}}, r"rollout\.envs is 0"),
        ({"rollout": {"epsilon_end": 2.0}}, r"rollout\.epsilon_end is 2\.0"),
        ({"rollout": {"workers": 17}}, r"rollout\.workers is 17; valid is 0 to rollout\.envs, which is 16"),
        ({"rollout": {"patience": -1.0}}, r"rollout\.patience is -1\.0"),
        ({"rollout": {"validation_every": -1}}, r"rollout\.validation_every is -1"),
        ({"save_minutes": float("inf")}, "save_minutes is inf"),
        ({"last_action": True}, "last_action is True; valid is false for the warehouse"),
        ({"env_args": "[1]"}, "env_args is '\\[1\\]'; valid is a JSON object"),
        ({"env_args": "{N: 5}"}, "env_args is '{N: 5}'; valid is a JSON object"),
        ({"agent": {"kind": "transformer"}}, "transformer.*mlp, gru"),
        ({"learner": {"gamma": 1.5}}, r"gamma is 1\.5"),
        ({"learner": {"speed": 1}}, "^test, learner: setting is 'speed'.*gamma"),
    ],
)
def test_invalid_settings_are_named(values: dict[str, Any], words: str):
    with pytest.raises(InputError, match=words):
        read_settings(TrainConfig, values, "test")


def test_epsilon_falls_linearly():
    settings = RolloutConfig(epsilon_start=1.0, epsilon_end=0.2, epsilon_steps=100)
    np.testing.assert_allclose([settings.epsilon(s) for s in (0, 25, 100, 1000)], [1.0, 0.8, 0.2, 0.2])
