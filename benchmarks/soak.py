"""A fleet under bad conditions for a long time: killed and paused processes, lost, doubled and delayed messages, stops.

What must hold all the time is checked all the time; the first thing that doesn't ends the run with its name.

    python -m benchmarks.soak --bundle DIR [--minutes 30] [--robots 8] [--scene depot] [--seed 0]
"""

import argparse
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from benchmarks.contact_meter import ContactMeter
from benchmarks.faults import Disturbances, FaultConfig, MessageFaults
from export.fleet.onnx_policy import OnnxFleetPolicy
from export.fleet.processes import RobotProcesses, free_endpoint
from export.fleet.server import Fleet
from export.protocol import transport
from export.protocol.ordering import STALE_AFTER
from sim.scene import open_scene, robot_names

HARDEST_CONTACT = 0.3
"""Closing speed at which two robots may at most touch [m/s]."""
SPARED = ("robot_0", "robot_1")
"""Robots whose processes are never killed, so that the growth of their memory can be measured."""
_STANDS_AFTER = 1.0
"""A robot that nobody commands must stand after this time, which is ample for braking [s]."""


class SoakError(Exception):
    """Something that must hold did not."""


@dataclass(frozen=True)
class SoakConfig:
    """How long, how many, how bad it gets, and what must hold."""

    bundle: Path
    """The bundle that every robot runs."""
    minutes: float = 30.0
    """Length [min]."""
    robots: int = 8
    """How many."""
    scene: str = "depot"
    """The map."""
    seed: int = 0
    """Of everything that is drawn."""
    faults: FaultConfig = field(default_factory=FaultConfig)
    """What goes wrong."""
    growth: float = 8.0
    """By how much the memory of a process may grow from the first to the last fifth [MB]."""
    deliveries: float = 1.0
    """How many there must be at least, of the whole fleet [1/min]."""


@dataclass
class SoakReport:
    """What happened."""

    events: Counter[str] = field(default_factory=Counter)
    """Kills, pauses, stops; lost, doubled and delayed messages."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Control periods in which a robot braked, by the reason."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Commands that the bases did not obey, by reason."""
    seconds: float = 0.0
    """Length [s]."""
    deliveries: int = 0
    contacts: int = 0
    """Robots whose contact with a robot began."""
    hardest: float = 0.0
    """Largest closing speed of a contact [m/s]."""
    oldest: float = 0.0
    """Age of the oldest sensors whose answer moved a robot [s]."""
    slow_periods: int = 0
    """Control periods in which the simulator itself was late."""
    memory: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Memory of the fleet's own process and of those spared, in the first and the last fifth [MB]."""


class Soak:
    """One run."""

    def __init__(self, config: SoakConfig) -> None:
        self._config, self.report = config, SoakReport()
        self._uncommanded: dict[str, float] = {}  # since when
        self._samples: dict[str, list[float]] = {}

    def run(self, log: Callable[[str], object] = lambda line: None) -> SoakReport:
        """Run to the end; `log` is called with the state of affairs once a minute.

        Raises:
            SoakError: what must hold did not.
        """
        config = self._config
        trained, _ = OnnxFleetPolicy(config.bundle, 1).trained_in()
        opened, layout = open_scene(config.scene, config.robots)
        scene = replace(trained, layout=opened.layout, robots=opened.robots, drive="velocity")
        endpoint, names = free_endpoint(), robot_names(config.robots)
        faults = MessageFaults(config.faults, config.seed, self.report.events)
        disturbances = Disturbances(config.faults, config.seed + 1, self.report.events, SPARED)
        contacts = ContactMeter(scene.control_period)
        with (
            transport.open_session(listen=endpoint) as session,
            Fleet(scene, layout, faults.session(session), timed=True) as fleet,
            RobotProcesses(config.bundle, names, endpoint, "--scene", config.scene) as processes,
            faults,
        ):
            fleet.wait_for_robots(60, processes.require_running)
            fleet.begin(config.seed)
            begin = time.monotonic()
            minute = 0
            while (passed := time.monotonic() - begin) < 60 * config.minutes:
                disturbances.act(fleet, processes)
                decide(fleet, contacts)
                self._check(fleet, contacts)
                self._sample_memory(fleet, processes)
                if passed >= 60 * minute:
                    minute += 1
                    self._sum_up(fleet, contacts, passed)
                    log(f"{passed / 60:.0f} min: {self.report}")
            self._sum_up(fleet, contacts, passed)
        self._check_end(passed)
        return self.report

    def _check(self, fleet: Fleet, contacts: ContactMeter) -> None:
        now = time.monotonic()
        for base, (speed, turn_rate) in zip(fleet.bases, fleet.warehouse.velocities.tolist(), strict=True):
            if base.oldest > STALE_AFTER * 1e9:
                raise SoakError(f"{base.name} was moved by an answer to sensors {base.oldest / 1e9:.3f} s old")
            if base.present and not base.latch.stopped:
                self._uncommanded.pop(base.name, None)
                continue
            since = self._uncommanded.setdefault(base.name, now)
            if now - since > _STANDS_AFTER and abs(speed) > 0.02:
                raise SoakError(f"{base.name} goes {speed} m/s, {turn_rate} rad/s and nobody commands it")
        if contacts.worst > HARDEST_CONTACT:
            raise SoakError(f"robots touched at {contacts.worst:.2f} m/s; valid is {HARDEST_CONTACT}")

    def _sample_memory(self, fleet: Fleet, processes: RobotProcesses) -> None:
        if fleet.periods % 100 >= fleet.scene.ticks:
            return
        for name, pid in (("fleet", os.getpid()), *((name, processes.running[name].pid) for name in SPARED)):
            self._samples.setdefault(name, []).append(psutil.Process(pid).memory_full_info().uss / 1e6)

    def _sum_up(self, fleet: Fleet, contacts: ContactMeter, passed: float) -> None:
        report = self.report
        report.seconds, report.deliveries = passed, int(fleet.warehouse.events["deliveries"].sum())
        report.reasons = sum((base.reasons for base in fleet.bases), Counter())
        report.dropped = sum((base.dropped for base in fleet.bases), Counter())
        report.contacts, report.hardest = contacts.count, contacts.worst
        report.oldest = max(base.oldest for base in fleet.bases) / 1e9
        report.slow_periods = fleet.slow_periods
        for name, samples in self._samples.items():
            fifth = max(1, len(samples) // 5)
            report.memory[name] = statistics.median(samples[:fifth]), statistics.median(samples[-fifth:])

    def _check_end(self, passed: float) -> None:
        for name, (first, last) in self.report.memory.items():
            if last - first > self._config.growth:
                raise SoakError(f"the memory of {name} grew from {first:.1f} to {last:.1f} MB")
        least = self._config.deliveries * passed / 60
        if self.report.deliveries < least:
            raise SoakError(f"{self.report.deliveries} deliveries in {passed:.0f} s; valid is at least {least:.1f}")


def decide(fleet: Fleet, contacts: ContactMeter) -> None:
    """Let one decision period pass, as `Fleet.decide`, and measure the contacts in it."""
    warehouse = fleet.warehouse
    warehouse.begin_decision()
    for _ in range(fleet.scene.ticks):
        contacts.before(warehouse.poses, warehouse.velocities)
        fleet.tick()
        contacts.after(warehouse.poses, warehouse.touching_robot)
    warehouse.end_decision()


def main() -> None:
    """Run it and print a summary; exit code 1 if something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="from fleetmix export")
    parser.add_argument("--minutes", type=float, default=SoakConfig.minutes)
    parser.add_argument("--robots", type=int, default=SoakConfig.robots)
    parser.add_argument("--scene", default=SoakConfig.scene)
    parser.add_argument("--seed", type=int, default=SoakConfig.seed)
    soak = Soak(SoakConfig(**vars(parser.parse_args())))
    try:
        soak.run(lambda line: print(line, flush=True))
    except SoakError as error:
        sys.exit(f"did not hold after {soak.report.seconds:.0f} s: {error}\n{soak.report}")
    report = soak.report
    print(f"held for {report.seconds / 60:.1f} min: {report.deliveries} deliveries")
    for name in ("events", "reasons", "dropped", "memory"):
        print(f"{name}: {dict(getattr(report, name))}")
    print(f"contacts {report.contacts}, hardest {report.hardest:.2f} m/s; oldest sensors obeyed {report.oldest:.3f} s")
    print(f"periods in which the simulator was late: {report.slow_periods}")


if __name__ == "__main__":
    main()
