"""The worker process of a rollout: it builds the environments from plain values, then collects for the learner.

Parameters and experience cross the process border as safetensors, everything else as JSON; nothing is pickled.
"""

import dataclasses
import json
import signal
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch

from policies.collector import Collector
from policies.config import AgentConfig
from policies.environments import EnvSource
from policies.episode import Episode
from policies.team import Team
from sim.errors import InputError


@dataclass(frozen=True)
class RolloutSetup:
    """What a collector is built from."""

    source: EnvSource
    agent: AgentConfig
    envs: int
    """Environments stepped together."""
    sequence: int
    """Steps of an iteration [env steps]."""
    seed: int

    def build(self) -> Collector:
        """Build the collector; raise InputError when the environment is not valid."""
        return Collector(self.source, self.agent, self.envs, self.sequence, self.seed)

    def to_json(self) -> str:
        """Return one line that `from_json` reads back."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return json.dumps(values | {"source": self.source.to_json(), "agent": dataclasses.asdict(self.agent)})

    @classmethod
    def from_json(cls, text: str) -> "RolloutSetup":
        """Return what `to_json` wrote."""
        values = json.loads(text)
        source, agent = EnvSource.from_json(values.pop("source")), AgentConfig(**values.pop("agent"))
        return cls(source, agent, **values)


def work(connection: Connection, setup: str) -> None:
    """Build the environments, then answer until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    try:
        collector = RolloutSetup.from_json(setup).build()
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


def _answer(connection: Connection, collector: Collector, request: dict[str, Any]) -> None:
    if "random" in request:
        collector.random.bit_generator.state = request["random"]
        return
    connection.send_bytes(b"")  # ready for the parameters
    collector.agent.load_state_dict(safetensors.torch.load(connection.recv_bytes()))
    if "validate" in request:
        _reply(connection, {"episodes": _write_episodes(collector.validate(request["validate"]))})
        return
    arrays, episodes = collector.collect(request["collect"])
    random = collector.random.bit_generator.state
    _reply(connection, {"episodes": _write_episodes(episodes), "random": random, "note": collector.note})
    connection.send_bytes(safetensors.numpy.save(arrays))


def _reply(connection: Connection, message: dict[str, Any]) -> None:
    connection.send_bytes(json.dumps(message).encode())


def _write_episodes(episodes: list[Episode]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(episode) for episode in episodes]


def read_episodes(header: dict[str, Any]) -> list[Episode]:
    """Return the episodes that a message of the worker holds."""
    return [Episode(**values) for values in header["episodes"]]
