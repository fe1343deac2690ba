"""The commands that need no robot: train, evaluate, list what ships, and the whole path in one go.

A command imports what it runs, so that help and mistakes come at once: torch alone takes two seconds to load.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fleetmix.options import EvalConfig, TrainShortcuts
from fleetmix.output import log, show
from policies.benchmark.settings import BenchmarkConfig
from policies.files import require_folder, write_atomically
from policies.planners.names import POLICIES, SOLO, PlannerName, PolicyName
from policies.runs.config import TrainConfig
from sim.errors import InputError, require
from sim.scene import open_scene

if TYPE_CHECKING:
    from policies.evaluate import LookOn
    from policies.results import Row

Place = Annotated[Path, tyro.conf.Positional]
Settings = Annotated[TrainConfig, tyro.conf.arg(name="")]
Shortcuts = Annotated[TrainShortcuts, tyro.conf.arg(name="")]
Evaluation = Annotated[EvalConfig, tyro.conf.arg(name="")]
Benchmarking = Annotated[BenchmarkConfig, tyro.conf.arg(name="")]


def train(
    settings: Settings,
    short: Shortcuts,
    run: Path | None = None,
    resume: bool = False,
    config: Path | None = None,
    seeds: int = 1,
) -> None:
    """Train a fleet.

    Args:
        settings: everything that decides how training goes.
        short: short forms.
        run: the run folder; by default runs/SCENE-ALGO-SEED. With several seeds, the folder that holds theirs.
        resume: go on with the run in that folder.
        config: YAML file of settings, such as the config.yaml of a run folder; flags change what it says.
        seeds: train so often, with --seed and those after it, side by side as far as the cores go.
    """
    require(seeds >= 1, "seeds", seeds, "a whole number from 1 up")
    if run == Path():  # what an empty name means as well
        raise InputError("run is the folder where you are, or no name; valid is a folder of its own")
    if config is not None and resume:
        raise InputError("config belongs to a new run; valid with --resume is to leave it out: the run has its own")
    chosen = short.resolve(settings)
    if chosen.env and (short.scene, short.robots) != (None, None):
        raise InputError("scene and robots belong to the warehouse; valid with --env is to leave them out")
    if seeds > 1:
        from fleetmix.seeds import train_seeds

        folder = run or _default_run(chosen).with_name(f"{_env_name(chosen)}-{chosen.algo}")
        train_seeds(chosen, seeds, folder, resume)
        log(f"next: fleetmix compare {folder}/seed-*")
        return
    from policies.train import train as train_fleet

    result = train_fleet(chosen, run or _default_run(chosen), resume)
    log(f"{result.steps:,} env steps in {result.seconds / 60:.1f} min; run folder: {result.run}")
    if result.interrupted:
        sys.exit(130)
    log(f"curves: tensorboard --logdir {result.run / 'tensorboard'}")
    log(f"next: fleetmix evaluate {result.run}")


def evaluate(
    options: Evaluation,
    run: Annotated[Path | None, tyro.conf.Positional] = None,
    policy: PolicyName | None = None,
    against: tuple[PlannerName, ...] = (),
) -> None:
    """Measure a run's greedy policy, or one that needs no run, against others on the same seeds.

    Args:
        options: where and how often.
        run: the run folder; its policy is measured against always-go.
        policy: a policy that needs no run, in place of the run.
        against: planners that are measured too.
    """
    if (run is None) == (policy is None):
        given = "neither is given" if run is None else f"both are given, {run} and {policy}"
        valid = ", ".join(map(repr, POLICIES))
        raise InputError(f"run and --policy: {given}; valid is a run folder, or one of {valid}")
    from export.fleet.record_policy import record_policy
    from policies.evaluate import choose_scene, evaluate_fleet, evaluate_returns
    from policies.fleet_policies import GreedyPolicy
    from policies.results import as_json, without_times
    from policies.runs.folder import EVALUATION, load_agent, load_run
    from policies.without_run import evaluate_without_run

    watch = record_policy(options.record, options.record_scans, log)
    if policy is not None:
        show(_measure([policy, *against], options, watch), options.json)
        return
    assert run is not None
    opened = load_run(run)
    network, _ = load_agent(opened)
    name = opened.config.algo.upper()
    if opened.config.env:
        require(watch is None, "record", str(options.record), "none: only what happens in the warehouse is recorded")
        require(not against, "against", against, "none: planners belong to the warehouse")
        show(evaluate_returns(opened.source, network, name, options.episodes, options.seed), options.json)
        return
    trained = opened.config.scene, opened.source.parsed_layout()
    scene, layout = choose_scene(*trained, options.scene, options.robots, options.drive)
    policies = [GreedyPolicy(network, name)]
    rows = evaluate_fleet(policies, scene, layout, options.episodes, options.seed, watch=watch)
    if scene == opened.config.scene:
        write_atomically(opened.path / EVALUATION, as_json(without_times(rows)).encode())
    rows[-1:-1] = evaluate_without_run(against, scene, layout, options.seeds, rows[-1].throughput)
    show(rows, options.json)


def _measure(names: list[PolicyName], options: EvalConfig, watch: "LookOn | None") -> "list[Row]":
    """Return the rows of policies that need no run, and of the robots alone."""
    from policies.evaluate import run_solo
    from policies.results import make_row
    from policies.without_run import evaluate_without_run

    scene, layout = open_scene(options.scene or "small", options.robots, options.drive)
    solo = make_row(SOLO, scene, run_solo(scene, layout, options.seeds))
    return [*evaluate_without_run(names, scene, layout, options.seeds, solo.throughput, watch), solo]


def benchmark(config: Benchmarking) -> None:
    """Measure policies in many scenes, with fleets of several sizes: one table and a picture.

    Args:
        config: what is measured.
    """
    from policies.benchmark.results import write_results
    from policies.benchmark.run import run_benchmark

    rows = run_benchmark(config, log)
    log(write_results(rows, config))
    log(f"table.md, table.csv, table.json, throughput.png: {config.out}")


def scenes(
    scene: Annotated[str | None, tyro.conf.Positional] = None, picture: Path | None = None, robots: int | None = None
) -> None:
    """List the scenes that ship, or write the map of one: a shipped one, generated:SEED, or a map file.

    Args:
        scene: the scene whose map is written, as a file that --scene takes.
        picture: PNG of that map, with arrows where its guidance makes one direction of an aisle dearer.
        robots: the fleet whose guidance is drawn; by default as many as the map asks for.
    """
    from rich.console import Console
    from rich.table import Table

    from sim.layout import load_layout, scene_names

    if robots is not None:
        require(robots >= 1, "robots", robots, "a whole number from 1 up")
        require(picture is not None, "robots", robots, "a number of robots with --picture, which shows their guidance")
    if picture is not None and scene is None:
        raise InputError(f"picture is {str(picture)!r}, of no scene; valid is fleetmix scenes SCENE --picture FILE")
    if scene is not None:
        layout = load_layout(scene)
        sys.stdout.write(layout.text())
        if picture is not None:
            from fleetmix.map_picture import draw_layout

            require_folder(picture)
            draw_layout(layout.guided(robots or layout.robots), picture)
        return
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
    show(rows, run / "table.json")
    for name in ("learning_curve.png", "fleet.gif", "bundle"):
        log(f"{name}: {run / name}")
    from fleetmix.report.write import write_report

    write_report([run], run / "report.html", None, 3, f"fleetmix report {run}", log)


def _default_run(config: TrainConfig) -> Path:
    return Path("runs") / f"{_env_name(config)}-{config.algo}-{config.seed}"


def _env_name(config: TrainConfig) -> str:
    return config.env.replace(":", "-") or "-".join(config.mix.scenes) or Path(config.scene.layout).stem
