"""What QMIX brings over VDN and IQL: each trained on several seeds for the same time, evaluated on the same episodes.

Each training gets the whole machine; two at a time would share its time. A run that is already in the folder is not
trained again, so a stopped benchmark goes on where it was. The interval is that of the mean over the training seeds.

    python benchmarks/learning.py [--scene small] [--minutes 6 | --steps N] [--seeds 3] [--algos qmix vdn iql]
"""

import argparse
import dataclasses
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from policies.config import ALGOS, TrainConfig
from policies.evaluate import GreedyPolicy, evaluate_fleet
from policies.figures import Row, mean_and_ci95
from policies.files import write_atomically
from policies.run_folder import EVALUATION, load_agent, load_run
from policies.train import train
from sim.scene import open_scene

FIRST_SEED = 1
"""Of the trainings; lower ones were used while the settings were chosen."""


def learn(config: TrainConfig, folder: Path, episodes: int) -> list[Row]:
    """The rows of one training: always-go, the trained policy, the solo bound."""
    if not (folder / EVALUATION).exists():
        train(config, folder, resume=(folder / "config.yaml").exists())
        run = load_run(folder)
        policy = GreedyPolicy(load_agent(run)[0], config.algo.upper())
        rows = evaluate_fleet([policy], run.config.scene, run.source.parsed_layout(), episodes)
        write_atomically(folder / EVALUATION, json.dumps([dataclasses.asdict(row) for row in rows]).encode())
    return [Row(**row) for row in json.loads((folder / EVALUATION).read_text(encoding="utf-8"))]


def summary(name: str, rows: list[Row]) -> list[str]:
    """One line of the table, over the training seeds."""
    cells = [name, str(len(rows))]
    for figure in ("throughput", "efficiency"):
        mean, ci95 = mean_and_ci95([getattr(row, figure) for row in rows])
        cells.append(f"{mean:.3g} ± {ci95:.2g}" if ci95 > 0 else f"{mean:.3g}")
    contacts = sum(row.robot_contacts + row.rack_contacts for row in rows) / len(rows)
    return [
        *cells,
        f"{contacts:.2f}",
        *(str(sum(getattr(row, n) for row in rows)) for n in ("deadlocks", "empty_episodes")),
    ]


def main() -> None:
    """Trains, evaluates, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", default="small")
    parser.add_argument("--minutes", type=float, default=TrainConfig.minutes, help="of each training")
    parser.add_argument("--steps", type=int, default=0, help="of each training, in place of the minutes")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each algorithm")
    parser.add_argument("--algos", nargs="+", choices=ALGOS, default=ALGOS)
    parser.add_argument("--episodes", type=int, default=20, help="to evaluate each training in")
    parser.add_argument("--out", type=Path, default=Path("runs/learning"))
    options = parser.parse_args()
    scene, _ = open_scene(options.scene)
    length = f"{options.steps:,} env steps" if options.steps else f"{options.minutes:g} min"
    title = f"{options.scene}, {scene.robots} robots, {length} of training"
    table = Table(title=f"{title}, {options.episodes} episodes")
    for column in ("policy", "seeds", "throughput", "efficiency", "contacts", "deadlocks", "empty episodes"):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for algo in options.algos:
        trained = []
        for seed in range(FIRST_SEED, FIRST_SEED + options.seeds):
            config = TrainConfig(scene=scene, algo=algo, seed=seed, minutes=options.minutes, steps=options.steps)
            trained.append(learn(config, options.out / f"{algo}-{seed}", options.episodes))
        if algo == options.algos[0]:
            table.add_row(*summary("always-go", [trained[0][0]]))
            table.add_row(*summary("solo bound", [trained[0][2]]))
        table.add_row(*summary(algo.upper(), [rows[1] for rows in trained]))
        Console(width=120).print(table)


if __name__ == "__main__":
    main()
