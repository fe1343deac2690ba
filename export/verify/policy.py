"""Holds exported networks against what they were made from: the same maneuver at every step of whole episodes.

The other side is the trained network in torch. Without its run it is ONNX's own reference implementation, which tells
whether a file runs right, but not whether it holds the network that was trained.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from export.runtime import Model, OnnxPolicy
from policies.agent import AgentNetwork
from policies.spaces import UNBOUNDED
from sim.errors import RunError

TOLERANCE = 1e-4
"""Largest difference of two Q values, of hidden states, and of commands [m/s, rad/s]."""
TIE = 1e-5
"""Maneuvers whose Q values differ by no more are both right."""

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


class VerifyError(RunError):
    """An exported file does something else than what it was made from; the message names where, and both values."""


@dataclass
class Tally:
    """How well everything agreed that was compared so far."""

    decisions: int = 0
    """Decisions of one robot each."""
    ties: int = 0
    """Decisions that differ, between maneuvers of equal value."""
    q_difference: float = 0.0
    """Largest difference of two Q values or hidden states."""


class Oracle(Protocol):
    """What the files are held against."""

    name: str

    def values(self, robot: int, observation: Array, mask: Mask, hidden: Array) -> tuple[Array, Array]:
        """Return Q values [batch, actions] and the next hidden state [batch, hidden].

        Args:
            robot: which one.
            observation: [batch, features].
            mask: [batch, actions].
            hidden: [batch, hidden].
        """


class TorchOracle:
    """The trained network, robot by robot."""

    name = "torch"

    def __init__(self, agent: AgentNetwork) -> None:
        self._robots = [agent.single(i).eval() for i in range(agent.n_agents)]

    @torch.no_grad()
    def values(self, robot: int, observation: Array, mask: Mask, hidden: Array) -> tuple[Array, Array]:
        """Return the same as `Oracle.values`."""
        network = self._robots[robot]
        q, after = network(torch.from_numpy(observation)[:, None, None], torch.from_numpy(hidden)[:, None])
        return q[:, 0, 0].numpy(), after[:, 0].numpy()


class ReferenceOracle:
    """The files themselves, run by the reference implementation of the ONNX operators."""

    name = "onnx.reference"

    def __init__(self, models: Sequence[onnx.ModelProto]) -> None:
        self._robots = [ReferenceEvaluator(model) for model in models]

    def values(self, robot: int, observation: Array, mask: Mask, hidden: Array) -> tuple[Array, Array]:
        """Return the same as `Oracle.values`."""
        recurrent = {"hidden_in": hidden} if hidden.size else {}
        feeds = {"observation": observation, "action_mask": mask, **recurrent}
        _, q, *after = cast(list[Array], self._robots[robot].run(None, feeds))
        return q, after[0] if after else hidden


def compare_random(model: Model, robot: int, oracle: Oracle, samples: int, tally: Tally) -> None:
    """Compare one file on random observations, masks and hidden states, drawn from all over their ranges.

    Raises:
        VerifyError: they differ.
    """
    session, metadata = model.session, model.metadata
    rng = np.random.default_rng(robot)
    spec = metadata.observation
    low = np.where(spec.low < -UNBOUNDED, -10.0, spec.low)
    high = np.where(spec.high > UNBOUNDED, 10.0, spec.high)
    hidden_size = next((i.shape[-1] for i in session.get_inputs() if i.name == "hidden_in"), 0)
    observation = rng.uniform(low, high, (samples, spec.size)).astype(np.float32)
    mask = rng.random((samples, len(metadata.actions))) < 0.7
    mask[~mask.any(axis=1)] = True
    hidden = rng.uniform(-1.0, 1.0, (samples, hidden_size)).astype(np.float32)
    recurrent = {"hidden_in": hidden} if hidden_size else {}
    result = session.run(None, {"observation": observation, "action_mask": mask, **recurrent})
    q, after = oracle.values(robot, observation, mask, hidden)
    compare = Comparison(model.path.name, metadata.actions, oracle.name, tally)

    def where(row: int) -> str:
        return f"random observation {row}, robot {robot}"

    if hidden_size:
        compare.numbers("hidden_out", result[2], after, where)
    compare.decisions(result[0], result[1], q, mask, where)


@dataclass(frozen=True)
class Comparison:
    """A comparison of the results of one file with the oracle's."""

    file: str
    actions: tuple[str, ...]
    oracle: str
    tally: Tally

    def numbers(self, name: str, found: Array, expected: Array, where: Callable[[int], str]) -> None:
        """Compare [batch, elements]; raise VerifyError at the first row that differs by more than the tolerance."""
        difference = np.abs(found - expected)
        wrong = ~(difference <= TOLERANCE)  # true for NaN too
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            element = f"{name}[{self.actions[column] if name == 'q_values' else column}]"
            raise VerifyError(
                f"{self.file}: {element} differs at {where(int(row))}: {self.oracle} gives {expected[row, column]}, "
                f"onnxruntime {found[row, column]}; at most {TOLERANCE} apart is valid"
            )
        self.tally.q_difference = max(self.tally.q_difference, float(difference.max(initial=0.0)))

    def decisions(
        self, maneuvers: NDArray[np.int64], q: Array, expected: Array, mask: Mask, where: Callable[[int], str]
    ) -> NDArray[np.int64]:
        """Compare Q values [batch, actions] and maneuvers [batch]; return the expected maneuvers [batch].

        Raises:
            VerifyError: Q values or maneuvers differ.
        """
        self.numbers("q_values", q, expected, where)
        allowed = np.where(mask, expected, -np.inf)
        best: NDArray[np.int64] = allowed.argmax(axis=1)
        rows = np.arange(len(best))
        differs = best != maneuvers
        gap = allowed[rows, best] - allowed[rows, maneuvers]
        wrong = np.flatnonzero(differs & ~(gap <= TIE))
        if len(wrong):
            i = int(wrong[0])
            raise VerifyError(
                f"{self.file}: maneuver differs at {where(i)}: {self.oracle} chooses {self.actions[best[i]]} "
                f"({expected[i, best[i]]}), onnxruntime {self.actions[maneuvers[i]]} ({expected[i, maneuvers[i]]})"
            )
        self.tally.decisions += len(best)
        self.tally.ties += int(differs.sum())
        return best


class SideBySide:
    """Every robot's file beside the oracle, each with its own hidden state, over whole episodes.

    Args:
        models: the file of each robot, opened.
        oracle: what they are held against; its maneuvers are the ones that are carried out.
        tally: where the result goes.
    """

    def __init__(self, models: Sequence[Model], oracle: Oracle, tally: Tally) -> None:
        self._policies = [OnnxPolicy(model.path, model=model) for model in models]
        self._oracle = oracle
        self._compare = [Comparison(m.path.name, m.metadata.actions, oracle.name, tally) for m in models]
        self._episode, self._step = 0, 0
        self._hidden = [np.zeros((1, 0), np.float32)] * len(models)

    def begin(self, episode: int) -> None:
        """Forget what was seen."""
        self._episode, self._step = episode, 0
        for i, policy in enumerate(self._policies):
            policy.reset()
            self._hidden[i] = np.zeros((1, policy.hidden_size), np.float32)

    def decide(self, observations: Array, mask: Mask) -> NDArray[np.int64]:
        """Return one decision of every robot, compared.

        Raises:
            VerifyError: a file decides otherwise than the oracle.
        """
        chosen = np.zeros(len(self._policies), np.int64)
        for i, policy in enumerate(self._policies):
            own, allowed = observations[i].copy(), mask[i].copy()
            action = policy.act(own, allowed)
            q, self._hidden[i] = self._oracle.values(i, own[None], allowed[None], self._hidden[i])
            maneuver, where = np.array([action.maneuver]), partial(self._where, i)
            chosen[i] = self._compare[i].decisions(maneuver, action.q_values[None], q, allowed[None], where)[0]
        self._step += 1
        return chosen

    def _where(self, robot: int, _row: int) -> str:
        return f"episode {self._episode}, step {self._step}, robot {robot}"
