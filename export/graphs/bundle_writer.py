"""Writes bundles: everything that the robots of a fleet copy, whole or not at all."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

import onnx

from export.bundle.files import CONTROLLER, MANIFEST, SIGNATURE, is_bundle
from export.bundle.manifest import Bundle, FileEntry, Manifest, open_bundle
from export.bundle.metadata import PolicyMetadata, as_controller
from export.graphs.controller import build_controller
from export.graphs.policy import finish_model, policy_model, quiet_export
from policies.agent import AgentNetwork
from sim.errors import InputError
from sim.scene import RobotConfig, robot_names


def write_bundle(agent: AgentNetwork, metadata: PolicyMetadata, out: Path, robots: int) -> Bundle:
    """Write one ONNX file a robot, the controller of a warehouse, and the manifest.

    Args:
        agent: the trained network of the whole fleet.
        metadata: what each file says about itself.
        out: the bundle's folder; a bundle that is there already is replaced once the new one is whole.
        robots: number of files; robots that share parameters get a file each all the same, so that each copies its own.

    Raises:
        InputError: `out` is something else than a bundle or an empty folder, or can't be written; it stays as it was.
    """
    _require_replaceable(out)
    shared = len(agent.networks) == 1
    files = {name: f"{name}.onnx" for name in robot_names(robots)}
    models: dict[str, bytes] = {}
    for i, file in enumerate(files.values()):
        first = next(iter(models.values()), None) if shared else None
        models[file] = first or policy_model(agent.single(i), metadata).SerializeToString()
    if metadata.scene is not None:
        models[CONTROLLER] = controller_model(metadata).SerializeToString()
    manifest = Manifest(
        files={name: FileEntry(hashlib.sha256(data).hexdigest(), len(data)) for name, data in models.items()},
        robots=files,
        controller=CONTROLLER if CONTROLLER in models else None,
        shared=shared,
        layout=metadata.layout,
    )
    written = manifest.to_json().encode()
    try:
        _place(out, {**models, MANIFEST: written})
    except OSError as error:
        raise InputError(f"bundle {str(out)!r} can't be written: {error.strerror or error}") from error
    return Bundle(out, manifest, written)


def controller_model(metadata: PolicyMetadata) -> onnx.ModelProto:
    """Return the controller that goes with a warehouse policy, governor included."""
    assert metadata.scene is not None
    scene = metadata.scene
    model = onnx.load_model_from_string(_controller_graph(scene.robot, scene.control_period))
    return finish_model(model, as_controller(metadata))


@cache
def _controller_graph(robot: RobotConfig, control_period: float) -> bytes:
    """Return the controller without metadata, kept because it takes seconds and depends on the robot alone."""
    with quiet_export():
        graph: bytes = build_controller(robot, control_period, robot.neighbours).SerializeToString()
    return graph


def _require_replaceable(out: Path) -> None:
    valid = "a new folder, an empty one, or an earlier bundle"
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError(f"bundle {str(out)!r} is a file or a link; valid is {valid}")
    if not out.exists() or not any(out.iterdir()):
        return
    if not is_bundle(out):
        raise InputError(f"bundle {str(out)!r} is a folder with other content; valid is {valid}")
    foreign = sorted({p.name for p in out.iterdir()} - {MANIFEST, SIGNATURE, *open_bundle(out).manifest.files})
    if foreign:
        raise InputError(
            f"bundle {str(out)!r} also holds {foreign[0]!r}, which its manifest does not list; valid is {valid}"
        )


def _place(out: Path, files: Mapping[str, bytes]) -> None:
    """Build the folder beside its place and move it there."""
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        built, old = work / "new", work / "old"
        built.mkdir()
        for name, data in files.items():
            with (built / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        if out.exists():
            out.rename(old)
        try:
            built.rename(out)
        except OSError:
            with suppress(FileNotFoundError):  # there was none
                old.rename(out)
            raise
    finally:
        shutil.rmtree(work)
