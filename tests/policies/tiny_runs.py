"""Training runs of a few hundred steps in an environment that takes no time."""

import csv
import dataclasses
from pathlib import Path
from typing import Any

from policies.config import AgentConfig, LearnerConfig
from policies.runs.config import RolloutConfig, TrainConfig

TINY = "tests.policies.tiny_envs"
WALL_CLOCK = ("seconds", "steps_per_second", "updates_per_second")
# 4 x 8 = 32 env steps an iteration; updates begin after the fifth iteration at the latest.
ROLLOUT = RolloutConfig(envs=4, sequence=8, epsilon_steps=1500, validation_episodes=6, validation_share=0.1, workers=0)


def config(**changes: Any) -> TrainConfig:
    base = TrainConfig(
        env=f"{TINY}:Guess",
        steps=640,
        batch=16,
        updates=2,
        replay=500,
        warmup=20,
        log_every=4,
        agent=AgentConfig(hidden=16),
        learner=LearnerConfig(learning_rate=3e-3),
        rollout=ROLLOUT,
    )
    return dataclasses.replace(base, **changes)


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in WALL_CLOCK} for row in csv.DictReader(file)]
