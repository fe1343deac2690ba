"""What a bad radio costs robots that drive by right of way, with a real process for each: throughput and contacts.

All robots always go on, in lock-step, so that the clock of the machine does not matter. One robot dies after a third of
each episode, has no radio, or lies: it says that it has claimed the cells around it since ever, with the highest
priority, and every other time what can't be.

    python -m benchmarks.radio [--scene small] [--robots 4] [--episodes 5] [--seed 1000] [--rows NAME ...]
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from export.fleet.config import SOUND, RadioConfig
from export.fleet.processes import RobotProcesses, free_endpoint
from export.fleet.server import Fleet
from export.graphs.bundle_writer import write_bundle
from export.graphs.origin import Training, warehouse_metadata
from export.protocol import transport
from policies.agent import AgentNetwork
from policies.config import AgentConfig
from policies.episode import Episode, EpisodeMeter
from sim.layout import Layout
from sim.observation import MANEUVERS, observation_spec
from sim.scene import SceneConfig, open_scene, robot_names
from sim.traffic.broadcast import MOST_CLAIMS, MOST_PRIORITY, RECORD
from sim.traffic.ways import cell_beside

FAULTY = "robot_0"
COUNTS = ("deliveries", "robot_contacts", "rack_contacts", "deadlocks")


class Row(NamedTuple):
    """What goes wrong."""

    radio: RadioConfig = SOUND
    dies: bool = False
    lies: bool = False


ROWS = {
    "nothing": Row(),
    "5% lost": Row(RadioConfig(radio_loss=0.05)),
    "20% lost": Row(RadioConfig(radio_loss=0.2)),
    "up to 0.1 s late": Row(RadioConfig(radio_delay=0.1)),
    "up to 0.3 s late": Row(RadioConfig(radio_delay=0.3)),
    "20% lost, up to 0.3 s late": Row(RadioConfig(radio_loss=0.2, radio_delay=0.3)),
    "all lost": Row(RadioConfig(radio_loss=1.0)),
    "one dies": Row(dies=True),
    "one without radio": Row(RadioConfig(radio_off=(FAULTY,))),
    "one lies": Row(lies=True),
}


def lie(record: NDArray[np.float64], period: int, layout: Layout) -> None:
    """Turn a broadcast into a claim on all around for ever, or into nonsense, in turn."""
    record[RECORD.priority] = MOST_PRIORITY
    if period % 2:
        record[RECORD.claims] = -7.0
        return
    cell, count = int(record[RECORD.claims]), 1
    for side in (0, 1, 2, 3) * MOST_CLAIMS:
        beside = cell_beside(cell, side, layout.columns)
        if count < MOST_CLAIMS and np.isfinite(layout.costs[cell, side]):
            record[RECORD.claims + count] = cell = beside
            count += 1
    record[RECORD.claim_count], record[RECORD.way_count], record[RECORD.timed_count] = count, 0.0, 0.0
    record[RECORD.claimed_at : RECORD.claimed_at + count] = 0.0
    record[RECORD.wanted] = -1.0


class FaultyFleet(Fleet):
    """A fleet in which `FAULTY` may lie."""

    lies = False

    def _broadcasts(self) -> list[NDArray[np.float64] | None]:
        told = super()._broadcasts()
        if self.lies and (record := told[0]) is not None:
            lie(record, self.periods, self.warehouse.layout)
        return told


def always_go(scene: SceneConfig, layout: Layout, folder: Path) -> Path:
    """Write a bundle of robots that always want to go on; return it."""
    config = AgentConfig("mlp", hidden=8)
    scale = torch.from_numpy(observation_spec(scene.robot).scale)
    agent = AgentNetwork(scene.robots, scale, len(MANEUVERS), config)
    with torch.no_grad():
        for name, parameter in agent.named_parameters():
            if "head" in name:
                parameter.zero_()
            if name.endswith("head.bias"):
                parameter[MANEUVERS.index("go")] = 1.0
    metadata = warehouse_metadata(scene, layout.text(), config, Training("always-go", 0, 0))
    return write_bundle(agent, metadata, folder / "bundle", scene.robots).path


def play(fleet: FaultyFleet, processes: RobotProcesses, row: Row, seed: int, poll: Callable[[], None]) -> Episode:
    """Return an episode of that row, with all processes running when it begins."""
    if processes.running[FAULTY].poll() is not None:
        processes.start(FAULTY)
    fleet.wait_for_robots(30.0, poll)
    fleet.lies = row.lies
    fleet.begin(seed)
    meter, dies_at = EpisodeMeter(fleet.scene), fleet.scene.decisions // 3
    for decision in range(fleet.scene.decisions):
        if row.dies and decision == dies_at:
            processes.kill(FAULTY)
        fleet.decide()
        meter.add(fleet.warehouse.infos())
    return meter.episode()


def measure(scene: SceneConfig, layout: Layout, bundle: Path, row: Row, seeds: range) -> list[Episode]:
    """Return the episodes of a row, played by real processes in lock-step."""
    endpoint, names = free_endpoint(), robot_names(scene.robots)
    options = ["--lock-step", "--robots", str(scene.robots)]
    with (
        transport.open_session(listen=endpoint) as session,
        FaultyFleet(scene, layout, session, timed=False, radio=row.radio) as fleet,
        RobotProcesses(bundle, names, endpoint, *options) as processes,
    ):
        return [play(fleet, processes, row, seed, lambda: None) for seed in seeds]


def line(name: str, scene: SceneConfig, episodes: list[Episode]) -> str:
    """Return the row of the table."""
    hours = len(episodes) * scene.robots * scene.time_limit / 3600
    rates = [sum(episode.totals[count] for episode in episodes) / hours for count in COUNTS]
    each = [episode.totals["deliveries"] * len(episodes) / hours for episode in episodes]
    margin = 1.96 * float(np.std(each, ddof=1)) / len(each) ** 0.5 if len(each) > 1 else float("nan")
    return f"| {name} | {rates[0]:.0f} ± {margin:.0f} | " + " | ".join(f"{rate:.2f}" for rate in rates[1:]) + " |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", default="small")
    parser.add_argument("--robots", type=int, default=4)
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1000, help="of the first episode")
    parser.add_argument("--rules", default="plans", choices=("plans", "claims"))
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    options = parser.parse_args()
    scene, layout = open_scene(options.scene, options.robots)
    scene = replace(scene, right_of_way=options.rules)
    print("| what goes wrong | deliveries | contacts with robots | with racks | deadlocks |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        bundle = always_go(scene, layout, Path(folder))
        for name in options.rows:
            seeds = range(options.seed, options.seed + options.episodes)
            print(line(name, scene, measure(scene, layout, bundle, ROWS[name], seeds)), flush=True)


if __name__ == "__main__":
    main()
