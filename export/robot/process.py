"""One robot's process: opens its bundle, connects to its base, and drives until it is told to end."""

import gc
import signal
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from export.bundle.manifest import open_bundle
from export.protocol import transport
from export.protocol.framing import address
from export.protocol.messages import Wire, map_hash
from export.protocol.stop_latch import StopLatch
from export.protocol.stop_service import serve_stops
from export.robot.gate import Gate
from export.robot.inbox import SensorInbox
from export.robot.loop import RobotLoop
from export.robot.pilot import Pilot
from export.robot.report import RobotLog, StateReport
from export.runtime import OnnxController, OnnxPolicy
from sim.errors import InputError
from sim.layout import Layout, load_layout, parse_layout
from sim.observation import MANEUVERS, observation_spec
from sim.scene import SceneConfig


@dataclass(frozen=True)
class RobotSettings:
    """What a robot's process is started with."""

    bundle: Path
    """Folder of the bundle."""
    name: str
    """Which robot this is."""
    connect: str
    """Endpoint of its base."""
    scene: str | None = None
    """The map, where it is another than that of the training: a name or a file."""
    trust: Path | None = None
    """Public key that must have signed the bundle."""
    log: Path | None = None
    """File for the log, besides stderr."""
    zenoh: Path | None = None
    """Zenoh configuration file."""
    lock_step: bool = False
    """Let the clock count for nothing: the base waits for each command."""


@dataclass(frozen=True)
class Brain:
    """What a robot takes from its bundle."""

    policy: OnnxPolicy
    controller: OnnxController
    scene: SceneConfig
    layout: Layout
    robots: tuple[str, ...]
    """Those that the bundle names."""


def open_brain(settings: RobotSettings) -> Brain:
    """Opens and checks everything in the bundle that this robot needs.

    Raises:
        InputError: anything in the bundle is not as it was written, or it is not this robot's.
    """
    bundle = open_bundle(settings.bundle, settings.trust)
    manifest = bundle.manifest
    file = manifest.robots.get(settings.name)
    if file is None and manifest.shared:
        file = next(iter(manifest.robots.values()))
    if file is None:
        raise InputError(f"robot {settings.name!r} is not in the bundle; valid are {', '.join(manifest.robots)}")
    policy = OnnxPolicy(settings.bundle / file, data=bundle.read(file))
    scene = policy.metadata.scene
    if scene is None or policy.metadata.layout is None or manifest.controller is None:
        raise InputError(f"bundle {str(settings.bundle)!r} was trained in another environment; valid is a warehouse's")
    controller = OnnxController(settings.bundle / manifest.controller, data=bundle.read(manifest.controller))
    if controller.spec != policy.spec or controller.actions != policy.actions or controller.metadata.scene != scene:
        raise InputError(f"bundle {str(settings.bundle)!r}: policy and controller are of different robots")
    _require_own_order(policy, scene, settings.bundle)
    layout = (
        parse_layout(policy.metadata.layout, scene.layout) if settings.scene is None else load_layout(settings.scene)
    )
    return Brain(policy, controller, scene, layout, tuple(manifest.robots))


def _require_own_order(policy: OnnxPolicy, scene: SceneConfig, bundle: Path) -> None:
    """The bundle must expect the numbers in the order in which this release packs them.

    Raises:
        InputError: names the first field that is another, or the maneuvers.
    """
    for found, own in zip_longest(policy.spec.fields, observation_spec(scene.robot).fields):
        if found is None or own is None or replace(found, meaning=own.meaning) != own:
            raise InputError(f"bundle {str(bundle)!r}: its observation has the field {found}; this release packs {own}")
    if policy.actions != MANEUVERS:
        raise InputError(f"bundle {str(bundle)!r}: its maneuvers are {policy.actions}; this release has {MANEUVERS}")


def run_robot(settings: RobotSettings) -> None:
    """Drives one robot until SIGINT or SIGTERM.

    Raises:
        InputError: the bundle, the endpoint or a file is not valid; no command was sent.
    """
    name = transport.require_name(settings.name)
    brain = open_brain(settings)
    period = brain.scene.control_period
    wire, me, timed = Wire(brain.scene.robot, period), address(name), not settings.lock_step
    with ExitStack() as stack:
        log = RobotLog(name, settings.log)
        stack.callback(log.close)
        session = transport.open_session(connect=settings.connect, settings=settings.zenoh)
        stack.callback(session.close)
        inbox, latch = SensorInbox(wire, me, timed), StopLatch(name)
        send = transport.publisher(session, transport.command_key(name)).put
        gate = Gate(wire, me, brain.scene.robot, period, latch, send)
        pilot = Pilot(brain.policy, brain.controller, brain.scene, brain.layout)
        loop = RobotLoop(pilot, inbox, latch, gate, period, timed, log.report)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: loop.end())

        stack.enter_context(transport.subscribe(session, transport.sensors_key(name), inbox.receive))
        stack.enter_context(serve_stops(session, name, "process", latch, inbox.wake))
        stack.enter_context(session.liveliness().declare_token(transport.alive_key(name)))
        state = session.declare_publisher(transport.state_key(name))
        stack.callback(StateReport(name, loop, inbox, latch, gate, log, state.put).close)
        about = brain.policy.metadata
        if name not in brain.robots:
            log.say(f"{name} is none of the bundle's robots, {', '.join(brain.robots)}; it runs the network they share")
        log.say(
            f"{about.algorithm}, {about.training_steps:,} training steps, seed {about.seed}; "
            f"schema {wire.schema:016x}, map {map_hash(brain.layout.text()):016x}; to {settings.connect}"
        )
        gc.freeze()  # what was loaded stays; collections need not look at it
        loop.run()
