"""What right of way costs, and what a bad radio costs it, in simulation: throughput, contacts, deadlocks, time.

All robots always go on. One robot dies in an aisle, has no radio, or lies: it tells that it has claimed its cells since
ever, with the highest priority, and every other time what can't be. The faulty robot counts with the others.

    python -m benchmarks.traffic [--scene depot] [--robots 16] [--episodes 20] [--seed 3000] [--rows NAME ...]
    python -m benchmarks.traffic --large        64 robots in a hall of 60 x 40 m, episodes of 10 minutes
"""

import argparse
import time
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.contact_meter import ContactMeter
from policies.episode import EpisodeMeter
from sim.controller import control_all, controller_offsets
from sim.layout import Layout, parse_layout
from sim.limits import pack_limits
from sim.observation import MANEUVERS, observation_spec
from sim.scene import SceneConfig, open_scene
from sim.traffic.broadcast import MOST_CLAIMS, MOST_PRIORITY, RECORD
from sim.traffic.fleet import Traffic
from sim.warehouse import Warehouse

DIES_AFTER = 10.0
"""The robot that dies does so in the first aisle that it is in after this time [s]."""


@dataclass(frozen=True)
class Row:
    """What goes wrong."""

    loss: float = 0.0
    delay: float = 0.0
    fault: str = ""


ROWS = {
    "nothing": Row(),
    "5% lost": Row(0.05),
    "20% lost": Row(0.2),
    "up to 0.3 s late": Row(0.0, 0.3),
    "20% lost, up to 0.3 s late": Row(0.2, 0.3),
    "one dies in an aisle": Row(fault="dies"),
    "one without radio": Row(fault="mute"),
    "one lies": Row(fault="lies"),
}


def lie(traffic: Traffic, period: int) -> None:
    """Let robot 0 tell what is not so."""
    record = traffic.records[0]
    record[RECORD.priority] = np.inf if period % 2 else MOST_PRIORITY
    record[RECORD.claimed_at : RECORD.claimed_at + MOST_CLAIMS] = 0.0


def large_hall() -> Layout:
    """Return a warehouse of 60 x 40 m: racks of 4 x 1 cells between aisles, stations below."""
    rows = ["." * 60 for _ in range(40)]
    for row in range(3, 37, 2):
        rows[row] = ("." * 2 + "####.####." * 6)[:60]
    rows[39] = ("S" + "." * 5) * 10
    return parse_layout("\n".join(rows) + "\n", "hall")


def play(warehouse: Warehouse, row: Row, seed: int, contacts: ContactMeter) -> tuple[dict[str, float], float]:
    """Return what an episode brought, and the processor time of right of way a robot and control period [us]."""
    scene = warehouse.scene
    offsets = controller_offsets(observation_spec(scene.robot))
    limits = pack_limits(scene.robot, scene.control_period)
    go, commands = np.full(scene.robots, MANEUVERS.index("go")), np.zeros((scene.robots, 2))
    warehouse.reset(seed)
    traffic, meter, dead = warehouse.sensors.traffic, EpisodeMeter(scene), False
    assert traffic is not None
    traffic.radio.mute[0] = row.fault == "mute"
    sides = np.isfinite(warehouse.layout.costs).sum(axis=1)
    for period in range(scene.decisions * scene.ticks):
        if period % scene.ticks == 0:
            warehouse.begin_decision()
        if row.fault == "lies":
            lie(traffic, period)
        cell = int(warehouse.poses[0, 1]) * warehouse.layout.columns + int(warehouse.poses[0, 0])
        if row.fault == "dies" and period * scene.control_period > DIES_AFTER and sides[cell] == 2:
            dead = traffic.radio.mute[0] = True
        control_all(go, warehouse.sensors.observations, offsets, limits, commands)
        if dead:
            commands[0] = 0.0
        contacts.before(warehouse.poses, warehouse.velocities)
        warehouse.tick(commands)
        contacts.after(warehouse.poses, warehouse.touching_robot)
        if period % scene.ticks == scene.ticks - 1:
            warehouse.end_decision()
            meter.add(warehouse.infos())
    return meter.episode().totals, 1e6 * float(np.mean(traffic.took)) / scene.robots


def line(name: str, row: Row, scene: SceneConfig, layout: Layout, seeds: range) -> str:
    """Return the row of the table."""
    scene = replace(scene, radio_loss=row.loss, radio_delay=row.delay)
    warehouse, contacts = Warehouse(scene, layout), ContactMeter(scene.control_period)
    started = time.perf_counter()
    played = [play(warehouse, row, seed, contacts) for seed in seeds]
    speed = len(seeds) * scene.time_limit / (time.perf_counter() - started)
    warehouse.close()
    hours = len(seeds) * scene.robots * scene.time_limit / 3600
    sums = [sum(totals[key] for totals, _ in played) for key in ("deliveries", "rack_contacts", "deadlocks")]
    microseconds = float(np.mean([took for _, took in played]))
    return (
        f"| {name} | {sums[0] / hours:.0f} | {contacts.count / hours:.2f} | {contacts.worst:.2f} | "
        f"{sums[1] / hours:.2f} | {sums[2]:.0f} | {hours:.0f} | {microseconds:.0f} | {speed:.0f} |"
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", default="depot")
    parser.add_argument("--robots", type=int, default=16)
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=3000, help="of the first episode")
    parser.add_argument("--rules", default="plans", choices=("plans", "claims"))
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    settings = SceneConfig(options.scene, options.robots, right_of_way=options.rules)
    if options.large:
        settings = replace(settings, robots=64, time_limit=600.0)
        scene, layout = open_scene(settings, layout=large_hall())
    else:
        scene, layout = open_scene(settings)
    seeds = range(options.seed, options.seed + options.episodes)
    print(
        "| what goes wrong | deliveries a robot-hour | robot contacts a robot-hour | worst [m/s] | rack contacts "
        "a robot-hour | deadlocks | robot-hours | us a robot and period | times real time |\n" + "|---" * 9 + "|"
    )
    for name in options.rows:
        print(line(name, ROWS[name], scene, layout, seeds), flush=True)


if __name__ == "__main__":
    main()
