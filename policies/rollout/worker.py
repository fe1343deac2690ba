"""A worker process of a rollout: it builds the environments from plain values, then collects for the learner.

Parameters and experience cross the process border as safetensors, everything else as JSON; nothing is pickled. While
the environments step, the worker says every few seconds that it lives: silence means that a single step hangs.
"""

import ctypes
import dataclasses
import faulthandler
import json
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch

from policies.episode import Episode
from policies.rollout.collector import Collector
from policies.rollout.setup import RolloutSetup
from policies.rollout.state import CollectorState
from policies.team import Team
from sim.errors import InputError

STATE = "state."
"""What the names of a collector's state begin with, among the arrays of an answer."""
ALIVE = b"alive"
"""Sent while an answer takes long."""
_PULSE = 2.0
"""Time between two such messages [s]."""


def work(connection: Connection, setup: str, crash_report: str) -> None:
    """Build the environments, then answer until the other end closes.

    Args:
        connection: to the learner.
        setup: a `RolloutSetup` as JSON.
        crash_report: a file for where every thread is, written when the process crashes and when it gets SIGUSR1.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    torch.set_num_threads(1)
    with Path(crash_report).open("w") as report:
        faulthandler.enable(report)
        faulthandler.register(signal.SIGUSR1, report)
        try:
            collector = RolloutSetup.from_json(setup).build()
            collector.alive = _Pulse(connection).beat
            team = {f.name: getattr(collector.team, f.name) for f in dataclasses.fields(Team)}
            _reply(connection, {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in team.items()})
            while True:
                _answer(connection, collector, json.loads(connection.recv_bytes()))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return  # the main process closed its end
        except InputError as error:
            _reply(connection, {"input_error": str(error)})
        except Exception:
            _reply(connection, {"error": traceback.format_exc()})


def _end_with_parent() -> None:
    """Let the system end this process with the learner's, even while an environment hangs."""
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


class _Pulse:
    """Tells the learner from time to time that environments step."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._last = connection, time.monotonic()

    def beat(self) -> None:
        """Send a sign of life, where the last is long ago."""
        now = time.monotonic()
        if now - self._last >= _PULSE:
            self._last = now
            self._connection.send_bytes(ALIVE)


def _answer(connection: Connection, collector: Collector, request: dict[str, Any]) -> None:
    connection.send_bytes(b"")  # ready for what comes with it
    tensors = connection.recv_bytes()
    if "restore" in request:
        state = CollectorState(request["restore"], safetensors.numpy.load(tensors))
        collector.restore(state, anew=request["anew"])
        _reply(connection, {})
        return
    collector.agent.load_state_dict(safetensors.torch.load(tensors))
    if "validate" in request:
        _reply(connection, {"episodes": _write_episodes(collector.validate(range(*request["validate"])))})
        return
    arrays, episodes = collector.collect(request["collect"])
    state = collector.state()
    _reply(connection, {"episodes": _write_episodes(episodes), "random": state.random, "note": collector.note})
    arrays |= {STATE + name: array for name, array in state.arrays.items()}
    connection.send_bytes(safetensors.numpy.save(arrays))


def _reply(connection: Connection, message: dict[str, Any]) -> None:
    connection.send_bytes(json.dumps(message).encode())


def _write_episodes(episodes: list[Episode]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(episode) for episode in episodes]
