"""What QMIX brings over VDN and IQL: each trained on several seeds for the same time, evaluated on the same episodes.

Each training gets the whole machine; two at a time would share its time. A run that is already in the folder is not
trained again, so a stopped benchmark goes on where it was, and other numbers of episodes cost no training. The
interval is that of the mean over the training seeds. Besides the greedy policy in the end, a second table shows the
efficiency of the training's own episodes, exploration included: who learns faster has more of it, and there are so many
of them that they tell algorithms apart where twenty greedy ones can't.

    python -m benchmarks.learning [--scene small] [--minutes 7.5 | --steps N] [--seeds 5] [--algos qmix vdn iql]
"""

import argparse
import csv
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from policies.config import ALGOS
from policies.evaluate import evaluate_fleet
from policies.files import write_atomically
from policies.fleet_policies import GreedyPolicy
from policies.results import Row, mean_and_ci95
from policies.runs.config import TrainConfig
from policies.runs.folder import load_agent, load_run
from policies.train import train
from sim.scene import open_scene

FIRST_SEED = 1
"""Of the trainings; lower ones were used while the settings were chosen."""
FIGURES = ("throughput", "efficiency", "contacts", "deadlocks", "empty episodes")
PARTS = 5
"""Parts of a training that are looked at apart."""


@dataclasses.dataclass(frozen=True)
class Learned:
    """What one training led to."""

    rows: list[Row]
    """Always-go, the trained policy, the robots alone."""
    while_learning: list[float]
    """Efficiency of the training's own episodes in each part of `PARTS`, and in all of it."""


def learn(config: TrainConfig, folder: Path, episodes: int) -> Learned:
    """Trains and evaluates, as far as that was not done before."""
    if not any(folder.glob("evaluation*.json")):
        train(config, folder, resume=(folder / "config.yaml").exists())
    evaluation = folder / f"evaluation_{episodes}.json"
    if not evaluation.exists():
        run = load_run(folder)
        policy = GreedyPolicy(load_agent(run)[0], config.algo.upper())
        rows = evaluate_fleet([policy], run.config.scene, run.source.parsed_layout(), episodes)
        write_atomically(evaluation, json.dumps([dataclasses.asdict(row) for row in rows]).encode())
    rows = [Row(**row) for row in json.loads(evaluation.read_text(encoding="utf-8"))]
    return Learned(rows, while_learning(folder))


def while_learning(folder: Path) -> list[float]:
    """Efficiency of a training's episodes: in each of `PARTS` equal parts, and in all of it."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["efficiency"]]
    steps, episodes, efficiency = (
        np.array([float(row[name]) for row in rows]) for name in ("steps", "episodes", "efficiency")
    )
    part = np.minimum((steps - 1) * PARTS // steps[-1], PARTS - 1)
    return [
        float(np.average(efficiency[chosen], weights=episodes[chosen]))
        for chosen in (*(part == i for i in range(PARTS)), part >= 0)
    ]


def summary(name: str, rows: list[Row]) -> list[str]:
    """One line of the table, over the training seeds."""
    cells = [name, str(len(rows))]
    cells += [interval([getattr(row, figure) for row in rows]) for figure in ("throughput", "efficiency")]
    contacts = sum(row.robot_contacts + row.rack_contacts for row in rows) / len(rows)
    return [
        *cells,
        f"{contacts:.2f}",
        *(str(sum(getattr(row, n) for row in rows)) for n in ("deadlocks", "empty_episodes")),
    ]


def interval(values: Sequence[float]) -> str:
    """Return the mean with its 95% interval, where there is one."""
    mean, ci95 = mean_and_ci95(values)
    return f"{mean:.3g} ± {ci95:.2g}" if ci95 > 0 else f"{mean:.3g}"


def main() -> None:
    """Trains, evaluates, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", default="small")
    parser.add_argument("--minutes", type=float, default=TrainConfig.minutes, help="of each training")
    parser.add_argument("--steps", type=int, default=0, help="of each training, in place of the minutes")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each algorithm")
    parser.add_argument("--algos", nargs="+", choices=ALGOS, default=ALGOS)
    parser.add_argument("--episodes", type=int, default=20, help="to evaluate each training in")
    parser.add_argument("--out", type=Path, default=Path("runs/learning"))
    options = parser.parse_args()
    scene, _ = open_scene(options.scene)
    length = f"{options.steps:,} env steps" if options.steps else f"{options.minutes:g} min"
    title = f"{options.scene}, {scene.robots} robots, {length} of training"
    table = Table(title=f"{title}, {options.episodes} episodes")
    for column in ("policy", "seeds", *FIGURES):
        table.add_column(column, justify="left" if column == "policy" else "right")
    learning = Table(title="efficiency while learning")
    for column in ("policy", *(f"part {i + 1} of {PARTS}" for i in range(PARTS)), "all"):
        learning.add_column(column, justify="left" if column == "policy" else "right")
    for algo in options.algos:
        trained = []
        for seed in range(FIRST_SEED, FIRST_SEED + options.seeds):
            config = TrainConfig(scene=scene, algo=algo, seed=seed, minutes=options.minutes, steps=options.steps)
            trained.append(learn(config, options.out / f"{algo}-{seed}", options.episodes))
        if algo == options.algos[0]:
            table.add_row(*summary(trained[0].rows[0].policy, [trained[0].rows[0]]))
            table.add_row(*summary("solo", [trained[0].rows[2]]))
        table.add_row(*summary(algo.upper(), [run.rows[1] for run in trained]))
        learning.add_row(algo.upper(), *map(interval, zip(*(run.while_learning for run in trained), strict=True)))
        Console(width=120).print(table, learning)


if __name__ == "__main__":
    main()
