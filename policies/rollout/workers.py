"""Worker processes that collect while the learner learns; one that dies or hangs is started again where it stood."""

import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from torch import Tensor

from policies.batch import Batch
from policies.episode import Episode
from policies.rollout.interface import Collected, Rollout, RolloutError, RolloutStoppedError
from policies.rollout.local import InProcessRollout
from policies.rollout.process import WorkerProcess
from policies.rollout.setup import RolloutSetup
from policies.rollout.state import CollectorState
from policies.rollout.worker import STATE
from policies.team import Team

DEATHS = 3
"""So many deaths of a worker without an answer between them end the training."""


def open_rollout(setup: RolloutSetup, workers: int, patience: float, stop: Callable[[], bool]) -> Rollout:
    """Build the environments.

    Args:
        setup: what to build.
        workers: processes that share the environments; 0 for none but this one.
        patience: as in `WorkerProcess` [s].
        stop: whether the learner is to stop; it then waits no longer for a worker.

    Raises:
        InputError: the environment is not valid.
        RolloutError, RolloutStoppedError: as `Rollout.result`.
    """
    return WorkerRollout(setup, stop, workers, patience) if workers else InProcessRollout(setup)


class WorkerRollout:
    """Collects in processes of their own, while this one learns; arguments and errors as in `open_rollout`."""

    def __init__(
        self, setup: RolloutSetup, stop: Callable[[], bool] = lambda: False, workers: int = 1, patience: float = 0.0
    ) -> None:
        self._stop, self._patience = stop, patience
        self._setups = setup.split(workers)
        self._deaths = [0] * workers
        self._states: list[CollectorState | None] = [None] * workers
        self._requests: Sequence[dict[str, Any]] = ()
        self._weights = b""
        self._workers: list[WorkerProcess] = []
        try:
            for part in self._setups:
                self._workers.append(WorkerProcess(part, stop, patience))
        except BaseException:
            self.close()
            raise
        values = self._workers[0].team
        scales = [np.array(values[name], np.float32) for name in ("observation_scale", "state_scale")]
        observation, state = scales
        self.team = Team(tuple(values["agents"]), values["n_actions"], observation, state, values["robot_state"])

    def start(self, weights: dict[str, Tensor], epsilon: float) -> None:
        """See `Rollout`."""
        self._weights = safetensors.torch.save(weights)
        self._ask([{"collect": epsilon}] * len(self._workers))

    def result(self) -> Collected:
        """See `Rollout`."""
        headers, parts = [], []
        for i in range(len(self._workers)):
            header, tensors = self._answer(i, lambda worker: (worker.answer(), worker.tensors()))
            own = {name: tensors.pop(name).numpy() for name in list(tensors) if name.startswith(STATE)}
            self._states[i] = CollectorState(header["random"], {k.removeprefix(STATE): v for k, v in own.items()})
            headers.append(header)
            parts.append(tensors)
        batch = parts[0] if len(parts) == 1 else {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        episodes = [episode for header in headers for episode in _read_episodes(header)]
        states = [state for state in self._states if state is not None]
        note = next((header["note"] for header in headers if header["note"]), "")
        return Collected(Batch(**batch), episodes, CollectorState.join(states), note)

    def validate(self, weights: dict[str, Tensor], episodes: int) -> list[Episode]:
        """See `Rollout`."""
        self._weights = safetensors.torch.save(weights)
        ends = [episodes * (i + 1) // len(self._workers) for i in range(len(self._workers))]
        self._ask([{"validate": span} for span in pairwise([0, *ends])])
        answers = [self._answer(i, lambda worker: worker.answer()) for i in range(len(self._workers))]
        return [episode for header in answers for episode in _read_episodes(header)]

    def restore(self, state: CollectorState) -> None:
        """See `Rollout`."""
        parts = state.split([part.envs for part in self._setups])
        for i, part in enumerate(parts):
            self._states[i] = part
            _restore(self._workers[i], part, anew=False)

    def close(self) -> None:
        """See `Rollout`."""
        for worker in self._workers:
            worker.close()

    def _ask(self, requests: Sequence[dict[str, Any]]) -> None:
        self._requests = requests
        for i, request in enumerate(requests):
            try:
                self._workers[i].request(request, self._weights)
            except RolloutError as error:
                self._revive(i, error)

    def _answer(self, i: int, read: Callable[[WorkerProcess], Any]) -> Any:
        """Return what a worker answers to the present request, also if it has to be started again for that."""
        while True:
            try:
                answer = read(self._workers[i])
            except RolloutError as error:
                self._revive(i, error)
            else:
                self._deaths[i] = 0
                return answer

    def _revive(self, i: int, error: RolloutError) -> None:
        """Start a worker again where it stood, with the present request; raise the last error after too many deaths.

        From the second death on its environments begin new episodes: the first may have come from just this one.
        """
        if self._stop():  # a signal to the whole process group ends the workers, too
            raise RolloutStoppedError("stopped as a worker ended") from error
        while True:
            self._deaths[i] += 1
            if self._deaths[i] >= DEATHS:
                raise RolloutError(f"{error}\nthis was its death number {DEATHS} in a row, so training ends") from error
            anew = self._deaths[i] > 1
            how = "with new episodes" if anew else "where it stood"
            print(f"{error}\nstarting it again {how}", file=sys.stderr, flush=True)
            self._workers[i].close(grace=0.0)
            try:
                self._workers[i] = WorkerProcess(self._setups[i], self._stop, self._patience)
                state = self._states[i]
                if state is not None:
                    _restore(self._workers[i], state, anew)
                self._workers[i].request(self._requests[i], self._weights)
                return
            except RolloutError as again:
                error = again


def _restore(worker: WorkerProcess, state: CollectorState, anew: bool) -> None:
    worker.request({"restore": state.random, "anew": anew}, safetensors.numpy.save(state.arrays))
    worker.answer()


def _read_episodes(header: dict[str, Any]) -> list[Episode]:
    return [Episode(**values) for values in header["episodes"]]
