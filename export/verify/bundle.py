"""Holds a bundle against what it was made from, before a robot runs it, and says what it could not check."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import onnx

from export.bundle.manifest import Manifest, read_manifest, read_pinned
from export.bundle.metadata import PolicyMetadata, as_controller
from export.runtime import open_model
from export.verify.controller import RecordingController, compare_controllers, random_sensors
from export.verify.policy import (
    Oracle,
    ReferenceOracle,
    SideBySide,
    Tally,
    TorchOracle,
    VerifyError,
    compare_random,
    team_episode,
    warehouse_episode,
)
from policies.agent import AgentNetwork
from policies.environments import EnvSource, TeamEnv
from sim.env import WarehouseEnv
from sim.errors import InputError
from sim.layout import parse_layout
from sim.observation import MANEUVERS, observation_spec

__all__ = ["Origin", "VerifyError", "VerifyReport", "verify_bundle"]

RANDOM_OBSERVATIONS = 1000
RANDOM_COMMANDS = 10_000
ORIGIN = ("evaluation", "versions")
"""Entries of the metadata that may change between an export and its verification."""


@dataclass
class VerifyReport:
    """What was compared, and how well it agreed."""

    checked: list[str] = field(default_factory=list)
    """What was compared, a phrase each."""
    unchecked: list[str] = field(default_factory=list)
    """What could not be compared, and why."""
    tally: Tally = field(default_factory=Tally)
    """How well the decisions agreed."""
    command_difference: float = 0.0
    """Largest difference of two commands [m/s, rad/s]."""

    def __str__(self) -> str:
        """The report, line by line."""
        lines = [f"verified: {line}" for line in self.checked]
        return "\n".join([*lines, *(f"NOT verified: {line}" for line in self.unchecked)])


@dataclass(frozen=True)
class Origin:
    """What a bundle was made from."""

    agent: AgentNetwork
    """The trained network of the fleet."""
    metadata: PolicyMetadata
    """What each robot's file should say."""
    source: EnvSource
    """The environment."""


def verify_bundle(folder: Path, origin: Origin | None = None, episodes: int = 2, seed: int = 0) -> VerifyReport:
    """Compares a bundle with what it was made from, over whole episodes and random inputs.

    Args:
        folder: the bundle.
        origin: the training run; without it, the files are held against the reference implementation of ONNX.
        episodes: how many, from 1 up, on the seeds from `seed` on.
        seed: of the first episode.

    Raises:
        VerifyError: a file does something else than what it was made from.
        InputError: a file is missing, changed, or breaks the ONNX standard.
    """
    if episodes < 1:
        raise InputError(f"episodes is {episodes}; valid is a whole number from 1 up")
    report = VerifyReport()
    manifest, models = _check_files(folder, report)
    _check_schemas(folder, manifest, origin, report)
    names = list(manifest.robots.values())
    oracle: Oracle = TorchOracle(origin.agent) if origin else ReferenceOracle([models[name] for name in names])
    paths = [folder / name for name in names]
    for robot, path in enumerate(paths):
        compare_random(path, robot, oracle, RANDOM_OBSERVATIONS, report.tally)
    report.checked.append(f"{RANDOM_OBSERVATIONS} random observations a robot, against {oracle.name}")
    side_by_side = SideBySide(paths, oracle, report.tally)
    metadata = open_model(paths[0], None, "policy")[1]
    if metadata.scene is not None:
        _verify_warehouse(folder, manifest, metadata, side_by_side, range(seed, seed + episodes), report)
    elif origin is not None:
        env = TeamEnv(origin.source)
        for episode in range(seed, seed + episodes):
            side_by_side.begin(episode)
            team_episode(env, episode, side_by_side.decide)
        env.close()
    else:
        report.unchecked.append("whole episodes: the files don't say how to build their environment")
        episodes = 0
    tally = report.tally
    report.checked.append(
        f"{episodes} whole episodes against {oracle.name}: {tally.decisions} decisions in all, {tally.ties} ties, "
        f"Q values differ by {tally.q_difference:.1e} at most"
    )
    if origin is None:
        report.unchecked.append("that the files hold the trained network: there is no run folder beside the bundle")
    return report


def _verify_warehouse(
    folder: Path,
    manifest: Manifest,
    metadata: PolicyMetadata,
    side_by_side: SideBySide,
    seeds: Sequence[int],
    report: VerifyReport,
) -> None:
    """Whole episodes, and the controller on what it met in them and on random inputs."""
    assert metadata.scene is not None
    assert metadata.layout is not None
    scene = replace(metadata.scene, robots=len(manifest.robots))
    recorder = RecordingController(scene)
    env = WarehouseEnv(scene, layout=parse_layout(metadata.layout, Path(scene.layout).stem), controller=recorder)
    for seed in seeds:
        side_by_side.begin(seed)
        warehouse_episode(env, seed, side_by_side.decide)
    env.close()
    if manifest.controller is None:
        raise InputError(
            f"bundle {str(folder)!r} has no controller, but its policies are for a warehouse; export it again"
        )
    path = folder / manifest.controller
    random = random_sensors(metadata.observation, RANDOM_COMMANDS, seed=0)
    met = np.concatenate(recorder.maneuvers), np.concatenate(recorder.observations)
    report.command_difference = max(
        compare_controllers(path, scene, *random, "random input"),
        compare_controllers(path, scene, *met, "control period of a robot"),
    )
    report.checked.append(
        f"{path.name} against the compiled controller: {RANDOM_COMMANDS} random inputs and {len(met[0])} from "
        f"episodes, commands differ by {report.command_difference:.1e} at most"
    )


def _check_files(folder: Path, report: VerifyReport) -> tuple[Manifest, dict[str, onnx.ModelProto]]:
    """Every file by itself: hash, ONNX standard, metadata that can be read."""
    manifest = read_manifest(folder)
    models = {}
    for name in manifest.files:
        path = folder / name
        models[name] = onnx.load_model_from_string(read_pinned(path))
        _read_schema(folder, name, manifest)
        try:
            onnx.checker.check_model(models[name], full_check=True)
        except onnx.checker.ValidationError as error:
            raise InputError(f"{path}: it breaks the ONNX standard ({error})") from error
    report.checked.append(f"{len(models)} files: sha256, size, ONNX full check, readable metadata")
    return manifest, models


def _read_schema(folder: Path, name: str, manifest: Manifest) -> PolicyMetadata:
    return open_model(folder / name, None, "controller" if name == manifest.controller else "policy")[1]


def _check_schemas(folder: Path, manifest: Manifest, origin: Origin | None, report: VerifyReport) -> None:
    """What the files say about themselves, against the run, or else against this release and each other."""
    names = list(manifest.robots.values())
    if origin is not None and len(names) != origin.agent.n_agents:
        raise VerifyError(f"manifest.json: it lists {len(names)} robots; the run trained {origin.agent.n_agents}")
    expected = origin.metadata if origin else _read_schema(folder, names[0], manifest)
    if expected.scene is not None:
        expected = replace(expected, observation=observation_spec(expected.scene.robot), actions=MANEUVERS)
    for name in names:
        _compare_schema(name, _read_schema(folder, name, manifest), expected)
    if manifest.controller is not None:
        found = _read_schema(folder, manifest.controller, manifest)
        _compare_schema(manifest.controller, found, as_controller(expected))
    if manifest.layout != expected.layout:
        raise VerifyError("manifest.json: layout is another map than the one in the files")
    report.checked.append("metadata against " + ("the run" if origin else "this release, and file against file"))


def _compare_schema(file: str, found: PolicyMetadata, expected: PolicyMetadata) -> None:
    for entry in fields(PolicyMetadata):
        one, other = getattr(found, entry.name), getattr(expected, entry.name)
        if entry.name in ORIGIN or one == other:
            continue
        if entry.name == "observation":
            for f, g in zip(one.fields, other.fields, strict=False):
                if f != g:
                    at = one.offsets[f.name]
                    raise VerifyError(f"{file}: the observation field at offset {at} is {f}; expected is {g}")
        raise VerifyError(f"{file}: {entry.name} is {one!r}; expected is {other!r}")
