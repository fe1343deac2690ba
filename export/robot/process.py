"""One robot's process: opens its bundle, connects to its base, and drives until it is told to end."""

import gc
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from export.bundle.manifest import Bundle, open_bundle
from export.protocol import transport
from export.protocol.broadcasts import robot_number
from export.protocol.framing import address
from export.protocol.messages import Sensors, Wire, map_hash
from export.protocol.stop_latch import StopLatch
from export.protocol.stop_service import serve_stops
from export.recorder.recorder import require_record_name
from export.robot.gate import Gate
from export.robot.inbox import SensorInbox
from export.robot.loop import Report, RobotLoop
from export.robot.model import RobotModel, open_robot_model
from export.robot.pilot import Pilot
from export.robot.report import Level, RobotLog, StateReport
from sim.interrupt import handle_end


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
    robots: int | None = None
    """How many robots share the map, which decides its path costs; by default as many as in the training."""
    trust: Path | None = None
    """Public key that must have signed the bundle."""
    log: Path | None = None
    """File for the log, besides stderr."""
    log_level: Level = "info"
    """Least serious lines that are logged."""
    log_json: bool = False
    """Log JSON, an object a line."""
    zenoh: Path | None = None
    """Zenoh configuration file."""
    record: Path | None = None
    """File (.mcap) for a recording of what the robot senses, decides and sends."""
    record_scans: bool = False
    """Record the lidar at every control period, too."""
    lock_step: bool = False
    """Let the clock count for nothing: the base waits for each command."""


def run_robot(settings: RobotSettings) -> None:
    """Drive one robot until SIGINT, SIGTERM or SIGHUP.

    Raises:
        InputError: the bundle, the endpoint or a file is not valid; no command was sent.
    """
    name = transport.require_name(settings.name)
    require_record_name(settings.record)
    bundle = open_bundle(settings.bundle, settings.trust)
    model = open_robot_model(bundle, settings.name, settings.scene, settings.robots)
    period = model.scene.control_period
    wire, me, timed = Wire(model.scene.robot, period), address(name), not settings.lock_step
    with ExitStack() as stack:
        log = RobotLog(name, settings.log, settings.log_level, settings.log_json)
        stack.callback(log.close)
        session = transport.open_session(connect=settings.connect, settings=settings.zenoh)
        stack.callback(session.close)
        inbox, latch = SensorInbox(wire, me, timed), StopLatch(name)
        transmit = transport.publisher(session, transport.command_key(name)).put
        gate = Gate(wire, me, model.scene.robot, period, latch, transmit)
        pilot = Pilot(model.policy, model.controller, model.scene, model.layout, robot_number(name))
        report, answered = _listeners(settings, bundle, model, pilot, gate, inbox, log, stack)
        loop = RobotLoop(pilot, inbox, latch, gate, period, timed, report, log.write, answered=answered)
        handle_end(lambda *_: loop.end())

        stack.enter_context(transport.subscribe(session, transport.sensors_key(name), inbox.receive))
        stack.enter_context(serve_stops(session, name, "process", latch, inbox.wake))
        stack.enter_context(session.liveliness().declare_token(transport.alive_key(name)))
        state = session.declare_publisher(transport.state_key(name))
        stack.callback(StateReport(name, loop, inbox, pilot.hearing, latch, gate, log, state.put).close)
        about = model.policy.metadata
        if name not in model.robots:
            log.write(
                f"{name} is none of the bundle's robots, {', '.join(model.robots)}; it runs the network they share"
            )
        log.write(
            f"{about.algorithm}, {about.training_steps:,} training steps, seed {about.seed}; "
            f"schema {wire.schema:016x}, map {map_hash(model.layout.text()):016x}; to {settings.connect}"
        )
        if danger := transport.danger("connect", settings.connect, settings.zenoh):
            log.write(danger)
        gc.freeze()  # what was loaded stays; collections need not look at it
        loop.run()


def _listeners(
    settings: RobotSettings,
    bundle: Bundle,
    model: RobotModel,
    pilot: Pilot,
    gate: Gate,
    inbox: SensorInbox,
    log: RobotLog,
    stack: ExitStack,
) -> tuple[Report, Callable[[Sensors], None]]:
    """Return who is told of stops and of answers: the log alone, or a recording too, which `stack` closes."""
    if settings.record is None:
        return log.report, lambda sensors: None
    from export.robot.recording import RobotRecording  # a robot that records nothing loads nothing of it

    scans = settings.record_scans
    recording = RobotRecording(settings.name, settings.record, scans, bundle, model, pilot, gate, inbox, log)
    stack.callback(recording.close)
    return recording.reported, recording.answered
