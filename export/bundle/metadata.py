"""What an ONNX file says about itself: the schema of its observation, its maneuvers and its origin, as JSON inside it.

Robots read it, so this file needs numpy alone. JSON stores a float's shortest decimal form, which reads back as the
same float; an unbounded range is null.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from export.bundle.files import SCHEMA_VERSION, WRONG_STRUCTURE, listed, read_object, require_version
from sim.errors import InputError
from sim.layout import Layout, parse_layout
from sim.scene import SceneConfig
from sim.settings import read_settings
from sim.vector_spec import VectorSpec

METADATA_KEY = "fleetmix"
"""The entry of an ONNX model's metadata_props that holds the schema."""

Role = Literal["policy", "controller"]


@dataclass(frozen=True)
class PolicyMetadata:
    """What an ONNX file says about itself."""

    role: Role
    """What the graph computes: a maneuver (policy) or a command (controller)."""
    observation: VectorSpec
    """The fields of the flat observation, with offset, shape, unit and range."""
    actions: tuple[str, ...]
    """Names of the maneuvers, in the order of their numbers."""
    decision_period: float | None
    """Time between two decisions [s]; none where the environment counts steps."""
    control_period: float | None
    """Time between two commands [s]; none without a controller."""
    scene: SceneConfig | None
    """The warehouse that the policy was trained in, robot included; none for another environment."""
    layout: str | None
    """The map as text."""
    algorithm: str
    """How it was trained: qmix, vdn or iql."""
    agent: Mapping[str, Any]
    """Settings of the agent's network."""
    training_steps: int
    """Environment steps of training."""
    seed: int
    """Seed of the training run."""
    evaluation: Any
    """Results of the last evaluation; none when there was none."""
    versions: Mapping[str, str]
    """Versions of the libraries that wrote the file."""

    def trained_in(self, source: object) -> tuple[SceneConfig, Layout]:
        """Return the warehouse that the policy was trained in; `source` names the bundle in errors.

        Raises:
            InputError: it was trained in another environment.
        """
        if self.scene is None or self.layout is None:
            raise InputError(f"{source} was trained in another environment; valid is a warehouse's")
        return self.scene, parse_layout(self.layout, Path(self.scene.layout).stem)

    def to_json(self) -> str:
        """Return the metadata as one JSON text that `read_metadata` reads back without loss."""
        values: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
        values |= {f.name: getattr(self, f.name) for f in fields(self)}
        values["observation"] = [_bounds_to_json(value) for value in self.observation.to_json()]
        values["scene"] = None if self.scene is None else asdict(self.scene)
        return json.dumps(values, allow_nan=False)


def read_metadata(text: str, source: str) -> PolicyMetadata:
    """Return the metadata that `PolicyMetadata.to_json` wrote; `source` names the file in errors.

    Raises:
        InputError: the text is no JSON, of another schema version, or incomplete.
    """
    values = read_object(text, f"{source}: its {METADATA_KEY!r} metadata")
    require_version(values, source)
    names = {f.name for f in fields(PolicyMetadata)}
    if set(values) != names:
        wrong = listed(set(values) ^ names)
        raise InputError(f"{source}: the metadata lacks, or does not know, {wrong}; valid are {listed(names)}")
    try:
        return _interpret(values, source)
    except InputError:
        raise
    except WRONG_STRUCTURE as error:
        raise InputError(f"{source}: the metadata is not readable ({error!r})") from error


def _interpret(values: dict[str, Any], source: str) -> PolicyMetadata:
    if values["role"] not in get_args(Role):
        raise InputError(f"{source}: role is {values['role']!r}; valid is {' or '.join(get_args(Role))}")
    actions = values["actions"]
    if not (isinstance(actions, list) and actions and all(isinstance(name, str) for name in actions)):
        raise InputError(f"{source}: actions is {actions!r}; valid is a list of names")
    for name in ("decision_period", "control_period"):
        value = values[name]
        if value is not None and not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
            raise InputError(f"{source}: {name} is {value!r}; valid is a time above 0 s")
    observation = VectorSpec.from_json([_bounds_from_json(value) for value in values["observation"]], source)
    scene = None if values["scene"] is None else read_settings(SceneConfig, values["scene"], source)
    return PolicyMetadata(**{**values, "observation": observation, "actions": tuple(actions), "scene": scene})


def as_controller(metadata: PolicyMetadata) -> PolicyMetadata:
    """Return the metadata of the controller that goes with a policy."""
    return replace(metadata, role="controller")


def _bounds_to_json(value: dict[str, Any]) -> dict[str, Any]:
    bounds = {side: [x if math.isfinite(x) else None for x in value[side]] for side in ("low", "high")}
    return {**value, **bounds}


def _bounds_from_json(value: dict[str, Any]) -> dict[str, Any]:
    low = [-math.inf if x is None else float(x) for x in value["low"]]
    high = [math.inf if x is None else float(x) for x in value["high"]]
    return {**value, "low": low, "high": high}
