"""Bundles of untrained networks, made once: the export does not care what a network has learned."""

import os
import shutil
from pathlib import Path

import pytest
import torch

from export.bundle.metadata import PolicyMetadata
from export.fleet import processes
from export.graphs.bundle_writer import write_bundle
from export.graphs.origin import Training, warehouse_metadata
from policies.agent import AgentNetwork
from policies.config import AgentConfig
from policies.environments import EnvSource
from sim.layout import load_layout
from sim.observation import MANEUVERS, observation_spec
from sim.scene import SceneConfig

processes.PYTHON = os.environ.get("FLEETMIX_ROBOT_PYTHON", processes.PYTHON)  # make test-robot

SCENE = SceneConfig(layout="crossing", robots=2, time_limit=20.0)


def make_agent(config: AgentConfig, scene: SceneConfig = SCENE, seed: int = 1) -> AgentNetwork:
    """A network whose maneuvers change with what it sees: every parameter is random."""
    torch.manual_seed(seed)
    scale = torch.from_numpy(observation_spec(scene.robot).scale)
    agent = AgentNetwork(scene.robots, scale, len(MANEUVERS), config, EnvSource(scene).neighbours)
    for parameter in agent.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return agent.eval()


def set_values(agent: AgentNetwork, values: list[float]) -> None:
    """Give the actions the same values for every robot, whatever it observes."""
    with torch.no_grad():
        for name, parameter in agent.named_parameters():
            if name.endswith("head.weight"):
                parameter.zero_()
            elif name.endswith("head.bias"):
                parameter.copy_(torch.tensor(values))


def make_metadata(config: AgentConfig, scene: SceneConfig = SCENE) -> PolicyMetadata:
    """What its files say."""
    training = Training("qmix", 123_456, 7, {"throughput": 0.1 + 0.2})
    return warehouse_metadata(scene, load_layout(scene.layout).text(), config, training)


MLP = AgentConfig("mlp", hidden=32)
GRU = AgentConfig("gru", hidden=24, shared=False)
ATTENTION = AgentConfig("mlp", hidden=32, encoder="attention")
THREE = SceneConfig(robots=3)


@pytest.fixture(scope="session")
def mlp_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two robots with shared parameters; tests must not change it."""
    return write_bundle(make_agent(MLP), make_metadata(MLP), tmp_path_factory.mktemp("mlp") / "bundle", 2).path


@pytest.fixture(scope="session")
def gru_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two robots with a memory and parameters of their own; tests must not change it."""
    return write_bundle(make_agent(GRU), make_metadata(GRU), tmp_path_factory.mktemp("gru") / "bundle", 2).path


@pytest.fixture(scope="session")
def always_go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that delivers without having learned anything."""
    agent = make_agent(MLP, THREE)
    set_values(agent, [float(maneuver == "go") for maneuver in MANEUVERS])
    return write_bundle(agent, make_metadata(MLP, THREE), tmp_path_factory.mktemp("go") / "bundle", 3).path


@pytest.fixture(params=["mlp", "gru"])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of either bundle."""
    source: Path = request.getfixturevalue(f"{request.param}_bundle")
    return Path(shutil.copytree(source, tmp_path / "bundle"))
