"""`fleetmix fleet`: a simulated warehouse that runs on and on, for robots' processes that come and go."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from export.bundle.manifest import read_manifest
from export.fleet.onnx_policy import OnnxFleet
from export.fleet.server import Fleet
from export.protocol import transport
from policies.interrupt import Interrupt
from policies.results import EpisodeMeter
from sim.errors import require
from sim.layout import Layout
from sim.scene import DriveModel, SceneConfig, open_scene

_REPORT = 10.0
"""Time between two lines about how it goes [s]."""


@dataclass(frozen=True)
class Host:
    """The hall, its pace and its network."""

    scene: str = "small"
    """A shipped scene's name or a map file."""
    robots: int | None = None
    """How many; by default as many as the map asks for."""
    bundle: Path | None = None
    """Take scene, map and robot from a bundle in place of --scene: needed where its robot has other figures."""
    drive: DriveModel = "wheels"
    """Drive model: velocity, or wheels with motors, casters and friction."""
    listen: str = transport.DEFAULT_ENDPOINT
    """Endpoint that robots connect to; tcp/0.0.0.0:7447 is reachable from other machines."""
    zenoh: Path | None = None
    """Zenoh configuration file: TLS, user name, ..."""
    seed: int = 0
    """Of the starts and the orders."""
    minutes: float | None = None
    """Simulated time after which it ends; by default it goes on."""
    lock_step: bool = False
    """Wait for every answer, as fast as they come, in place of real time; robots need --lock-step too."""

    def __post_init__(self) -> None:
        valid = self.minutes is None or 0 < self.minutes < math.inf
        require(valid, "minutes", self.minutes, "a finite time above 0")
        require(self.seed >= 0, "seed", self.seed, "a whole number from 0 up")

    def resolve(self) -> tuple[SceneConfig, Layout]:
        """The scene and the map.

        Raises:
            InputError: there is no such scene or bundle, or a value is not valid.
        """
        if self.bundle is None:
            return open_scene(self.scene, self.robots, self.drive)
        robots = len(read_manifest(self.bundle).robots)
        scene, layout = OnnxFleet(self.bundle, 1).trained_in()
        return open_scene(scene, self.robots or robots, self.drive, layout)


def host_fleet(host: Host, say: Callable[[str], None]) -> None:
    """Hosts the warehouse until Ctrl-C, SIGTERM, or the time is over; says every few seconds how it goes.

    Raises:
        InputError: the settings are not valid, or the endpoint is taken.
    """
    scene, layout = host.resolve()
    with (
        Interrupt() as interrupt,
        transport.open_session(listen=host.listen, settings=host.zenoh) as session,
        Fleet(scene, layout, session, timed=not host.lock_step) as fleet,
    ):
        say(f"{layout.name}: {scene.robots} robots, drive {scene.drive}; robots connect to {host.listen}")
        fleet.begin(host.seed)
        meter = EpisodeMeter(scene)
        decisions, next_report = 0, time.monotonic() + _REPORT
        length = None if host.minutes is None else host.minutes * 60 / scene.decision_period
        while not interrupt.requested and (length is None or decisions < length):
            fleet.decide()
            meter.add(fleet.hall.infos())
            decisions += 1
            if time.monotonic() >= next_report:
                next_report += _REPORT
                say(status(fleet, meter, decisions))
        say(status(fleet, meter, decisions))


def status(fleet: Fleet, meter: EpisodeMeter, decisions: int) -> str:
    """How it goes, in a line."""
    episode = meter.episode()
    connected = sum(base.present for base in fleet.bases)
    stopped = [base.name for base in fleet.bases if base.latch.stopped]
    return (
        f"{decisions * fleet.scene.decision_period:,.0f} s: {connected} of {len(fleet.bases)} robots driven, "
        f"{episode.deliveries} deliveries, contacts {episode.robot_contacts} with robots and {episode.rack_contacts} "
        f"with racks, {episode.deadlocks} deadlocks"
        + (f", {fleet.slow_periods} slow periods" if fleet.slow_periods else "")
        + (f", emergency stop: {', '.join(stopped)}" if stopped else "")
    )
