"""The whole path in one go: train, evaluate, export, verify, drive, and show it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from export.fleet.onnx_policy import OnnxFleetPolicy
from export.pipeline import export_run, verify_run
from fleetmix.pictures import film, plot_learning_curve
from policies.evaluate import evaluate_fleet
from policies.files import write_atomically
from policies.fleet_policies import AlwaysGo, FleetPolicy, GreedyPolicy
from policies.results import Row, as_json, without_times
from policies.runs.config import TrainConfig
from policies.runs.folder import EVALUATION, load_agent, load_run
from policies.train import train
from sim.env import Controller

FILM_SEED = 0


def demo(config: TrainConfig, folder: Path, episodes: int, log: Callable[[str], None]) -> list[Row]:
    """Train a fleet and take it all the way to ONNX.

    Args:
        config: the training.
        folder: the run folder; everything goes there.
        episodes: how many to evaluate each policy in.
        log: prints a line for the person who waits.

    Returns:
        The table's rows: always-go, the policy in torch, the same from ONNX with the built-in controller and with
        controller.onnx, and the robots alone.

    Raises:
        InputError: as `train`; VerifyError: the exported files do something else than the trained network.
    """
    log(f"1/5 train: {config.algo} on {config.scene.layout}, {config.scene.robots} robots, into {folder}")
    train(config, folder)
    run = load_run(folder)
    scene, layout = run.config.scene, run.source.parsed_layout()
    agent, _ = load_agent(run)

    log(f"2/5 evaluate: {episodes} greedy episodes")
    name = config.algo.upper()
    greedy = GreedyPolicy(agent, f"{name}, torch")
    rows = evaluate_fleet([greedy], scene, layout, episodes)
    write_atomically(run.path / EVALUATION, as_json(without_times(rows)).encode())

    log("3/5 export: one ONNX file a robot")
    bundle = export_run(run, folder / "bundle").path

    log("4/5 verify: torch and onnxruntime side by side")
    log(str(verify_run(run, bundle)))

    log("5/5 drive: every robot with its own ONNX files")
    fleet = OnnxFleetPolicy(bundle, scene.robots, f"{name}, ONNX")
    rows.insert(2, evaluate_fleet([fleet], scene, layout, episodes)[1])
    fleet.name = f"{name}, ONNX, controller.onnx"
    rows.insert(3, evaluate_fleet([fleet], scene, layout, episodes, controller=fleet.control)[1])
    log(
        f"{name}, torch and {name}, ONNX are followed by the same compiled controller: their episodes are equal unless "
        "two values tie in rounding; controller.onnx differs in the seventh digit: those part by chance, within the "
        "interval"
    )
    write_atomically(folder / "table.json", as_json(rows).encode())

    plot_learning_curve(folder / "metrics.csv", rows, folder / "learning_curve.png")
    shown: list[tuple[FleetPolicy, Controller | None]] = [(AlwaysGo(scene.right_of_way), None), (fleet, fleet.control)]
    film(shown, replace(scene, drive="velocity"), layout, FILM_SEED, folder / "fleet.gif")
    return rows
