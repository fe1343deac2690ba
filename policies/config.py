"""The settings of agent network, mixer and learner, without torch: a command line can show them before it loads."""

from dataclasses import dataclass
from typing import Literal, get_args

AgentKind = Literal["mlp", "gru"]
EncoderKind = Literal["flat", "attention"]
Algo = Literal["qmix", "vdn", "iql"]
"""The names of `policies.mixers.MIXERS`, which needs torch."""
ALGOS: tuple[Algo, ...] = get_args(Algo)
TeamReward = Literal["mean", "sum"]
Truncation = Literal["bootstrap", "end"]

WIDEST = 4096
"""Widest hidden layer [units]; a robot's processor takes some milliseconds for it."""


@dataclass(frozen=True)
class AgentConfig:
    """Shape of the agent network."""

    kind: AgentKind = "mlp"
    """mlp sees the present observation only; gru carries a hidden state from step to step."""
    hidden: int = 128
    """Width of each hidden layer, and of the hidden state of a gru [units]."""
    shared: bool = True
    """One set of parameters for all robots; otherwise each robot has its own."""
    encoder: EncoderKind = "flat"
    """flat takes the neighbours by their place, nearest first; attention takes any number of them in any order."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(AgentKind):
            raise ValueError(f"AgentConfig.kind is {self.kind!r}; valid is one of {', '.join(get_args(AgentKind))}")
        if self.encoder not in get_args(EncoderKind):
            valid = ", ".join(get_args(EncoderKind))
            raise ValueError(f"AgentConfig.encoder is {self.encoder!r}; valid is one of {valid}")
        if self.encoder == "attention" and self.hidden % 8:
            raise ValueError(f"AgentConfig.hidden is {self.hidden}; valid with encoder attention is a multiple of 8")
        if not 1 <= self.hidden <= WIDEST:
            raise ValueError(f"AgentConfig.hidden is {self.hidden}; valid is 1 to {WIDEST}")


@dataclass(frozen=True)
class LearnerConfig:
    """Settings of the learner."""

    gamma: float = 0.97
    """Discount of the reward for each decision [1]."""
    trace_decay: float = 0.8
    """Lambda of the returns: 0 looks one step ahead, 1 as far as the sequence goes [1]."""
    learning_rate: float = 2e-3
    """Step size of Adam [1]."""
    target_rate: float = 0.01
    """Share of the way that the target network moves to the online network, an update [1]."""
    gradient_norm: float = 10.0
    """Longer gradients are shortened to this Euclidean norm [1]."""

    def __post_init__(self) -> None:
        for name in ("gamma", "trace_decay", "target_rate"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"LearnerConfig.{name} is {getattr(self, name)}; valid is 0 to 1")
        for name in ("learning_rate", "gradient_norm"):
            if not 0.0 < getattr(self, name) < float("inf"):
                raise ValueError(f"LearnerConfig.{name} is {getattr(self, name)}; valid is a finite number above 0")
