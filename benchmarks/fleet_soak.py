"""A fleet under bad conditions for a long time: killed and paused processes, lost, doubled and delayed messages, stops.

What must hold all the time is checked all the time; the first thing that doesn't ends the run with its name.
"""

import os
import random
import signal
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Self

import psutil

from export.fleet.onnx_policy import OnnxFleet
from export.fleet.processes import RobotProcesses, free_endpoint
from export.fleet.server import Fleet
from export.protocol import transport
from export.protocol.ordering import STALE_AFTER
from export.protocol.stop_latch import draw_number, stop_message
from export.protocol.transport import Receive
from sim.scene import open_scene

HARDEST_CONTACT = 0.3
"""Closing speed at which two robots may at most touch [m/s]."""
WATCHED = ("robot_0", "robot_1")
"""Robots whose processes are never killed, so that their memory can be watched."""
_STANDS_AFTER = 1.0
"""A robot that nobody drives must stand after this time, which is ample for braking [s]."""


class SoakError(Exception):
    """Something that must hold did not."""


@dataclass(frozen=True)
class SoakConfig:
    """How long, how many, and how bad it gets."""

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
    lost: float = 0.02
    """Share of messages that are lost, in each direction."""
    doubled: float = 0.02
    """Share that come twice."""
    delayed: float = 0.02
    """Share that come 0.05 to 1 s late."""
    kill_every: float = 20.0
    """Mean time between two kills [s]; the first two robots are spared, see `WATCHED`."""
    pause_every: float = 10.0
    """Mean time between two pauses, of 0.2 to 3 s [s]."""
    stop_every: float = 60.0
    """Mean time between two emergency stops, of 1 to 5 s [s]."""
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
    """Memory of its own of each watched process in the first and the last fifth [MB]."""


class _Faults:
    """Loses, doubles and delays messages, as long as its context lasts."""

    def __init__(self, config: SoakConfig, events: Counter[str]) -> None:
        self._config, self._events = config, events
        self._random, self._lock = random.Random(config.seed), threading.Lock()
        self._ended, self._delivering = False, threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._delivering:  # what is under way arrives, what is not yet never does
            self._ended = True

    def _deliver(self, through: Receive, data: bytes) -> None:
        with self._delivering:
            if not self._ended:
                through(data)

    def tamper(self, through: Receive) -> Receive:
        def tampered(data: bytes) -> None:
            config = self._config
            with self._lock:
                drawn, delay = self._random.random(), self._random.uniform(0.05, 1.0)
                limits = (config.lost, config.lost + config.doubled, config.lost + config.doubled + config.delayed)
                kind = sum(drawn >= limit for limit in limits)
                if kind < 3:
                    self._events[("lost", "doubled", "delayed")[kind]] += 1
            if kind == 2:
                timer = threading.Timer(delay, self._deliver, (through, data))
                timer.daemon = True
                timer.start()
            for _ in range((0, 2, 0, 1)[kind]):
                through(data)

        return tampered


class Soak:
    """One run."""

    def __init__(self, config: SoakConfig) -> None:
        self._config, self.report = config, SoakReport()
        self._random = random.Random(config.seed + 1)
        self._later: list[tuple[float, Callable[[], object]]] = []
        self._silent: dict[str, float] = {}
        self._samples: dict[str, list[float]] = {}
        self._paused: set[str] = set()

    def run(self, say: Callable[[str], object] = lambda text: None) -> SoakReport:
        """Runs to the end; `say` is told how it goes, once a minute.

        Raises:
            SoakError: what must hold did not.
        """
        config = self._config
        trained, _ = OnnxFleet(config.bundle, 1).trained_in()
        opened, layout = open_scene(config.scene, config.robots)
        scene = replace(trained, layout=opened.layout, robots=opened.robots, drive="velocity")
        endpoint, names = free_endpoint(), [f"robot_{i}" for i in range(config.robots)]
        faults = _Faults(config, self.report.events)
        with (
            transport.open_session(listen=endpoint) as session,
            Fleet(scene, layout, session, True, faults.tamper) as fleet,
            RobotProcesses(config.bundle, names, endpoint, "--scene", config.scene) as processes,
            faults,
        ):
            fleet.wait_for_robots(60, processes.require_running)
            fleet.begin(config.seed)
            begin = time.monotonic()
            minute = 0
            while (passed := time.monotonic() - begin) < 60 * config.minutes:
                self._disturb(fleet, processes, scene.decision_period)
                fleet.decide()
                self._check(fleet, processes)
                if passed >= 60 * minute:
                    minute += 1
                    self._sum_up(fleet, passed)
                    say(f"{passed / 60:.0f} min: {self.report}")
            self._sum_up(fleet, passed)
        self._check_end(passed)
        return self.report

    def _disturb(self, fleet: Fleet, processes: RobotProcesses, period: float) -> None:
        config, chance, now = self._config, self._random, time.monotonic()
        due = [act for at, act in self._later if at <= now]
        self._later = [(at, act) for at, act in self._later if at > now]
        for act in due:
            act()
        name = f"robot_{chance.randrange(config.robots)}"
        if chance.random() < period / config.kill_every and name not in {*WATCHED, *self._paused}:
            self.report.events["killed"] += 1
            processes.kill(name)
            self._later.append((now + chance.uniform(0.5, 5.0), lambda: processes.start(name)))
            self._paused.add(name)
            self._later.append((now + 8.0, lambda: self._paused.discard(name)))
        elif chance.random() < period / config.pause_every and name not in self._paused:
            self.report.events["paused"] += 1
            pid = processes.running[name].pid
            os.kill(pid, signal.SIGSTOP)
            self._paused.add(name)
            self._later.append((now + chance.uniform(0.2, 3.0), lambda: self._resume(name, pid)))
        if chance.random() < period / config.stop_every:
            self.report.events["stopped"] += 1
            who, number = chance.choice(["all", name]), draw_number()
            self._to_all(fleet, stop_message(who, number))
            release = partial(self._to_all, fleet, stop_message(who, number, release=True))
            self._later.append((now + chance.uniform(1.0, 5.0), release))

    def _resume(self, name: str, pid: int) -> None:
        os.kill(pid, signal.SIGCONT)
        self._paused.discard(name)

    def _to_all(self, fleet: Fleet, message: bytes) -> None:
        for base in fleet.bases:
            base.latch.receive(message)

    def _check(self, fleet: Fleet, processes: RobotProcesses) -> None:
        now = time.monotonic()
        for base, (speed, turn_rate) in zip(fleet.bases, fleet.hall.velocities.tolist(), strict=True):
            if base.oldest > STALE_AFTER * 1e9:
                raise SoakError(f"{base.name} was moved by an answer to sensors {base.oldest / 1e9:.3f} s old")
            if base.present and not base.latch.stopped:
                self._silent.pop(base.name, None)
            since = self._silent.setdefault(base.name, now)
            if now - since > _STANDS_AFTER and (base.latch.stopped or not base.present) and abs(speed) > 0.02:
                raise SoakError(f"{base.name} goes {speed} m/s, {turn_rate} rad/s and nobody drives it")
        if fleet.contacts.worst > HARDEST_CONTACT:
            raise SoakError(f"robots touched at {fleet.contacts.worst:.2f} m/s; valid is {HARDEST_CONTACT}")
        if fleet.periods % 100 < fleet.scene.ticks:
            for name, pid in (
                ("fleet", os.getpid()), *((n, processes.running[n].pid) for n in WATCHED),
            ):  # fmt: skip
                self._samples.setdefault(name, []).append(psutil.Process(pid).memory_full_info().uss / 1e6)

    def _sum_up(self, fleet: Fleet, passed: float) -> None:
        report = self.report
        report.seconds, report.deliveries = passed, int(fleet.hall.deliveries.sum())
        report.reasons = sum((base.reasons for base in fleet.bases), Counter())
        report.dropped = sum((base.dropped for base in fleet.bases), Counter())
        report.contacts, report.hardest = fleet.contacts.count, fleet.contacts.worst
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
