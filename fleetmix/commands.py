"""The command line of everything that does not run on a robot: one function a subcommand, no logic."""

import functools
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from export.bundle.files import SIGNATURE
from export.bundle.manifest import open_bundle
from export.bundle.signature import sign_manifest
from export.fleet.config import FleetConfig
from export.fleet.evaluate import drive_processes
from export.fleet.host import host_fleet
from export.fleet.onnx_policy import OnnxFleet
from export.pipeline import bundle_of, export_run, verify_path
from export.verify.bundle import VerifyError
from fleetmix.demo import demo as run_demo
from fleetmix.parsing import parse
from fleetmix.robot_commands import COMMANDS
from policies.agent import AgentKind
from policies.evaluate import GreedyPolicy, choose_scene, evaluate_fleet, evaluate_returns
from policies.files import require_folder, write_atomically
from policies.results import ReturnRow, Row, as_json, as_table, make_row
from policies.rollout import RolloutError
from policies.runs.config import TrainConfig
from policies.runs.folder import EVALUATION, load_agent, load_run
from policies.train import train as train_fleet
from sim.errors import InputError, require
from sim.layout import load_layout, scene_names
from sim.scene import DriveModel, open_scene

DESCRIPTION = "Train a fleet of warehouse robots with QMIX, and run every robot from its own ONNX file."
ON_ROBOT = "On a robot: " + "; ".join(f"fleetmix {name} ({does[:-1]})" for name, does in COMMANDS.items()) + "."
Place = Annotated[Path, tyro.conf.Positional]


@dataclass(frozen=True)
class Short:
    """Short forms of settings that are needed often."""

    scene: str | None = None
    """Short for --scene.layout."""
    robots: int | None = None
    """Short for --scene.robots; by default as many as the scene's map asks for."""
    agent: AgentKind | None = None
    """Short for --agent.kind."""

    def resolve(self, settings: TrainConfig) -> TrainConfig:
        """The settings with the short forms put in their places."""
        scene = settings.scene if self.scene is None else open_scene(self.scene, self.robots)[0]
        scene = replace(settings.scene, layout=scene.layout, robots=scene.robots)
        if self.robots is not None:
            scene = replace(scene, robots=self.robots)
        agent = settings.agent if self.agent is None else replace(settings.agent, kind=self.agent)
        return replace(settings, scene=scene, agent=agent)


@dataclass(frozen=True)
class Measure:
    """Where, how often and on what wheels a policy is measured."""

    scene: str | None = None
    """Another scene than that of the training: a name or a map file."""
    robots: int | None = None
    """Another number of robots."""
    episodes: int = 20
    """How many."""
    seed: int = 0
    """Of the first episode; the others follow."""
    drive: DriveModel = "velocity"
    """Drive model: velocity, or wheels with motors, casters and friction."""
    json: Path | None = None
    """File for the rows as JSON."""

    def __post_init__(self) -> None:
        require(self.episodes >= 1, "episodes", self.episodes, "a whole number from 1 up")
        require(0 <= self.seed < 2**31, "seed", self.seed, "0 to 2147483647")
        if self.json is not None:  # better found out before everything is measured than afterwards
            require_folder(self.json)


Settings = Annotated[TrainConfig, tyro.conf.arg(name="")]
Shorts = Annotated[Short, tyro.conf.arg(name="")]
Measured = Annotated[Measure, tyro.conf.arg(name="")]


def train(settings: Settings, short: Shorts, run: Path | None = None, resume: bool = False) -> None:
    """Train a fleet.

    Args:
        settings: everything that decides how training goes.
        short: short forms.
        run: the run folder; by default runs/SCENE-ALGO-SEED.
        resume: go on with the run in that folder.
    """
    config = short.resolve(settings)
    if config.env and (short.scene, short.robots) != (None, None):
        raise InputError("scene and robots belong to the warehouse; valid with --env is to leave them out")
    result = train_fleet(config, run or _default_run(config), resume)
    _say(f"{result.steps:,} env steps in {result.seconds / 60:.1f} min; run folder: {result.run}")
    if result.interrupted:
        sys.exit(130)
    _say(f"next: fleetmix evaluate {result.run}")


def evaluate(run: Place, measure: Measured) -> None:
    """Measure a run's greedy policy against always-go and the solo bound, on the same seeds.

    Args:
        run: the run folder.
        measure: where and how often.
    """
    opened = load_run(run)
    network, _ = load_agent(opened)
    name = opened.config.algo.upper()
    if opened.config.env:
        _show(evaluate_returns(opened.source, network, name, measure.episodes, measure.seed), measure.json)
        return
    trained = opened.config.scene, opened.source.parsed_layout()
    scene, layout = choose_scene(*trained, measure.scene, measure.robots, measure.drive)
    rows = evaluate_fleet([GreedyPolicy(network, name)], scene, layout, measure.episodes, measure.seed)
    if scene == opened.config.scene:
        write_atomically(opened.path / EVALUATION, as_json(rows).encode())
    _show(rows, measure.json)


def export(run: Place, out: Path | None = None) -> None:
    """Write a run's bundle: manifest.json, robot_<i>.onnx for each robot, controller.onnx.

    Args:
        run: the run folder.
        out: the bundle's folder; by default `bundle` in the run folder.
    """
    bundle = export_run(load_run(run), out)
    _say(f"{len(bundle.manifest.robots)} robots exported; bundle: {bundle.path}")


def verify(path: Place) -> None:
    """Hold a bundle against its run: whole episodes with torch and onnxruntime side by side.

    Args:
        path: a run folder (its bundle is written first where there is none) or a bundle.
    """
    _say(str(verify_path(path)))


def drive(path: Place, measure: Measured, processes: bool = False, real_time: bool = False) -> None:
    """Drive the fleet in the simulator, every robot with its own ONNX files and its own observation only.

    Args:
        path: a run folder or a bundle.
        measure: where and how often.
        processes: start a process for every robot, which gets its own sensors over the network and nothing else.
        real_time: with processes, let the clock set the pace, in place of waiting for every answer.
    """
    require(processes or not real_time, "real-time", real_time, "false without --processes")
    bundle = bundle_of(path)
    fleet = OnnxFleet(bundle, 1)
    scene, layout = choose_scene(*fleet.trained_in(), measure.scene, measure.robots, measure.drive)
    if not processes:
        _show(evaluate_fleet([fleet], scene, layout, measure.episodes, measure.seed, fleet.control), measure.json)
        return
    seeds = range(measure.seed, measure.seed + measure.episodes)
    played = drive_processes(bundle, scene, layout, measure.scene, seeds, not real_time)
    always_go, bound = evaluate_fleet([], scene, layout, measure.episodes, measure.seed)
    _show([always_go, make_row(f"{fleet.name}, processes", scene, played, bound.throughput), bound], measure.json)


def fleet(config: Annotated[FleetConfig, tyro.conf.arg(name="")]) -> None:
    """Host the simulated warehouse that robots' processes connect to, until Ctrl-C.

    Args:
        config: the warehouse and its network.
    """
    host_fleet(config, _say)


def sign(bundle: Place, key: Path) -> None:
    """Sign a bundle's manifest with an Ed25519 key, so that robots can tell that it comes from you.

    Args:
        bundle: the bundle's folder.
        key: private key (PEM), as `openssl genpkey -algorithm ed25519 -out key.pem` makes it.
    """
    opened = open_bundle(bundle)
    opened.require_whole()
    write_atomically(bundle / SIGNATURE, sign_manifest(opened.manifest_bytes, key))
    _say(f"signed: {bundle / SIGNATURE}")


def scenes() -> None:
    """List the scenes that ship."""
    table = Table("scene", "robots", "size", "pick cells", "stations")
    for name in scene_names():
        layout = load_layout(name)
        size = f"{layout.columns} x {layout.rows} m"
        table.add_row(name, str(layout.robots), size, str(len(layout.picks)), str(len(layout.stations)))
    Console().print(table)


def demo(settings: Settings, short: Shorts, run: Path = Path("runs/demo"), episodes: int = 20) -> None:
    """Train, evaluate, export, verify and drive; then one table, a learning curve and a film.

    Args:
        settings: everything that decides how training goes.
        short: short forms.
        run: the run folder; everything goes there.
        episodes: how many to evaluate each policy in.
    """
    rows = run_demo(short.resolve(settings), run, episodes, _say)
    _show(rows, run / "table.json")
    for name in ("learning_curve.png", "fleet.gif", "bundle"):
        _say(f"{name}: {run / name}")


def run(arguments: Sequence[str]) -> None:
    """Runs the command line.

    Raises:
        InputError: an argument is not valid, or what it names.
    """
    try:
        _parse(arguments)()
    except (VerifyError, RolloutError) as error:
        print(f"fleetmix: {error}", file=sys.stderr)
        sys.exit(1)


def _parse(arguments: Sequence[str]) -> functools.partial[None]:
    """The command that was asked for, with its arguments; a run that goes on begins with the settings in its folder."""
    commands = (train, evaluate, export, verify, drive, fleet, sign, scenes, demo)
    description = f"{DESCRIPTION}\n\n{ON_ROBOT}"
    command = parse(commands, description, TrainConfig(), arguments, tuple(COMMANDS))
    if command.keywords.get("resume") and command.keywords["run"] is not None:
        command = parse(commands, description, load_run(command.keywords["run"]).config, arguments, tuple(COMMANDS))
    return command


def _default_run(config: TrainConfig) -> Path:
    name = config.env.replace(":", "-") or Path(config.scene.layout).stem
    return Path("runs") / f"{name}-{config.algo}-{config.seed}"


def _show(rows: Sequence[Row] | Sequence[ReturnRow], file: Path | None) -> None:
    Console(width=None if sys.stdout.isatty() else 120).print(as_table(rows))
    if file is not None:
        write_atomically(file, as_json(rows).encode())
        _say(f"JSON: {file}")


def _say(text: str) -> None:
    Console(soft_wrap=True, highlight=False).print(text, markup=False)
