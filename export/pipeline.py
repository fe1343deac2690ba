"""From a training run to its bundle and back: what the command line's export, verify and drive have in common."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Dict

from export.bundle.files import is_bundle
from export.bundle.manifest import Bundle, open_bundle
from export.graphs.bundle_writer import write_bundle
from export.graphs.origin import Training, generic_metadata, warehouse_metadata
from export.runtime import OnnxPolicy
from export.verify.bundle import Origin, VerifyReport, verify_bundle
from policies.environments import EnvSource, TeamEnv
from policies.runs.checkpoint import CheckpointInfo
from policies.runs.folder import CONFIG, EVALUATION, Run, load_agent, load_run
from sim.errors import InputError

BUNDLE = "bundle"
"""Where in its run folder a bundle is put."""


def export_run(run: Run, out: Path | None = None) -> Bundle:
    """Write the bundle of a run's best checkpoint.

    Args:
        run: the training run.
        out: the bundle's folder, by default `bundle` in the run folder.

    Raises:
        InputError: there is no whole checkpoint, or `out` is something else than a bundle or an empty folder.
    """
    origin = _origin(run)
    return write_bundle(origin.agent, origin.metadata, out or run.path / BUNDLE, origin.agent.n_agents)


def verify_run(run: Run, bundle: Path, episodes: int = 2) -> VerifyReport:
    """Hold a bundle against the run that it was exported from.

    Raises:
        VerifyError: a file does something else than the trained network, or is of another checkpoint.
        InputError: a file is missing, changed, or breaks the ONNX standard.
    """
    return verify_bundle(bundle, _origin(run), episodes)


def verify_path(path: Path, episodes: int = 2) -> VerifyReport:
    """Verify a run's bundle, or a bundle by itself; one that lies in its run folder is held against the run.

    Raises:
        VerifyError: as `verify_run`.
        InputError: as `verify_run`, or the path is neither a run folder nor a bundle.
    """
    if not is_bundle(path):
        run = _load_run_of(path)
        if not is_bundle(run.path / BUNDLE):
            export_run(run)
        return verify_run(run, run.path / BUNDLE, episodes)
    parent = path.resolve().parent
    if (parent / CONFIG).is_file():
        return verify_run(load_run(parent), path, episodes)
    return verify_bundle(path, None, episodes)


def bundle_of(path: Path) -> Path:
    """Return the bundle to run: the path itself, or that of a run, exported anew where it isn't of the best checkpoint.

    Raises:
        InputError: the path is neither a bundle nor a run folder, or the bundle can't be read or written.
    """
    if is_bundle(path):
        return path
    run = _load_run_of(path)
    bundle = run.path / BUNDLE
    if is_bundle(bundle):
        _, info = load_agent(run)
        opened = open_bundle(bundle)
        metadata = OnnxPolicy.from_bundle(opened, next(iter(opened.manifest.robots))).metadata
        if (metadata.training_steps, metadata.seed) == (info.steps, info.seed):
            return bundle
    return export_run(run).path


def _load_run_of(path: Path) -> Run:
    if not (path / CONFIG).is_file():
        raise InputError(f"{str(path)!r} is neither a run folder (with {CONFIG}) nor a bundle (with manifest.json)")
    return load_run(path)


def _origin(run: Run) -> Origin:
    """Return a run's best checkpoint, and what its files should say."""
    agent, info = load_agent(run)
    training = Training(info.algo, info.steps, info.seed, _evaluation(run, info))
    source = run.source
    if source.scene is not None:
        metadata = warehouse_metadata(source.scene, source.layout, agent.config, training)
    else:
        metadata = generic_metadata(*_bounds(source), agent.n_actions, agent.config, training)
    return Origin(agent, metadata, source)


def _evaluation(run: Run, info: CheckpointInfo) -> Any:
    """Return the rows of the last `evaluate`, or else the results of the checkpoint's own validation."""
    path = run.path / EVALUATION
    if not path.is_file():
        return info.validation or None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{str(path)!r} is not readable as JSON ({error}); remove it, or evaluate again") from error


def _bounds(source: EnvSource) -> tuple[Sequence[float], Sequence[float]]:
    """Return the least and greatest values of what any agent observes, padded with zeros as `TeamEnv` does."""
    env = TeamEnv(source)
    bounds = np.zeros((2, len(env.team.agents), env.team.features))
    for i, agent in enumerate(env.team.agents):
        space: Any = env.env.observation_space(agent)
        box: Any = space["observation"] if isinstance(space, Dict) else space
        bounds[:, i, : box.low.size] = box.low.reshape(-1), box.high.reshape(-1)
    if source.last_action:
        bounds[1, :, -env.team.n_actions :] = 1.0
    env.close()
    return bounds[0].min(axis=0).tolist(), bounds[1].max(axis=0).tolist()
