"""What a robot's process costs, and how fast it answers and stops: real processes on loopback, ten times a second.

Latency is from the sending of a robot's sensors to the arrival of its command, both at the base. The drive model is
`velocity`, so that the simulator leaves the processors to the robots; all share this machine. The time from a kill to
standstill is measured on `wheels`, for a robot that drives at more than 1 m/s.

    python -m benchmarks.robot [--bundle DIR] [--seconds 30] [--robots 1 4 8 16] [--kills 5]
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from rich.console import Console
from rich.table import Table

from export.fleet.processes import RobotProcesses, free_endpoint
from export.fleet.server import Fleet
from export.graphs.bundle_writer import write_bundle
from export.graphs.origin import Training, warehouse_metadata
from export.protocol import transport
from export.protocol.broadcasts import HEARD_BYTES
from export.protocol.messages import Wire
from policies.agent import AgentNetwork
from policies.config import AgentConfig
from sim.layout import load_layout
from sim.observation import MANEUVERS, observation_spec
from sim.scene import DriveModel, SceneConfig

SCENE = "depot"
STANDING = 0.02
"""Below this speed a robot stands [m/s]."""


def untrained_bundle(folder: Path) -> Path:
    """Write a bundle of the default network; what it has learned changes no time."""
    torch.manual_seed(0)
    scene, config = SceneConfig(layout=SCENE, robots=16), AgentConfig()
    agent = AgentNetwork(16, torch.from_numpy(observation_spec(scene.robot).scale), len(MANEUVERS), config)
    metadata = warehouse_metadata(scene, load_layout(SCENE).text(), config, Training("qmix", 0, 0))
    return write_bundle(agent, metadata, folder / "bundle", 16).path


@contextmanager
def running(bundle: Path, robots: int, drive: DriveModel) -> Iterator[tuple[Fleet, RobotProcesses, list[float]]]:
    """Yield a fleet in real time, its processes, and how long each took from its start to its connection [s]."""
    endpoint, layout = free_endpoint(), load_layout(SCENE)
    scene = SceneConfig(layout=SCENE, robots=robots, drive=drive)
    with (
        transport.open_session(listen=endpoint) as session,
        Fleet(scene, layout, session, timed=True) as fleet,
        RobotProcesses(bundle, [], endpoint, "--scene", SCENE) as processes,
    ):
        starts = []
        for base in fleet.bases:
            begin = time.monotonic()
            processes.start(base.name)
            while base.name not in fleet.connected():
                time.sleep(0.002)
            starts.append(time.monotonic() - begin)
        fleet.wait_for_robots(10)
        fleet.begin(0)
        yield fleet, processes, starts


@dataclass
class Cost:
    """What the processes of a fleet cost."""

    latencies: np.ndarray
    """[ms]"""
    cpu: float
    """Share of a core a robot."""
    resident: float
    """Largest resident memory of a robot [MB]."""
    own: float
    """Memory of its own, shared pages left out, the mean [MB]."""
    start: float
    """The longest start [s]."""
    missed: int
    """Control periods without an answer in time."""


def measure(bundle: Path, robots: int, seconds: float) -> Cost:
    """Return what a fleet that drives for some time costs."""
    with running(bundle, robots, "velocity") as (fleet, processes, starts):
        watched = [psutil.Process(process.pid) for process in processes.running.values()]
        for _ in range(10):
            fleet.decide()
        for base in fleet.bases:
            base.latencies.clear()
        silent = sum(base.reasons["silent"] for base in fleet.bases)
        used, begin = sum(sum(p.cpu_times()[:2]) for p in watched), time.monotonic()
        for _ in range(round(seconds / fleet.scene.decision_period)):
            fleet.decide()
        cpu = (sum(sum(p.cpu_times()[:2]) for p in watched) - used) / (time.monotonic() - begin) / robots
        latencies = np.concatenate([base.latencies for base in fleet.bases]) / 1e6
        memory = [p.memory_full_info() for p in watched]
        missed = sum(base.reasons["silent"] for base in fleet.bases) - silent
        return Cost(
            latencies, cpu, max(m.rss for m in memory) / 1e6, float(np.mean([m.uss for m in memory])) / 1e6,
            max(starts), missed,
        )  # fmt: skip


def kill_times(bundle: Path, kills: int) -> list[tuple[float, int, float]]:
    """Return for each kill the speed [m/s], the control periods until it brakes, and the time to standstill [s]."""
    with running(bundle, 1, "wheels") as (fleet, processes, _):
        (base,), speeds = fleet.bases, fleet.warehouse.velocities[:, 0]
        times: list[tuple[float, int, float]] = []
        while len(times) < kills:
            fleet.tick()
            if speeds[0] < 1.0:
                continue
            silent, speed, killed = base.reasons["silent"], float(speeds[0]), time.monotonic()
            processes.kill(base.name)
            periods = 0
            while abs(speeds[0]) > STANDING:
                fleet.tick()
                periods += base.reasons["silent"] == silent
            times.append((speed, periods + 1, time.monotonic() - killed))
            processes.start(base.name)
            while not base.present:
                fleet.tick()
        return times


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, help="from fleetmix export; by default an untrained network's")
    parser.add_argument("--seconds", type=float, default=30, help="of each measurement")
    parser.add_argument("--robots", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    wire = Wire(SceneConfig().robot, 0.1)
    table = Table(title=f"Robot processes at 10 Hz, {SCENE}, {options.seconds:g} s each")
    for column in (
        "robots", "latency p50", "p99", "max ms", "missed", "CPU a robot", "resident MB", "own MB", "start s",
    ):  # fmt: skip
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        bundle = options.bundle or untrained_bundle(Path(folder))
        for robots in options.robots:
            cost = measure(bundle, robots, options.seconds)
            p50, p99, worst = np.percentile(cost.latencies, [50, 99, 100])
            table.add_row(
                str(robots), f"{p50:.2f}", f"{p99:.2f}", f"{worst:.1f}", str(cost.missed), f"{cost.cpu:.2%}",
                f"{cost.resident:.0f}", f"{cost.own:.0f}", f"{cost.start:.2f}",
            )  # fmt: skip
        Console(width=120).print(table)
        rate = 10 * wire.sensors_size(0), 10 * wire.command_size
        print(f"a robot: {rate[0] / 1000:.2f} kB/s in, {rate[1] / 1000:.2f} kB/s out ({wire.sensors_size(0)} and "
              f"{wire.command_size} bytes ten times a second, without the transport's framing), "
              f"and {10 * HEARD_BYTES.itemsize / 1000:.1f} kB/s in for each robot that it hears")  # fmt: skip
        for speed, period, stood in kill_times(bundle, options.kills):
            print(f"killed at {speed:.2f} m/s: brakes in control period {period}, stands after {stood:.2f} s")


if __name__ == "__main__":
    main()
