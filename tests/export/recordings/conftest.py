"""Recordings of short drives, made once."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from export.fleet.onnx_policy import OnnxFleetPolicy
from export.fleet.recording import FleetRecording
from policies.evaluate import play
from sim.env import WarehouseEnv
from sim.layout import load_layout
from tests.export.conftest import THREE

SEEDS = (4, 5)
SECONDS = 40.0


@dataclass
class Driven:
    """A recording, and what it should hold."""

    file: Path
    poses: NDArray[np.float64]
    """When each decision was due [decisions, robots, 3]."""
    observations: NDArray[np.float32]
    maneuvers: NDArray[np.int64]
    q_values: NDArray[np.float32]
    deliveries: int
    picks: int
    bundle: Path


@pytest.fixture(scope="session")
def driven(always_go: Path, tmp_path_factory: pytest.TempPathFactory) -> Driven:
    """Two episodes of three robots that always go, with scans; tests must not change the file."""
    scene = replace(THREE, time_limit=SECONDS)
    env, policy = WarehouseEnv(scene, layout=load_layout("small")), OnnxFleetPolicy(always_go, 3)
    file = tmp_path_factory.mktemp("recordings") / "driven.mcap"
    seen: list[tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]] = []

    def act(observations: NDArray[np.float32]) -> NDArray[np.int64]:
        chosen = policy.act(observations)
        seen.append((env.warehouse.poses.copy(), observations.copy(), chosen, policy.last_q_values().copy()))
        return chosen

    counts = np.zeros(2, np.int64)
    with FleetRecording(env.warehouse, file, "always", print, policy.manifest_hash, policy.last_q_values, scans=True):
        for seed in SEEDS:
            policy.reset(3)
            *_, infos = play(env, seed, act)
            counts += [sum(info[name] for info in infos) for name in ("deliveries", "picks")]
    env.close()
    poses, observations, maneuvers, q_values = (np.stack(each) for each in zip(*seen, strict=True))
    return Driven(file, poses, observations, maneuvers, q_values, int(counts[0]), int(counts[1]), always_go)
