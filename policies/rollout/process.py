"""The learner's end of one worker process: requests, answers, and what became of it."""

import json
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from policies.env_api import EnvError
from policies.rollout.interface import RolloutError, RolloutStoppedError
from policies.rollout.setup import RolloutSetup
from policies.rollout.worker import ALIVE, work

SILENCE = 30.0
"""After so long without a sign of life of the worker, and again each time, a line says so [s]."""
_LOOK = 0.2
"""Between two looks whether the learner is to stop, while it waits for the worker [s]."""


class WorkerProcess:
    """A worker process, from its start to its end.

    Args:
        setup: what it builds.
        stop: whether the learner is to stop; it then waits no longer.
        patience: after so long without a sign of life it counts as hung, once it has started; 0 waits for ever [s].

    Raises:
        EnvError: the environment is not valid.
        RolloutError: the worker failed, died or hung; so does every method that talks to it.
        RolloutStoppedError: the learner was told to stop; likewise.
    """

    def __init__(self, setup: RolloutSetup, stop: Callable[[], bool], patience: float) -> None:
        self._env, self._stop, self._patience = setup.source.name, stop, 0.0
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        descriptor, self._crash_report = tempfile.mkstemp(prefix="fleetmix-worker-")
        os.close(descriptor)
        arguments = (theirs, setup.to_json(), self._crash_report)
        self._process = context.Process(target=work, args=arguments, daemon=True, name="rollout")
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
            self.team = self.answer()
        except BaseException:
            self.close()
            raise
        self._patience = patience

    @property
    def pid(self) -> int | None:
        """Number of the process."""
        return self._process.pid

    def request(self, message: dict[str, Any], tensors: bytes) -> None:
        """Send a request, and the tensors once the worker takes them: more than a pipe holds would wait for ever."""
        self._send(json.dumps(message).encode())
        self._receive()
        self._send(tensors)

    def answer(self) -> dict[str, Any]:
        """Wait for a message, and return it."""
        header: dict[str, Any] = json.loads(self._receive())
        if "input_error" in header:
            raise EnvError(header["input_error"])
        if "error" in header:
            raise RolloutError(f"the rollout worker failed:\n{header['error']}")
        return header

    def tensors(self) -> dict[str, Tensor]:
        """Wait for tensors, and return them."""
        return safetensors.torch.load(self._receive())

    def close(self, grace: float = 5.0) -> None:
        """End the process: let it end by itself for some time [s], then kill it."""
        self._connection.close()  # the worker ends when it next reads or writes
        self._process.join(timeout=grace)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        Path(self._crash_report).unlink(missing_ok=True)

    def _send(self, message: bytes) -> None:
        try:
            self._connection.send_bytes(message)
        except OSError as error:
            raise self._died() from error

    def _receive(self) -> bytes:
        try:
            self._wait()
            message = self._connection.recv_bytes()
            while message == ALIVE:
                self._wait()
                message = self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise self._died() from error
        return message

    def _wait(self) -> None:
        """Wait until there is a message to read."""
        began = told = time.monotonic()
        while not self._connection.poll(_LOOK):
            now = time.monotonic()
            if self._stop():
                raise RolloutStoppedError(f"stopped while env {self._env} owed an answer for {now - began:.0f} s")
            if self._patience and now - began >= self._patience:
                raise self._hung(now - began)
            if now - told >= SILENCE:
                told = now
                print(
                    f"env {self._env} has not answered for {now - began:.0f} s (worker process {self.pid}); "
                    "Ctrl-C saves what was learned and ends",
                    file=sys.stderr,
                    flush=True,
                )

    def _hung(self, waited: float) -> RolloutError:
        """Return the error of a worker that does not answer, with where it hangs, and kill it."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGUSR1)
        deadline = time.monotonic() + 1.0
        while not self._where() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._process.kill()
        return RolloutError(
            f"the rollout worker has not answered for {waited:.0f} s and was ended (rollout.patience){self._where()}"
        )

    def _died(self) -> RolloutError:
        self._process.join(timeout=5.0)
        return RolloutError(
            f"the rollout worker died with exit code {self._process.exitcode} (a negative one is the signal that ended "
            "it, -9 often means that memory ran out); fewer environments (rollout.envs) need less memory, and a script "
            f"that trains needs `if __name__ == '__main__':`{self._where()}"
        )

    def _where(self) -> str:
        """Return where the worker was, on lines of its own, as far as it could tell."""
        try:
            report = Path(self._crash_report).read_text().strip()
        except OSError:
            return ""
        return f"\n{report}" if report else ""
