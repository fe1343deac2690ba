"""A robot's own policy and controller, run from ONNX files with numpy and onnxruntime alone.

The files describe their own observation, so a robot needs no copy of the training code, and nothing that doesn't fit
the description reaches the network: what is missing, of another shape or type, NaN, infinite or out of range is refused
by name. `sim.observation.write_observation` saturates what it packs, so a packed observation is never out of range.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from export.bundle.manifest import Bundle, read_pinned
from export.bundle.metadata import METADATA_KEY, PolicyMetadata, Role, read_metadata
from export.bundle.observation_check import Observation, ObservationCheck, validate_mask
from export.bundle.onnx_file import check_onnx_bytes
from sim.errors import InputError

CONTROLLER_FIELDS = ("lidar", "waypoint", "room", "velocity", "neighbours")


class Action(NamedTuple):
    """What the policy decided."""

    maneuver: int
    """Number of the maneuver."""
    name: str
    """Name of the maneuver."""
    q_values: NDArray[np.float32]
    """Value of each maneuver [actions], masked or not."""


class Model(NamedTuple):
    """An ONNX file that was read, checked and loaded."""

    path: Path
    """Where it was read."""
    session: ort.InferenceSession
    """What runs it, in one thread."""
    metadata: PolicyMetadata
    """What it says about itself."""


class OnnxPolicy:
    """One robot's policy, with a hidden state: call `reset` when an episode or mission starts.

    Args:
        path: the robot's ONNX file; a manifest.json beside it must list it with the same hash.
        sha256: the hash that its bytes must have, in hexadecimal.
        model: the file, where it was opened already (`open_model`).

    Raises:
        InputError: the file is missing, cut short, changed, not self-contained, or no policy that this release reads.
    """

    def __init__(self, path: str | Path, sha256: str | None = None, *, model: Model | None = None) -> None:
        self._source = str(path)
        _, self._session, self.metadata = model or load_model(read_pinned(Path(path), sha256), Path(path), "policy")
        self.spec, self.actions = self.metadata.observation, self.metadata.actions
        self.decision_period, self.control_period = self.metadata.decision_period, self.metadata.control_period
        inputs = {i.name: i.shape for i in self._session.get_inputs()}
        outputs = {o.name: o.shape for o in self._session.get_outputs()}
        self._recurrent = "hidden_in" in inputs
        self.hidden_size: int = inputs.get("hidden_in", [None, 0])[-1]
        before = {"hidden_in": self.hidden_size} if self._recurrent else {}
        _require_ports(
            inputs, {"observation": self.spec.size, "action_mask": len(self.actions), **before}, self._source
        )
        after = {"hidden_out": self.hidden_size} if self._recurrent else {}
        _require_ports(outputs, {"maneuver": None, "q_values": len(self.actions), **after}, self._source)
        self._outputs = ["maneuver", "q_values", *after]
        self._check = ObservationCheck(self.spec)
        self._everything = np.ones((1, len(self.actions)), np.bool_)
        self._start = np.zeros((1, self.hidden_size), np.float32)
        self._finite = np.empty((1, len(self.actions)), np.bool_)
        self._feeds: dict[str, NDArray[Any]] = {}
        middle = self._check.example()
        for _ in range(2):  # the first call allocates
            self.reset()
            self.act(middle)
        self.reset()

    @classmethod
    def from_bundle(cls, bundle: Bundle, robot: str) -> Self:
        """Return the policy that a robot of that name runs.

        Raises:
            InputError: as for the constructor, or the bundle has none for that robot.
        """
        model = open_model(bundle, bundle.manifest.file_of(robot), "policy")
        return cls(model.path, model=model)

    def reset(self) -> None:
        """Forget what was seen before."""
        self._feeds = {"hidden_in": self._start} if self._recurrent else {}

    def act(self, observation: Observation, action_mask: NDArray[np.bool_] | None = None) -> Action:
        """Return the greedy maneuver for what this robot observes.

        Args:
            observation: float32 [size] in the order of `spec`, or a mapping with every field of it; SI units.
            action_mask: bool [actions], which maneuvers are allowed; all by default. Among equal values the first wins.

        Raises:
            InputError: the observation or the mask doesn't fit the schema, names the field and element; or the file's
                network gives a value that is not finite. The hidden state stays as it was.
        """
        feeds = self._feeds
        feeds["observation"] = self._check.validate(observation).reshape(1, -1)
        feeds["action_mask"] = (
            self._everything if action_mask is None else validate_mask(action_mask, len(self.actions))
        )
        result = _run(self._session, self._outputs, feeds, self._source)
        q = result[1]
        if np.count_nonzero(np.isfinite(q, self._finite)) != q.size:
            raise InputError(f"{self._source}: its network gives q_values {q[0].tolist()}; valid are finite numbers")
        if self._recurrent:
            feeds["hidden_in"] = result[2]
        maneuver = int(result[0][0])
        return Action(maneuver, self.actions[maneuver], q[0])


class OnnxController:
    """The controller with its collision governor: from a maneuver and the robot's own sensors to (v, w).

    Args:
        path: the bundle's controller.onnx; a manifest.json beside it must list it with the same hash.
        sha256: the hash that its bytes must have, in hexadecimal.
        model: as for `OnnxPolicy`.

    Raises:
        InputError: as for `OnnxPolicy`.
    """

    def __init__(self, path: str | Path, sha256: str | None = None, *, model: Model | None = None) -> None:
        self._source = str(path)
        _, self._session, self.metadata = model or load_model(read_pinned(Path(path), sha256), Path(path), "controller")
        self.spec, self.actions = self.metadata.observation, self.metadata.actions
        self.control_period = self.metadata.control_period
        missing = [name for name in CONTROLLER_FIELDS if name not in self.spec.offsets]
        if missing:
            raise InputError(f"{self._source}: its observation schema has no field {', '.join(missing)}")
        inputs = {i.name: i.shape for i in self._session.get_inputs()}
        sizes: dict[str, int | None] = {f.name: f.shape[-1] for f in self.spec.fields if f.name in CONTROLLER_FIELDS}
        _require_ports(inputs, {"maneuver": None, **sizes}, self._source)
        _require_ports({o.name: o.shape for o in self._session.get_outputs()}, {"command": 2}, self._source)
        self._check = ObservationCheck(self.spec)
        self._parts = [
            (f.name, self.spec.slice(f.name), (1, *f.shape)) for f in self.spec.fields if f.name in CONTROLLER_FIELDS
        ]
        self.command(0, self._check.example())

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Self:
        """Return the controller of the bundle's robots.

        Raises:
            InputError: as for the constructor, or the bundle has none.
        """
        if bundle.manifest.controller is None:
            raise InputError(f"{bundle} has no controller; it was not trained in the warehouse")
        model = open_model(bundle, bundle.manifest.controller, "controller")
        return cls(model.path, model=model)

    def command(self, maneuver: int, observation: Observation) -> tuple[float, float]:
        """Return the command for the next control period: forward speed v [m/s] and turn rate w [rad/s].

        Args:
            maneuver: 0 to len(actions) - 1.
            observation: as for `OnnxPolicy.act`, read at this control period.

        Raises:
            InputError: the maneuver or the observation doesn't fit the schema, or the command is not finite.
        """
        if not 0 <= maneuver < len(self.actions):
            raise InputError(f"maneuver is {maneuver}; valid is 0 to {len(self.actions) - 1}")
        vector = self._check.validate(observation)
        feeds = {name: vector[part].reshape(shape) for name, part, shape in self._parts}
        feeds["maneuver"] = np.array([maneuver], np.int64)
        (command,) = _run(self._session, ["command"], feeds, self._source)
        v, w = float(command[0, 0]), float(command[0, 1])
        if not (math.isfinite(v) and math.isfinite(w)):
            raise InputError(f"{self._source}: it commands ({v}, {w}); valid are finite numbers")
        return v, w


def open_model(bundle: Bundle, name: str, role: Role) -> Model:
    """Return a file of a bundle, loaded.

    Raises:
        InputError: as for `OnnxPolicy`.
    """
    return load_model(bundle.read(name), bundle.path / name, role)


def load_model(data: bytes, path: Path, role: Role) -> Model:
    """Return a model of that role from the bytes of its file; `path` names it in errors.

    Raises:
        InputError: as for `OnnxPolicy`.
    """
    check_onnx_bytes(data, str(path))
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # what matters is raised
    for pool in ("intra_op", "inter_op"):
        options.add_session_config_entry(f"session.{pool}.allow_spinning", "0")
    try:
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class of its own
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: onnxruntime {ort.__version__} can't load it ({reason})") from error
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise InputError(
            f"{path}: it has no {METADATA_KEY!r} metadata, so its observation is unknown; export it with fleetmix"
        )
    metadata = read_metadata(text, str(path))
    if metadata.role != role:
        raise InputError(f"{path}: it is a {metadata.role}; needed is a {role}")
    return Model(path, session, metadata)


def _run(
    session: ort.InferenceSession, outputs: list[str], feeds: Mapping[str, NDArray[Any]], source: str
) -> list[NDArray[Any]]:
    """Return what the graph computes; raise InputError if it fails in the middle."""
    try:
        result: list[NDArray[Any]] = session.run(outputs, feeds)
    except Exception as error:  # onnxruntime's errors share no base class of its own
        raise InputError(f"{source}: its graph failed ({' '.join(str(error).split())})") from error
    return result


def _require_ports(found: Mapping[str, list[Any]], expected: Mapping[str, int | None], source: str) -> None:
    """Require the inputs or outputs of a graph to be `expected`: name and last dimension, none for a number an item."""
    sizes = {name: shape[-1] if len(shape) > 1 else None for name, shape in found.items()}
    if sizes != dict(expected):
        raise InputError(
            f"{source}: its graph has {sizes}; its metadata asks for {dict(expected)} (name: last dimension)"
        )
