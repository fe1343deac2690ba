"""Collecting experience beside the learner: in this process or in one of its own, behind the same two calls.

The schedule is the same in both. Iteration k is collected with the parameters from the moment of `start`; what the
learner does until `result` acts on iterations before k. So a run in one process and a run in two are bit-equal, and so
are two runs with the same seed: on the same machine, with the same library versions, and one torch thread in each
process (`torch.set_num_threads(1)`; several threads may sum in another order).
"""

import json
import multiprocessing
import signal
import threading
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import safetensors.numpy
import safetensors.torch
from torch import Tensor

from policies.batch import Batch
from policies.environments import Team
from policies.episode import Episode
from policies.worker import RolloutSetup, read_episodes, work
from sim.errors import InputError, RunError


class RolloutError(RunError):
    """The worker process failed or died."""


@dataclass(frozen=True)
class Collected:
    """What one iteration brought."""

    batch: Batch
    episodes: list[Episode]
    """The episodes that ended."""
    random: dict[str, Any]
    """State of the collector's random numbers afterwards, as plain values."""


class Rollout(Protocol):
    """Collects one iteration at a time."""

    team: Team

    def start(self, weights: dict[str, Tensor], epsilon: float) -> None:
        """Begin an iteration with a copy of these parameters of the agent network.

        Args:
            weights: the agent network's `state_dict`.
            epsilon: share of random actions, 0 to 1.
        """

    def result(self) -> Collected:
        """Wait for the iteration that `start` began, and return it; raise RolloutError when the worker failed."""

    def validate(self, weights: dict[str, Tensor], episodes: int) -> list[Episode]:
        """Play greedy episodes with these parameters, between two iterations; raise RolloutError likewise."""

    def restore(self, random: dict[str, Any]) -> None:
        """Go on with the random numbers of an earlier `Collected`."""

    def close(self) -> None:
        """End the environments, and the worker if there is one."""


def open_rollout(setup: RolloutSetup, worker: bool) -> Rollout:
    """Build the environments, in a process of their own or in this one; raise InputError when they are not valid."""
    return WorkerRollout(setup) if worker else InProcessRollout(setup)


class InProcessRollout:
    """Collects in this process, when the result is asked for."""

    def __init__(self, setup: RolloutSetup) -> None:
        self._collector = setup.build()
        self.team = self._collector.team
        self._weights, self._epsilon = b"", 0.0

    def start(self, weights: dict[str, Tensor], epsilon: float) -> None:
        """See `Rollout`."""
        self._weights, self._epsilon = safetensors.torch.save(weights), epsilon

    def result(self) -> Collected:
        """See `Rollout`."""
        self._collector.agent.load_state_dict(safetensors.torch.load(self._weights))
        arrays, episodes = self._collector.collect(self._epsilon)
        return Collected(Batch.of(arrays), episodes, dict(self._collector.random.bit_generator.state))

    def validate(self, weights: dict[str, Tensor], episodes: int) -> list[Episode]:
        """See `Rollout`."""
        self._collector.agent.load_state_dict(weights)
        return self._collector.validate(episodes)

    def restore(self, random: dict[str, Any]) -> None:
        """See `Rollout`."""
        self._collector.random.bit_generator.state = random

    def close(self) -> None:
        """See `Rollout`."""
        self._collector.close()


class WorkerRollout:
    """Collects in a process of its own, while this one learns."""

    def __init__(self, setup: RolloutSetup) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, setup.to_json()), daemon=True, name="rollout")
        # An ignored signal stays ignored in the child from its first instruction on: Ctrl-C is for this process alone.
        main = threading.current_thread() is threading.main_thread()
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None
        try:
            self._process.start()
        finally:
            if main:
                signal.signal(signal.SIGINT, previous)
        theirs.close()
        try:
            values = self._receive()
        except BaseException:
            self.close()
            raise
        scales = [np.array(values[name], np.float32) for name in ("observation_scale", "state_scale")]
        self.team = Team(tuple(values["agents"]), values["n_actions"], *scales)

    def start(self, weights: dict[str, Tensor], epsilon: float) -> None:
        """See `Rollout`."""
        self._send({"collect": epsilon})
        self._send(safetensors.torch.save(weights))

    def result(self) -> Collected:
        """See `Rollout`."""
        header = self._receive()
        try:
            batch = Batch(**safetensors.torch.load(self._connection.recv_bytes()))
        except (EOFError, OSError) as error:
            raise self._died() from error
        return Collected(batch, read_episodes(header), header["random"])

    def validate(self, weights: dict[str, Tensor], episodes: int) -> list[Episode]:
        """See `Rollout`."""
        self._send({"validate": episodes})
        self._send(safetensors.torch.save(weights))
        return read_episodes(self._receive())

    def restore(self, random: dict[str, Any]) -> None:
        """See `Rollout`."""
        self._send({"random": random})

    def close(self) -> None:
        """See `Rollout`."""
        self._connection.close()  # the worker ends when it next reads or writes
        self._process.join(timeout=5.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _send(self, message: dict[str, Any] | bytes) -> None:
        try:
            self._connection.send_bytes(message if isinstance(message, bytes) else json.dumps(message).encode())
        except OSError as error:
            raise self._died() from error

    def _receive(self) -> dict[str, Any]:
        try:
            header: dict[str, Any] = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError) as error:
            raise self._died() from error
        if "input_error" in header:
            raise InputError(header["input_error"])
        if "error" in header:
            raise RolloutError(f"the rollout worker failed:\n{header['error']}")
        return header

    def _died(self) -> RolloutError:
        self._process.join(timeout=5.0)
        return RolloutError(
            f"the rollout worker died with exit code {self._process.exitcode} (a negative one is the signal that ended "
            "it, -9 often means that memory ran out); fewer environments (rollout.envs) need less memory, and a script "
            "that trains needs `if __name__ == '__main__':`"
        )
