"""A simulated warehouse and a real process for every robot in it, on a transport."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from export.fleet.processes import RobotProcesses, free_endpoint
from export.fleet.server import Fleet
from export.protocol import transport
from sim.layout import load_layout
from sim.scene import DriveModel, robot_names
from tests.export.conftest import SCENE

LAYOUT = load_layout(SCENE.layout)


@contextmanager
def running(
    bundle: Path, drive: DriveModel = "velocity", timed: bool = True, seconds: float = 20.0
) -> Iterator[tuple[Fleet, RobotProcesses]]:
    """A fleet and its processes, all connected."""
    endpoint = free_endpoint()
    scene = replace(SCENE, drive=drive, time_limit=seconds)
    names = robot_names(scene.robots)
    with (
        transport.open_session(listen=endpoint) as session,
        Fleet(scene, LAYOUT, session, timed) as fleet,
        RobotProcesses(bundle, names, endpoint, *([] if timed else ["--lock-step"])) as processes,
    ):
        fleet.wait_for_robots(30, processes.require_running)
        fleet.begin(3)
        yield fleet, processes


def decide_until(fleet: Fleet, condition, seconds: float = 10.0) -> int:
    """Lets decisions pass until the condition holds; returns how many."""
    for passed in range(round(seconds / fleet.scene.decision_period)):
        if condition():
            return passed
        fleet.decide()
    raise AssertionError("it never came true")
