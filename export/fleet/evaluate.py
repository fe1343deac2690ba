"""Evaluates a bundle with every robot in a process of its own, so that what is measured is what runs on robots."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from export.fleet.config import SOUND, RadioConfig
from export.fleet.processes import RobotProcesses, free_endpoint
from export.fleet.server import Fleet
from export.protocol import transport
from policies.episode import Episode
from sim.interrupt import Interrupt
from sim.layout import Layout
from sim.scene import SceneConfig, robot_names

_CONNECT_TIMEOUT = 30.0
"""How long processes may take to start and connect [s]."""


def evaluate_processes(
    bundle: Path,
    scene: SceneConfig,
    layout: Layout,
    other_map: str | None,
    seeds: Iterable[int],
    lock_step: bool,
    radio: RadioConfig = SOUND,
    look_on: Callable[[Fleet], AbstractContextManager[object]] = nullcontext,
) -> list[Episode]:
    """Play episodes in which every robot's commands come from its own process.

    Args:
        bundle: the bundle that each process opens.
        scene: the fleet and the drive model.
        layout: its map.
        other_map: name or file of the map, where it is another than that of the training.
        seeds: of the episodes.
        lock_step: wait for every answer, as fast as they come; otherwise in real time.
        radio: what goes wrong by radio.
        look_on: looks on at the fleet while it is driven, such as a recording.

    Raises:
        InputError: a process refuses its bundle, does not connect, or ends.
        KeyboardInterrupt: Ctrl-C or SIGTERM; nothing is left running.
    """
    endpoint = free_endpoint()
    options = [
        "--robots",
        str(scene.robots),
        *(["--lock-step"] if lock_step else []),
        *(["--scene", other_map] if other_map else []),
    ]
    names = robot_names(scene.robots)
    with (
        Interrupt() as interrupt,
        transport.open_session(listen=endpoint) as session,
        Fleet(scene, layout, session, not lock_step, radio) as fleet,
        RobotProcesses(bundle, names, endpoint, *options) as processes,
        look_on(fleet),
    ):

        def poll() -> None:
            interrupt.check()
            processes.require_running()

        fleet.wait_for_robots(_CONNECT_TIMEOUT, poll)
        return [fleet.run_episode(seed, poll) for seed in seeds]
