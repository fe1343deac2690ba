"""The settings of a training run: frozen, validated, and readable again from the run folder."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from policies.config import ALGOS, AgentConfig, Algo, LearnerConfig, TeamReward, Truncation
from policies.mix import MixConfig
from sim.errors import InputError, require
from sim.scene import SceneConfig
from sim.settings import read_settings

PINS = ("layout_sha256", "env_folder")
"""What a run's config.yaml holds besides the settings: the hash of its map, and where its environment's code lies."""

SHORTEST = 0.01
"""Training shorter than this would be over before it began [min]."""


@dataclass(frozen=True)
class RolloutConfig:
    """How experience is collected."""

    envs: int = 16
    """Environments stepped together, so that one network call serves them all."""
    sequence: int = 16
    """Length of a sequence, and steps of each environment between two sets of parameters [env steps]."""
    epsilon_start: float = 1.0
    """Share of random actions in the beginning [1]."""
    epsilon_end: float = 0.02
    """Share of random actions in the long run [1]."""
    epsilon_steps: int = 80_000
    """Time in which the first falls linearly to the second [env steps]."""
    validation_episodes: int = 32
    """Greedy episodes, always on the same seeds, that decide which checkpoint is the best."""
    validation_share: float = 0.03
    """Env steps of these episodes for each env step of training [1]."""
    validation_every: int = 0
    """Env steps of training from one validation to the next; 0 goes by validation_share."""
    workers: int = 1
    """Processes beside the learner that share the environments; 0 collects in the learner's own."""
    patience: float = 120.0
    """A worker whose environments don't step for so long is ended and started again; 0 waits for ever [s]."""

    def __post_init__(self) -> None:
        for name in ("envs", "sequence", "epsilon_steps", "validation_episodes"):
            require(getattr(self, name) >= 1, f"rollout.{name}", getattr(self, name), "a whole number from 1 up")
        require(
            0 <= self.workers <= self.envs, "rollout.workers", self.workers, f"0 to rollout.envs, which is {self.envs}"
        )
        usable = math.isfinite(self.patience) and self.patience >= 0
        require(usable, "rollout.patience", self.patience, "a finite number from 0 up")
        for name in ("epsilon_start", "epsilon_end"):
            require(0 <= getattr(self, name) <= 1, f"rollout.{name}", getattr(self, name), "0 to 1")
        every = self.validation_every
        require(every >= 0, "rollout.validation_every", every, "a whole number from 0 up")
        share = self.validation_share
        require(0 < share <= 1, "rollout.validation_share", share, "above 0, at most 1")

    def epsilon(self, steps: int) -> float:
        """Return the share of random actions after that many env steps."""
        left = max(0.0, 1.0 - steps / self.epsilon_steps)
        return self.epsilon_end + (self.epsilon_start - self.epsilon_end) * left


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides how a training run goes."""

    scene: SceneConfig = field(default_factory=SceneConfig)
    """The warehouse to train in."""
    mix: MixConfig = field(default_factory=MixConfig)
    """Many warehouses to train in, in place of the one."""
    env: str = ""
    """MODULE:FACTORY of another PettingZoo parallel environment to train in, in place of the warehouse. Other defaults
    go with it: --agent gru, --last-action, --rollout.epsilon-end 0.05 and --rollout.epsilon-steps 200000."""
    env_args: str = "{}"
    """What that factory is called with, by name, as a JSON object, such as '{"N": 5}'."""
    algo: Algo = "qmix"
    """How the robots' values are mixed: qmix, vdn or iql."""
    team_reward: TeamReward = "mean"
    """What the team is paid of its robots' rewards: their mean or their sum."""
    truncation: Truncation = "bootstrap"
    """What comes after a time limit: bootstrap counts the value of going on, end counts nothing."""
    last_action: bool = False
    """Show each agent its own last action too, behind its observation; a warehouse's robots see what they do."""
    seed: int = 0
    """Fixes the parameters in the beginning, the episodes and the exploration."""
    minutes: float = 7.5
    """Training time, earlier parts of a resumed run included [min]."""
    steps: int = 0
    """Training length instead of a time, rounded up to a whole iteration [env steps]; 0 trains for the minutes."""
    batch: int = 64
    """Sequences in an update."""
    updates: int = 3
    """Updates for each iteration, that is for each envs x sequence env steps."""
    replay: int = 16_000
    """Capacity of the replay [sequences]."""
    warmup: int = 256
    """Sequences in the replay before the first update, also after a resume without replay [sequences]."""
    log_every: int = 20
    """Iterations that make one row of the metrics."""
    save_minutes: float = 1.0
    """Longest time between two saves, where a save takes less than a fiftieth of it; more where it doesn't [min]."""
    save_replay: float = 1.0
    """Largest replay that is saved too, so that --resume goes on exactly; 0 saves none [GB]."""
    agent: AgentConfig = field(default_factory=AgentConfig)
    """The agent network."""
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    """The learner."""
    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    """The collection of experience."""

    def __post_init__(self) -> None:
        choices = {"algo": ALGOS, "team_reward": get_args(TeamReward), "truncation": get_args(Truncation)}
        for name, valid in choices.items():
            require(getattr(self, name) in valid, name, getattr(self, name), ", ".join(valid))
        _require_object("env_args", self.env_args)
        known = bool(self.env) or not self.last_action
        require(known, "last_action", self.last_action, "false for the warehouse, whose observation holds it")
        require(0 <= self.seed < 2**31, "seed", self.seed, "0 to 2147483647")
        usable = math.isfinite(self.minutes) and self.minutes >= SHORTEST
        require(usable, "minutes", self.minutes, f"a finite number from {SHORTEST} up")
        require(self.steps >= 0, "steps", self.steps, "a whole number from 0 up")
        for name in ("batch", "replay", "log_every"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "a whole number from 1 up")
        for name in ("save_minutes", "save_replay"):
            usable = math.isfinite(getattr(self, name)) and getattr(self, name) >= 0
            require(usable, name, getattr(self, name), "a finite number from 0 up")
        require(self.updates >= 0, "updates", self.updates, "a whole number from 0 up")
        known = self.agent.encoder == "flat" or not self.env
        require(known, "agent.encoder", self.agent.encoder, "flat with env, of whose neighbours nothing is known")
        if self.mix.scenes:
            require(not self.env, "env", self.env, "none with mix.scenes, which are warehouses")
            require(self.agent.shared, "agent.shared", self.agent.shared, "true with mix.scenes: fleets differ in size")
            require(self.team_reward == "mean", "team_reward", self.team_reward, "mean with mix.scenes, likewise")
        sequences = self.rollout.envs * self.rollout.sequence
        require(
            self.replay >= sequences, "replay", self.replay, f"at least rollout.envs x rollout.sequence, {sequences}"
        )
        require(1 <= self.warmup <= self.replay, "warmup", self.warmup, f"1 to the replay's capacity, {self.replay}")


def _require_object(name: str, text: str) -> None:
    try:
        valid = isinstance(json.loads(text), dict)
    except ValueError:
        valid = False
    require(valid, name, text, """a JSON object, such as {"N": 5}""")


def defaults_elsewhere() -> TrainConfig:
    """Return the settings to begin with for an environment that is not the warehouse (its `env` is to be filled in).

    An agent that knows nothing but its present observation does the same again wherever that leaves everything as it
    was: it stands still for ever. With a memory and its own last action it can tell (docs/training.md).
    """
    rollout = RolloutConfig(epsilon_end=0.05, epsilon_steps=200_000)
    return TrainConfig(env="?", last_action=True, agent=AgentConfig(kind="gru"), rollout=rollout)


def read_config(path: Path) -> tuple[TrainConfig, dict[str, str]]:
    """Return the settings in a YAML file, and those of the `PINS` that it has.

    Raises:
        InputError: the file is missing or not readable, or a setting is not valid.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{str(path)!r} can't be read: {error.strerror}; valid is a file of settings") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{str(path)!r} is not readable as YAML ({reason}); restore it from a copy") from error
    if not isinstance(values, dict):
        raise InputError(f"{str(path)!r} holds no settings; restore it from a copy")
    pins = {name: str(values.pop(name)) for name in PINS if name in values}
    return read_settings(TrainConfig, values, str(path)), pins
