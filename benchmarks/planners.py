"""What central planners deliver in this physics: PIBT and RHCR, which know everything about all robots.

python -m benchmarks.planners [--planner pibt rhcr] [--episodes 20] [--seed 0] [--drive velocity] [--jobs 2]
"""

import argparse
import statistics
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from policies.episode import Episode, throughput
from policies.planners.episode import run_planner
from policies.planners.names import PLANNERS, PlannerName
from sim.scene import DRIVE_MODELS, DriveModel, open_scene
from sim.warehouse import Warehouse

ROWS = (
    ("small", 4), ("small", 8), ("narrow", 4), ("narrow", 6), ("crossing", 2), ("aisle", 2),
    ("depot", 8), ("depot", 16), ("depot", 32),
)  # fmt: skip


def play(name: PlannerName, scene: str, robots: int, drive: DriveModel, seed: int) -> Episode:
    """Return one episode in a warehouse of its own."""
    warehouse = Warehouse(*open_scene(scene, robots, drive))
    played = run_planner(warehouse, name, seed)
    warehouse.close()
    return played


def row(name: str, scene: str, robots: int, drive: DriveModel, played: Iterable[Episode]) -> str:
    """Return a line of the table."""
    episodes = list(played)
    count = {
        key: round(sum(e.totals[key] for e in episodes)) for key in ("robot_contacts", "rack_contacts", "deadlocks")
    }
    delivered = throughput(episodes, open_scene(scene, robots, drive)[0])
    took = statistics.mean(e.decision_us for e in episodes), statistics.mean(e.decision_us_p99 for e in episodes)
    return (
        f"| {name} | {scene} | {robots} | {delivered:.1f} | {count['robot_contacts']} + {count['rack_contacts']} | "
        f"{count['deadlocks']} | {took[0]:.1f} | {took[1]:.0f} |"
    )


def main() -> None:
    """Print a row for each planner, scene and fleet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planner", nargs="+", choices=PLANNERS, default=PLANNERS)
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--drive", choices=DRIVE_MODELS, default="velocity")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    head = "planner | scene | robots | deliveries a robot-hour | contacts: robots + racks | deadlocks | mean us | 99%"
    print(f"| {head} |")
    print("|---|---|---|---|---|---|---|---|")
    seeds = range(options.seed, options.seed + options.episodes)
    with ProcessPoolExecutor(options.jobs) as pool:
        for name in options.planner:
            for scene, robots in ROWS:
                played = pool.map(partial(play, name, scene, robots, options.drive), seeds)
                print(row(name, scene, robots, options.drive, played), flush=True)


if __name__ == "__main__":
    main()
