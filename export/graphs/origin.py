"""What an exported file says about its origin, so that a robot's log can name the training behind every command."""

import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from export.bundle.metadata import PolicyMetadata
from policies.config import AgentConfig
from sim.observation import MANEUVERS, observation_spec
from sim.scene import SceneConfig
from sim.vector_spec import Field, VectorSpec

LIBRARIES = ("fleetmix", "numpy", "onnx", "onnxscript", "torch")


def library_versions() -> dict[str, str]:
    """Return Python's version and those of the libraries that make a file."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"  # fleetmix run from its folder
    return versions


@dataclass(frozen=True)
class Training:
    """Where a policy comes from."""

    algorithm: str
    """qmix, vdn or iql."""
    steps: int
    """Environment steps of training."""
    seed: int
    """Seed of the training run."""
    evaluation: Any = None
    """Results of the last evaluation, plain JSON values."""


def warehouse_metadata(scene: SceneConfig, layout: str, agent: AgentConfig, training: Training) -> PolicyMetadata:
    """Return what a warehouse policy says about itself; `layout` is the text of the map."""
    return PolicyMetadata(
        role="policy",
        observation=observation_spec(scene.robot),
        actions=MANEUVERS,
        decision_period=scene.decision_period,
        control_period=scene.control_period,
        scene=scene,
        layout=layout,
        **_origin(agent, training),
    )


def generic_metadata(
    low: Sequence[float], high: Sequence[float], n_actions: int, agent: AgentConfig, training: Training
) -> PolicyMetadata:
    """Return what a policy for another environment says about itself: one field, numbered actions, no controller.

    Args:
        low: smallest values of the flattened observation [size]; minus infinity where there is no bound.
        high: largest values [size].
        n_actions: number of actions.
        agent: shape of the network.
        training: where it comes from.
    """
    meaning = "the environment's observation, flattened"
    field = Field("observation", (len(low),), "1", tuple(map(float, low)), tuple(map(float, high)), meaning)
    return PolicyMetadata(
        role="policy",
        observation=VectorSpec((field,)),
        actions=tuple(str(i) for i in range(n_actions)),
        decision_period=None,
        control_period=None,
        scene=None,
        layout=None,
        **_origin(agent, training),
    )


def _origin(agent: AgentConfig, training: Training) -> dict[str, Any]:
    return {
        "algorithm": training.algorithm,
        "agent": asdict(agent),
        "training_steps": training.steps,
        "seed": training.seed,
        "evaluation": training.evaluation,
        "versions": library_versions(),
    }
