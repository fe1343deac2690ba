"""What a bundle says about itself: the schema inside each ONNX file, and the manifest that pins every file by its hash.

A bundle is a folder with one `robot_<i>.onnx` a robot, `controller.onnx` for a warehouse, and `manifest.json`. Robots
read it, so this file needs numpy alone. JSON stores a float's shortest decimal form, which reads back as the same
float; an unbounded range is null.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from sim.errors import InputError
from sim.observation import ObservationSpec
from sim.scene import SceneConfig, scene_from_dict

SCHEMA_VERSION = 1
"""Goes up when an older robot could misread a newer file."""
METADATA_KEY = "fleetmix"
"""The entry of an ONNX model's metadata_props that holds the schema."""
MANIFEST = "manifest.json"
CONTROLLER = "controller.onnx"

# What reading values of the wrong type from JSON raises.
_WRONG_STRUCTURE = (TypeError, KeyError, AttributeError, ValueError, ArithmeticError)

Role = Literal["policy", "controller"]


@dataclass(frozen=True)
class PolicyMetadata:
    """What an ONNX file says about itself."""

    role: Role
    """What the graph computes: a maneuver (policy) or a command (controller)."""
    observation: ObservationSpec
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
    """Figures of the last evaluation; none when there was none."""
    versions: Mapping[str, str]
    """Versions of the libraries that wrote the file."""

    def to_json(self) -> str:
        """The metadata as one JSON text that `read_metadata` reads back without loss."""
        values: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
        values |= {f.name: getattr(self, f.name) for f in fields(self)}
        values["observation"] = [_bounds_to_json(value) for value in self.observation.to_json()]
        values["scene"] = None if self.scene is None else asdict(self.scene)
        return json.dumps(values, allow_nan=False)


def read_metadata(text: str, source: str) -> PolicyMetadata:
    """The metadata that `PolicyMetadata.to_json` wrote; `source` names the file in errors.

    Raises:
        InputError: the text is no JSON, of another schema version, or incomplete.
    """
    values = _read_object(text, f"{source}: its {METADATA_KEY!r} metadata")
    _require_version(values, source)
    names = {f.name for f in fields(PolicyMetadata)}
    if set(values) != names:
        wrong = _list(set(values) ^ names)
        raise InputError(f"{source}: the metadata lacks, or does not know, {wrong}; valid are {_list(names)}")
    try:
        return _interpret(values, source)
    except InputError:
        raise
    except _WRONG_STRUCTURE as error:
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
    observation = ObservationSpec.from_json([_bounds_from_json(value) for value in values["observation"]], source)
    scene = None if values["scene"] is None else scene_from_dict(values["scene"], source)
    return PolicyMetadata(**{**values, "observation": observation, "actions": tuple(actions), "scene": scene})


@dataclass(frozen=True)
class FileEntry:
    """What the manifest says about a file."""

    sha256: str
    """Hash of its bytes, in lower-case hexadecimal."""
    size: int
    """Length [bytes]."""


@dataclass(frozen=True)
class Manifest:
    """The files of a bundle, and which robot runs which."""

    files: Mapping[str, FileEntry]
    """Every file but the manifest itself, by name."""
    robots: Mapping[str, str]
    """Name of a robot (robot_0, ...) -> name of its file."""
    controller: str | None
    """Name of the controller's file; none when the environment has no controller."""
    shared: bool
    """Whether all robots learned one set of parameters, so that further robots may run them too."""
    layout: str | None
    """The map as text."""

    def to_json(self) -> str:
        """The manifest as JSON."""
        return json.dumps({"schema_version": SCHEMA_VERSION, **asdict(self)}, indent=2, allow_nan=False) + "\n"

    def entry(self, name: str, source: str) -> FileEntry:
        """What it says about the file `name`.

        Raises:
            InputError: it does not list the file.
        """
        if name not in self.files:
            raise InputError(f"{source}: {MANIFEST} does not list {name}; it lists {_list(self.files)}")
        return self.files[name]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the bundle in `folder`.

    Raises:
        InputError: it is missing, no JSON, of another schema version, or contradicts itself.
    """
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"bundle {str(folder)!r}: can't read its {MANIFEST} ({_reason(error)})") from error
    values = _read_object(text, str(path))
    _require_version(values, str(path))
    try:
        files = {name: FileEntry(**entry) for name, entry in values.pop("files").items()}
        manifest = Manifest(files=files, **values)
        named = [*manifest.robots.values(), *([] if manifest.controller is None else [manifest.controller])]
    except _WRONG_STRUCTURE as error:
        raise InputError(f"{path}: the manifest is not readable ({error!r})") from error
    for name, entry in files.items():
        plain = bool(name) and name not in (".", "..", MANIFEST) and not re.search(r"[/\\\0]", name)
        pinned = re.fullmatch("[0-9a-f]{64}", str(entry.sha256)) and type(entry.size) is int
        if not (plain and pinned):
            raise InputError(f"{path}: the entry of {name!r} is not valid; needed: a plain name, sha256 and size")
    for name in named:
        if not isinstance(name, str) or name not in files:
            raise InputError(f"{path}: {name!r} is used but not listed; listed are {_list(files)}")
    if not manifest.robots:
        raise InputError(f"{path}: it lists no robot; valid is at least one")
    if type(manifest.shared) is not bool or not isinstance(manifest.layout, str | None):
        raise InputError(
            f"{path}: shared is {manifest.shared!r} (true or false), layout {type(manifest.layout).__name__}"
        )
    return manifest


def read_pinned(path: Path, sha256: str | None = None) -> bytes:
    """The bytes of a file, checked against `sha256`, and against the manifest beside it when there is one.

    Raises:
        InputError: the file can't be read, is not listed, or its bytes are not those that were written.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: can't be read ({_reason(error)})") from error
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise InputError(f"{path}: its sha256 is {found}, but {sha256} was asked for")
    if (path.parent / MANIFEST).exists():
        entry = read_manifest(path.parent).entry(path.name, str(path))
        if len(data) != entry.size:
            raise InputError(
                f"{path}: it has {len(data)} bytes, but {MANIFEST} says {entry.size}; copy the bundle again"
            )
        if found != entry.sha256:
            raise InputError(f"{path}: its bytes were changed: sha256 is {found}, but {MANIFEST} says {entry.sha256}")
    return data


def is_bundle(folder: Path) -> bool:
    """Whether the folder holds a manifest."""
    return (folder / MANIFEST).is_file()


def as_controller(metadata: PolicyMetadata) -> PolicyMetadata:
    """The metadata of the controller that goes with a policy."""
    return replace(metadata, role="controller")


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names)))


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.reason if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)


def _read_object(text: str, source: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source} is no JSON ({error})") from error
    if not isinstance(values, dict):
        raise InputError(f"{source} is a {type(values).__name__}; valid is a JSON object")
    return values


def _require_version(values: dict[str, Any], source: str) -> None:
    version = values.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{source}: its schema version is {version!r}; this release reads {SCHEMA_VERSION}: export it again"
        )


def _bounds_to_json(value: dict[str, Any]) -> dict[str, Any]:
    bounds = {side: [x if math.isfinite(x) else None for x in value[side]] for side in ("low", "high")}
    return {**value, **bounds}


def _bounds_from_json(value: dict[str, Any]) -> dict[str, Any]:
    low = [-math.inf if x is None else float(x) for x in value["low"]]
    high = [math.inf if x is None else float(x) for x in value["high"]]
    return {**value, "low": low, "high": high}
