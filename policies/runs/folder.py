"""The folder of a training run: everything that it takes to go on with it, to measure it and to export it.

    config.yaml    the settings, resolved        layout.map    a copy of the map
    metrics.csv    one row every few iterations  tensorboard/  the same for TensorBoard
    checkpoints/   newest and best                evaluation.json  the last evaluation where it was trained
    training.lock  held while a training runs there

`config.yaml` is written last, so a folder that has one is complete.
"""

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from policies.agent import AgentNetwork
from policies.environments import EnvSource
from policies.files import write_atomically
from policies.mix import Mix
from policies.runs.checkpoint import CheckpointInfo, Which, load_checkpoint
from policies.runs.config import PINS, TrainConfig, read_config
from sim.errors import InputError
from sim.layout import load_layout

CONFIG, LAYOUT, EVALUATION = "config.yaml", "layout.map", "evaluation.json"
LAYOUT_HASH, ENV_FOLDER = PINS


@dataclass(frozen=True)
class Run:
    """A training run."""

    path: Path
    """Its folder."""
    config: TrainConfig
    source: EnvSource
    """The environment; `source.parsed_layout()` is the warehouse's map."""

    @property
    def checkpoints(self) -> Path:
        """The folder of its checkpoints."""
        return self.path / "checkpoints"

    @property
    def saved(self) -> bool:
        """Whether there is any checkpoint, whole or not."""
        return self.checkpoints.is_dir() and any(self.checkpoints.iterdir())

    @property
    def advice(self) -> str:
        """How a person goes on with it."""
        return f"go on with: fleetmix train --run {self.path} --resume"

    def write(self) -> None:
        """Write the settings into the folder, which is there; raise InputError when it can't be written."""
        if self.source.scene is not None:
            write_atomically(self.path / LAYOUT, self.source.layout.encode())
        pinned = {LAYOUT_HASH: _hash(self.source.layout)} if self.source.scene is not None else {}
        if self.source.folder:
            pinned[ENV_FOLDER] = self.source.folder
        text = yaml.safe_dump({**dataclasses.asdict(self.config), **pinned}, sort_keys=False)
        write_atomically(self.path / CONFIG, text.encode())


@dataclass(frozen=True)
class TrainResult:
    """How a training run ended."""

    run: Path
    """Its folder."""
    steps: int
    """Env steps, earlier parts of a resumed run included."""
    updates: int
    """Updates, likewise."""
    seconds: float
    """Training time [s], likewise."""
    best_return: float | None
    """Mean team return of the best validation; None where there was none."""
    interrupted: bool
    """Whether Ctrl-C or SIGTERM ended it; it is saved and can go on."""


def new_run(path: Path, config: TrainConfig) -> Run:
    """Return a run that is to begin, in memory.

    Raises:
        InputError: the folder already holds a run, or the scene's layout is not valid.
    """
    require_free(path)
    if not config.env:
        return Run(path, config, _source(config, load_layout(config.scene.layout).text()))
    module = config.env.partition(":")[0].partition(".")[0]
    own = any((Path.cwd() / name).exists() for name in (f"{module}.py", module))
    return Run(path, config, _source(config, "", str(Path.cwd()) if own else ""))


def _source(config: TrainConfig, layout: str, folder: str = "") -> EnvSource:
    """Return the environment of a run; `layout` is the warehouse's map as text, `folder` where another's code lies."""
    scene = None if config.env else config.scene
    mix = Mix.of(config.mix) if config.mix.scenes else None
    arguments, reward = config.env_args, config.team_reward
    return EnvSource(scene, layout, config.env, arguments, reward, config.truncation, config.last_action, folder, mix)


def require_free(path: Path) -> None:
    """Raise InputError when there is a run in the folder already, or when it is a file."""
    if (path / CONFIG).exists() or (path / "checkpoints").exists():
        raise InputError(f"run folder {str(path)!r} already holds a run; valid is another folder, or --resume")
    if path.exists() and not path.is_dir():
        raise InputError(f"run folder {str(path)!r} is a file; valid is a folder, or a name that is free")


def load_run(path: Path) -> Run:
    """Read a run that began earlier.

    Raises:
        InputError: the folder is missing, half-written, or its settings are not valid.
    """
    if not path.is_dir():
        found = "is a file" if path.exists() else "does not exist"
        raise InputError(f"run folder {str(path)!r} {found}; valid is a folder that `fleetmix train` made")
    if not (path / CONFIG).exists():
        raise InputError(f"run folder {str(path)!r} has no {CONFIG}; valid is one that `fleetmix train` made")
    config, pins = read_config(path / CONFIG)
    if config.env:
        return Run(path, config, _source(config, "", pins.get(ENV_FOLDER, "")))
    try:
        layout = (path / LAYOUT).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{str(path / LAYOUT)!r} can't be read: {error.strerror}; restore it from a copy") from error
    if pins.get(LAYOUT_HASH, _hash(layout)) != _hash(layout):
        raise InputError(f"{str(path / LAYOUT)!r} is not the map that this run began with; restore it from a copy")
    run = Run(path, config, _source(config, layout))
    run.source.parsed_layout()  # a damaged map is better found here than in a worker
    return run


def _hash(layout: str) -> str:
    return hashlib.sha256(layout.encode()).hexdigest()


def resume_run(path: Path, config: TrainConfig) -> Run:
    """Return an earlier run with the settings to go on with; the folder's map counts, whatever became of the original.

    Raises:
        InputError: as `load_run`, or the settings have another environment, algorithm or agent network than the run.
    """
    run = load_run(path)
    old = _identity(run.config)
    for name, value in _identity(config).items():
        if value != old.get(name) and not (
            name == "scene" and load_layout(config.scene.layout).text() == run.source.layout
        ):
            raise InputError(f"{name} is {value!r}, but run {str(path)!r} has {old[name]!r}; --resume needs the same")
    source = run.source
    if source.scene is not None:
        config = dataclasses.replace(config, scene=dataclasses.replace(config.scene, layout=run.config.scene.layout))
        source = dataclasses.replace(source, scene=config.scene)
    return Run(path, config, source)


def _identity(config: TrainConfig) -> dict[str, Any]:
    """Return what can't change within a run, by the name that an error gives it."""
    identity: dict[str, Any] = {
        name: getattr(config, name) for name in ("env", "env_args", "algo", "team_reward", "truncation", "last_action")
    }
    identity |= {f"mix.{name}": value for name, value in dataclasses.asdict(config.mix).items()}
    identity |= {f"agent.{name}": value for name, value in dataclasses.asdict(config.agent).items()}
    if config.env:
        return identity
    scene = dataclasses.asdict(config.scene)
    named = {"scene": scene.pop("layout"), "robots": scene.pop("robots")}
    return {**identity, **named, **{f"scene.{name}": value for name, value in scene.items()}}


def load_agent(run: Run, which: Which = "best") -> tuple[AgentNetwork, CheckpointInfo]:
    """Return the trained agent network of a run, and what is known about it.

    It is the learner's target network: a moving average of the parameters, whose greedy policy is better and steadier
    than that of the last update.

    Raises:
        InputError: the checkpoint is missing, damaged, or not of this run's agent network.
    """
    checkpoint = load_checkpoint(run.checkpoints, which)
    prefix = "target_agent."
    weights = {name.removeprefix(prefix): x for name, x in checkpoint.tensors.items() if name.startswith(prefix)}
    info = checkpoint.info
    try:
        scale, rows = weights["observation_scale"], run.source.neighbours
        agent = AgentNetwork(info.n_agents, scale, info.n_actions, run.config.agent, rows)
        agent.load_state_dict(weights)
    except (KeyError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"checkpoint {which!r} of run {str(run.path)!r} does not fit its {CONFIG}: {reason}"
        ) from error
    return agent, info
