"""Holds a bundle against what it was made from, before a robot runs it, and says what it could not check."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import onnx

from export.bundle.manifest import Bundle, Manifest, open_bundle
from export.bundle.metadata import PolicyMetadata, Role, as_controller
from export.runtime import Model, load_model
from export.verify.controller import RecordingController, compare_controllers, random_sensors
from export.verify.policy import (
    Oracle,
    ReferenceOracle,
    SideBySide,
    Tally,
    TorchOracle,
    VerifyError,
    compare_random,
)
from policies.actor import play_episodes
from policies.agent import AgentNetwork
from policies.env_batch import EnvBatch
from policies.environments import EnvSource
from policies.evaluate import play
from sim.env import WarehouseEnv
from sim.errors import InputError
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
        """Return the report, line by line."""
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


@dataclass(frozen=True)
class _File:
    """A file of the bundle, in both forms that are compared."""

    graph: onnx.ModelProto
    model: Model


def verify_bundle(folder: Path, origin: Origin | None = None, episodes: int = 2, seed: int = 0) -> VerifyReport:
    """Compare a bundle with what it was made from, over whole episodes and random inputs.

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
    bundle, report = open_bundle(folder), VerifyReport()
    files = _open_files(bundle, report)
    _check_schemas(bundle.manifest, files, origin, report)
    robots = [files[name] for name in bundle.manifest.robots.values()]
    oracle: Oracle = TorchOracle(origin.agent) if origin else ReferenceOracle([file.graph for file in robots])
    for robot, file in enumerate(robots):
        compare_random(file.model, robot, oracle, RANDOM_OBSERVATIONS, report.tally)
    report.checked.append(f"{RANDOM_OBSERVATIONS} random observations a robot, against {oracle.name}")
    side_by_side = SideBySide([file.model for file in robots], oracle, report.tally)
    seeds = range(seed, seed + episodes)
    if robots[0].model.metadata.scene is not None:
        _verify_warehouse(bundle, files, side_by_side, seeds, report)
    elif origin is not None:
        _play_episodes(origin.source, side_by_side, seeds)
    else:
        report.unchecked.append("whole episodes: the files don't say how to build their environment")
        seeds = range(0)
    tally = report.tally
    report.checked.append(
        f"{len(seeds)} whole episodes against {oracle.name}: {tally.decisions} decisions in all, {tally.ties} ties, "
        f"Q values differ by {tally.q_difference:.1e} at most"
    )
    if origin is None:
        report.unchecked.append("that the files hold the trained network: there is no run folder beside the bundle")
    return report


def _open_files(bundle: Bundle, report: VerifyReport) -> dict[str, _File]:
    """Return every file by its name, each read and loaded once: hash, ONNX standard, metadata that can be read."""
    files = {}
    for name in bundle.manifest.files:
        data, path = bundle.read(name), bundle.path / name
        graph = onnx.load_model_from_string(data)
        role: Role = "controller" if name == bundle.manifest.controller else "policy"
        files[name] = _File(graph, load_model(data, path, role))
        try:
            onnx.checker.check_model(graph, full_check=True)
        except onnx.checker.ValidationError as error:
            raise InputError(f"{path}: it breaks the ONNX standard ({error})") from error
    report.checked.append(f"{len(files)} files: sha256, size, ONNX full check, readable metadata")
    return files


def _play_episodes(source: EnvSource, side_by_side: SideBySide, seeds: Sequence[int]) -> None:
    """Play whole episodes of an environment that is not the warehouse."""
    envs = EnvBatch(source, 1)
    for seed in seeds:
        side_by_side.begin(seed)
        play_episodes(envs, [seed], lambda envs: side_by_side.decide(envs.observation[0], envs.action_mask[0])[None])
    envs.close()


def _verify_warehouse(
    bundle: Bundle, files: Mapping[str, _File], side_by_side: SideBySide, seeds: Sequence[int], report: VerifyReport
) -> None:
    """Play whole episodes, and hold the controller against what it met in them and against random inputs."""
    manifest = bundle.manifest
    metadata = files[next(iter(manifest.robots.values()))].model.metadata
    trained, layout = metadata.trained_in(bundle)
    scene = replace(trained, robots=len(manifest.robots))
    recorder = RecordingController(scene)
    env = WarehouseEnv(scene, layout=layout, controller=recorder)
    everything = np.ones((scene.robots, len(MANEUVERS)), np.bool_)
    for seed in seeds:
        side_by_side.begin(seed)
        for _ in play(env, seed, lambda observations: side_by_side.decide(observations, everything)):
            pass
    env.close()
    if scene.right_of_way != "none":
        report.unchecked.append(
            "right of way as robots run it, in plain Python: it is code of this release, and in no file of the bundle"
        )
    if manifest.controller is None:
        raise InputError(f"{bundle} has no controller, but its policies are for a warehouse; export it again")
    controller = files[manifest.controller].model
    random = random_sensors(metadata.observation, RANDOM_COMMANDS, seed=0)
    met = np.concatenate(recorder.maneuvers), np.concatenate(recorder.observations)
    report.command_difference = max(
        compare_controllers(controller, scene, *random, "random input"),
        compare_controllers(controller, scene, *met, "control period of a robot"),
    )
    report.checked.append(
        f"{manifest.controller} against the compiled controller: {RANDOM_COMMANDS} random inputs and {len(met[0])} "
        f"from episodes, commands differ by {report.command_difference:.1e} at most"
    )


def _check_schemas(manifest: Manifest, files: Mapping[str, _File], origin: Origin | None, report: VerifyReport) -> None:
    """Compare what the files say about themselves with the run, or else with this release and each other."""
    names = list(manifest.robots.values())
    if origin is not None and len(names) != origin.agent.n_agents:
        raise VerifyError(f"manifest.json: it lists {len(names)} robots; the run trained {origin.agent.n_agents}")
    expected = origin.metadata if origin else files[names[0]].model.metadata
    if expected.scene is not None:
        expected = replace(expected, observation=observation_spec(expected.scene.robot), actions=MANEUVERS)
    for name in names:
        _compare_schema(name, files[name].model.metadata, expected)
    if manifest.controller is not None:
        found = files[manifest.controller].model.metadata
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
