"""Collecting experience beside the learner: in this process or in one of its own, behind the same two calls.

The schedule is the same in both. Iteration k is collected with the parameters from the moment of `start`; what the
learner does until `result` acts on iterations before k. So a run in one process and a run in two are bit-equal, and so
are two runs with the same seed: on the same machine, with the same library versions, and one torch thread in each
process (`torch.set_num_threads(1)`; several threads may sum in another order).
"""

import json
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import safetensors.numpy
import safetensors.torch
from torch import Tensor

from policies.batch import Batch
from policies.env_api import EnvError
from policies.episode import Episode
from policies.team import Team
from policies.worker import RolloutSetup, read_episodes, work
from sim.errors import RunError

SILENCE = 30.0
"""After so long without an answer of the worker, and again each time, a line says so [s]."""
_LOOK = 0.2
"""Between two looks whether the learner is to stop, while it waits for the worker [s]."""


class RolloutError(RunError):
    """The worker process failed or died."""


class RolloutStoppedError(RunError):
    """The learner was told to stop while the worker owed it an answer."""


@dataclass(frozen=True)
class Collected:
    """What one iteration brought."""

    batch: Batch
    episodes: list[Episode]
    """The episodes that ended."""
    random: dict[str, Any]
    """State of the collector's random numbers afterwards, as plain values."""
    note: str = ""
    """What a person should know about the environment by now."""


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
        """Wait for the iteration that `start` began, and return it.

        Raises:
            RolloutError: the worker failed.
            EnvError: the environment did something else than its interface asks for.
            RolloutStoppedError: the learner was told to stop before there was an answer.
        """

    def validate(self, weights: dict[str, Tensor], episodes: int) -> list[Episode]:
        """Play greedy episodes with these parameters, between two iterations; errors as in `result`."""

    def restore(self, random: dict[str, Any]) -> None:
        """Go on with the random numbers of an earlier `Collected`."""

    def close(self) -> None:
        """End the environments, and the worker if there is one."""


def open_rollout(setup: RolloutSetup, worker: bool, stop: Callable[[], bool]) -> Rollout:
    """Build the environments.

    Args:
        setup: what to build.
        worker: in a process of their own, or in this one.
        stop: whether the learner is to stop; it then waits no longer for a worker.

    Raises:
        InputError: the environment is not valid.
        RolloutError, RolloutStoppedError: as `Rollout.result`.
    """
    return WorkerRollout(setup, stop) if worker else InProcessRollout(setup)


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
        random = dict(self._collector.random.bit_generator.state)
        return Collected(Batch.of(arrays), episodes, random, self._collector.note)

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

    def __init__(self, setup: RolloutSetup, stop: Callable[[], bool] = lambda: False) -> None:
        self._env, self._stop = setup.source.name, stop
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
        observation, state = scales
        self.team = Team(tuple(values["agents"]), values["n_actions"], observation, state, values["robot_state"])

    def start(self, weights: dict[str, Tensor], epsilon: float) -> None:
        """See `Rollout`."""
        self._send_weights({"collect": epsilon}, weights)

    def result(self) -> Collected:
        """See `Rollout`."""
        header = self._receive()
        batch = Batch(**safetensors.torch.load(self._receive_bytes()))
        return Collected(batch, read_episodes(header), header["random"], header["note"])

    def validate(self, weights: dict[str, Tensor], episodes: int) -> list[Episode]:
        """See `Rollout`."""
        self._send_weights({"validate": episodes}, weights)
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

    def _send_weights(self, request: dict[str, Any], weights: dict[str, Tensor]) -> None:
        """Send a request, and the parameters once the worker takes them: more than a pipe holds would wait for ever."""
        self._send(request)
        self._receive_bytes()
        self._send(safetensors.torch.save(weights))

    def _receive_bytes(self) -> bytes:
        began = told = time.monotonic()
        try:
            while not self._connection.poll(_LOOK):
                now = time.monotonic()
                if self._stop():
                    raise RolloutStoppedError(f"stopped while env {self._env} owed an answer for {now - began:.0f} s")
                if now - told >= SILENCE:
                    told = now
                    print(
                        f"env {self._env} has not answered for {now - began:.0f} s (worker process {self._process.pid})"
                        "; Ctrl-C saves what was learned and ends",
                        file=sys.stderr,
                        flush=True,
                    )
            return self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise self._died() from error

    def _receive(self) -> dict[str, Any]:
        header: dict[str, Any] = json.loads(self._receive_bytes())
        if "input_error" in header:
            raise EnvError(header["input_error"])
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
