"""The commands of everything that does not run on a robot: one function each, no logic.

A command imports what it runs, so that help and mistakes come at once: torch alone takes two seconds to load.
"""

import functools
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from export.fleet.config import FleetConfig
from fleetmix.options import EvalConfig, TrainShortcuts
from fleetmix.parsing import parse, write_completion
from policies.files import write_atomically
from policies.runs.config import TrainConfig
from sim.errors import InputError, require

if TYPE_CHECKING:
    from policies.results import ReturnRow, Row

Place = Annotated[Path, tyro.conf.Positional]
Settings = Annotated[TrainConfig, tyro.conf.arg(name="")]
Shortcuts = Annotated[TrainShortcuts, tyro.conf.arg(name="")]
Evaluation = Annotated[EvalConfig, tyro.conf.arg(name="")]
Hosting = Annotated[FleetConfig, tyro.conf.arg(name="")]
_AFTER_A_CHANGE = "the base must be started again with its base.json, which is when old keys stop to count"


def train(settings: Settings, short: Shortcuts, run: Path | None = None, resume: bool = False) -> None:
    """Train a fleet.

    Args:
        settings: everything that decides how training goes.
        short: short forms.
        run: the run folder; by default runs/SCENE-ALGO-SEED.
        resume: go on with the run in that folder.
    """
    from policies.train import train as train_fleet

    config = short.resolve(settings)
    if config.env and (short.scene, short.robots) != (None, None):
        raise InputError("scene and robots belong to the warehouse; valid with --env is to leave them out")
    result = train_fleet(config, run or _default_run(config), resume)
    log(f"{result.steps:,} env steps in {result.seconds / 60:.1f} min; run folder: {result.run}")
    if result.interrupted:
        sys.exit(130)
    log(f"next: fleetmix evaluate {result.run}")


def evaluate(run: Place, options: Evaluation) -> None:
    """Measure a run's greedy policy against always-go and the solo bound, on the same seeds.

    Args:
        run: the run folder.
        options: where and how often.
    """
    from policies.evaluate import GreedyPolicy, choose_scene, evaluate_fleet, evaluate_returns
    from policies.results import as_json
    from policies.runs.folder import EVALUATION, load_agent, load_run

    opened = load_run(run)
    network, _ = load_agent(opened)
    name = opened.config.algo.upper()
    if opened.config.env:
        _show(evaluate_returns(opened.source, network, name, options.episodes, options.seed), options.json)
        return
    trained = opened.config.scene, opened.source.parsed_layout()
    scene, layout = choose_scene(*trained, options.scene, options.robots, options.drive)
    rows = evaluate_fleet([GreedyPolicy(network, name)], scene, layout, options.episodes, options.seed)
    if scene == opened.config.scene:
        write_atomically(opened.path / EVALUATION, as_json(rows).encode())
    _show(rows, options.json)


def export(run: Place, out: Path | None = None) -> None:
    """Write a run's bundle: manifest.json, robot_<i>.onnx for each robot, controller.onnx.

    Args:
        run: the run folder.
        out: the bundle's folder; by default `bundle` in the run folder.
    """
    from export.pipeline import export_run
    from policies.runs.folder import load_run

    bundle = export_run(load_run(run), out)
    log(f"{len(bundle.manifest.robots)} robots exported; bundle: {bundle.path}")


def verify(path: Place) -> None:
    """Hold a bundle against its run: whole episodes with torch and onnxruntime side by side.

    Args:
        path: a run folder (its bundle is written first where there is none) or a bundle.
    """
    from export.pipeline import verify_path

    log(str(verify_path(path)))


def drive(path: Place, options: Evaluation, processes: bool = False, real_time: bool = False) -> None:
    """Drive the fleet in the simulator, every robot with its own ONNX files and its own observation only.

    Args:
        path: a run folder or a bundle.
        options: where and how often.
        processes: start a process for every robot, which gets its own sensors over the network and nothing else.
        real_time: with processes, let the clock set the pace, in place of waiting for every answer.
    """
    from export.fleet.evaluate import evaluate_processes
    from export.fleet.onnx_policy import OnnxFleetPolicy
    from export.pipeline import bundle_of
    from policies.evaluate import choose_scene, evaluate_fleet
    from policies.results import make_row

    require(processes or not real_time, "real-time", real_time, "false without --processes")
    bundle = bundle_of(path)
    fleet = OnnxFleetPolicy(bundle, 1)
    scene, layout = choose_scene(*fleet.trained_in(), options.scene, options.robots, options.drive)
    if not processes:
        _show(evaluate_fleet([fleet], scene, layout, options.episodes, options.seed, fleet.control), options.json)
        return
    seeds = range(options.seed, options.seed + options.episodes)
    played = evaluate_processes(bundle, scene, layout, options.scene, seeds, not real_time)
    always_go, bound = evaluate_fleet([], scene, layout, options.episodes, options.seed)
    _show([always_go, make_row(f"{fleet.name}, processes", scene, played, bound.throughput), bound], options.json)


def fleet(config: Hosting) -> None:
    """Host the simulated warehouse that robots' processes connect to, until Ctrl-C.

    Args:
        config: the warehouse and its network.
    """
    from export.fleet.host import host_fleet

    host_fleet(config, log)


def keys(
    out: Place,
    robots: int | None = None,
    host: tuple[str, ...] = ("127.0.0.1", "localhost"),
    port: int = 7447,
    days: float = 365.0,
    add: tuple[str, ...] = (),
    revoke: tuple[str, ...] = (),
) -> None:
    """Make keys for a fleet: who holds one can do on the network what its robot may, and no more.

    Args:
        out: folder of the keys; one that exists is changed by --add and --revoke alone.
        robots: how many, robot_0 and so on, of a new fleet.
        host: names or addresses of a new fleet's base, as robots reach it; the first is where they connect to.
        port: where a new fleet's base listens.
        days: how long the new keys count.
        add: robots to issue keys to.
        revoke: robots, operator or base whose keys shall no longer count; each gets a new one.
    """
    require(0 < days <= 3650, "days", days, "above 0, up to 3650")
    change = bool(add or revoke)
    if change == (robots is not None):
        raise InputError(
            "keys need a fleet; valid is --robots N for new ones, or --add and --revoke for a folder of keys"
        )
    from export.keys.folder import change_keys, make_keys

    lasts = timedelta(days=days)
    if robots is None:
        change_keys(out, add, revoke, lasts)
        log(f"new keys: {', '.join(f'{out / name}.json' for name in (*add, *revoke))}; {_AFTER_A_CHANGE}")
        if "base" in revoke:
            log("the base's old key counts with robots until it expires; if it was stolen, make a new folder of keys")
        return
    require(1 <= robots <= 1000, "robots", robots, "1 to 1000")
    require(1 <= port < 2**16, "port", port, "1 to 65535")
    make_keys(out, [f"robot_{i}" for i in range(robots)], host, lasts, port)
    log(f"keys: {out}/base.json, operator.json, robot_<i>.json; ca.key, which makes more, belongs on no robot")
    log(f"next: fleetmix fleet --zenoh {out / 'base.json'}")


def sign(bundle: Place, key: Path) -> None:
    """Sign a bundle's manifest with an Ed25519 key, so that robots can tell that it comes from you.

    Args:
        bundle: the bundle's folder.
        key: private key (PEM), as `openssl genpkey -algorithm ed25519 -out key.pem` makes it.
    """
    from export.bundle.files import SIGNATURE
    from export.bundle.manifest import open_bundle
    from export.bundle.signature import sign_manifest

    opened = open_bundle(bundle)
    opened.require_whole()
    write_atomically(bundle / SIGNATURE, sign_manifest(opened.manifest_bytes, key))
    log(f"signed: {bundle / SIGNATURE}")


def scenes() -> None:
    """List the scenes that ship."""
    from rich.console import Console
    from rich.table import Table

    from sim.layout import load_layout, scene_names

    table = Table("scene", "robots", "size", "pick cells", "stations")
    for name in scene_names():
        layout = load_layout(name)
        size = f"{layout.columns} x {layout.rows} m"
        table.add_row(name, str(layout.robots), size, str(len(layout.picks)), str(len(layout.stations)))
    Console().print(table)


def demo(settings: Settings, short: Shortcuts, run: Path = Path("runs/demo"), episodes: int = 20) -> None:
    """Train, evaluate, export, verify and drive; then one table, a learning curve and a film.

    Args:
        settings: everything that decides how training goes.
        short: short forms.
        run: the run folder; everything goes there.
        episodes: how many to evaluate each policy in.
    """
    from fleetmix.demo import demo as run_demo

    rows = run_demo(short.resolve(settings), run, episodes, log)
    _show(rows, run / "table.json")
    for name in ("learning_curve.png", "fleet.gif", "bundle"):
        log(f"{name}: {run / name}")


COMMANDS: dict[str, Callable[..., None]] = {
    command.__name__: command for command in (train, evaluate, export, verify, drive, fleet, keys, sign, scenes, demo)
}


def run(arguments: Sequence[str]) -> None:
    """Run a command of `COMMANDS`, the first of the arguments, or write a shell's completion script.

    Raises:
        InputError: an argument is not valid, or what it names.
        RunError: the job failed.
    """
    if arguments[0] not in COMMANDS:
        write_completion(COMMANDS, TrainConfig(), arguments)
    else:
        _parse(COMMANDS[arguments[0]], arguments[1:])()


def _parse(command: Callable[..., None], arguments: Sequence[str]) -> functools.partial[None]:
    """Return the command with its arguments; a run that goes on begins with the settings in its folder."""
    chosen = parse(command, TrainConfig(), arguments)
    if chosen.keywords.get("resume") and chosen.keywords["run"] is not None:
        from policies.runs.folder import load_run

        chosen = parse(command, load_run(chosen.keywords["run"]).config, arguments)
    return chosen


def _default_run(config: TrainConfig) -> Path:
    name = config.env.replace(":", "-") or Path(config.scene.layout).stem
    return Path("runs") / f"{name}-{config.algo}-{config.seed}"


def _show(rows: "Sequence[Row] | Sequence[ReturnRow]", file: Path | None) -> None:
    from rich.console import Console

    from policies.results import as_json, as_table

    Console(width=None if sys.stdout.isatty() else 120).print(as_table(rows))
    if file is not None:
        write_atomically(file, as_json(rows).encode())
        log(f"JSON: {file}")


def log(text: str) -> None:
    """Print a line for the person at the terminal; whoever reads a pipe gets it at once too."""
    print(text, flush=True)
