"""Throws broken input at everything that reads what comes from outside a robot, and checks that it only ever refuses.

Inputs are valid ones with a few bytes changed, cut, doubled or put elsewhere; of messages, every other one gets a
checksum that fits again, so that the checks behind the checksum are met too. `moved` counts inputs that led to a
command for the wheels without being a whole, valid message: there must be none.

    python -m benchmarks.fuzz [--inputs 1000000] [--seed 0] [--target messages manifest metadata onnx]
"""

import argparse
import math
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from export.bundle.files import MANIFEST
from export.bundle.manifest import parse_manifest
from export.bundle.metadata import read_metadata
from export.bundle.onnx_file import check_onnx_bytes
from export.fleet.base import RobotBase
from export.graphs.bundle_writer import write_bundle
from export.graphs.origin import Training, warehouse_metadata
from export.protocol.framing import Header, address
from export.protocol.messages import NO_STOP, Command, Mode, Reason, Sensors, Wire, map_hash
from export.protocol.stop_latch import StopLatch, draw_number, stop_message
from export.robot.gate import Gate
from export.robot.hearing import Hearing
from export.robot.inbox import SensorInbox
from export.robot.pilot import Decision, RefusedError, require_valid
from policies.agent import AgentNetwork
from policies.config import AgentConfig
from sim.errors import InputError
from sim.layout import load_layout
from sim.observation import MANEUVERS, observation_spec
from sim.scene import SceneConfig
from sim.traffic.broadcast import RECORD, RECORD_SIZE, Fault, fault_of

SCENE = SceneConfig(layout="crossing", robots=2)
LAYOUT = load_layout(SCENE.layout)
Target = Callable[[bytes], str]


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Return the input with one to four changes."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        kind, at = rng.integers(6), int(rng.integers(len(out) + 1))
        if kind <= 2 and at < len(out):
            out[at] = out[at] ^ (1 << int(rng.integers(8))) if kind else int(rng.integers(256))
        elif kind == 3:
            del out[at : at + int(rng.integers(1, 9))]
        elif kind == 4:
            out[at:at] = out[at : at + int(rng.integers(1, 17))] or b"\xff"
        elif at + 8 <= len(out):
            out[at : at + 8] = struct.pack("<d", (math.nan, math.inf, -0.0, 1e308, -1.0)[int(rng.integers(5))])
    return bytes(out)


def reseal(data: bytes) -> bytes:
    """Return the message with the checksum that fits what it says now."""
    return data[:4] + struct.pack("<I", zlib.crc32(data[8:])) + data[8:]


def standing(cell: int, number: int) -> NDArray[np.float64]:
    """Return the broadcast of a robot that stands in the middle of a cell."""
    record = np.zeros(RECORD_SIZE)
    record[RECORD.x], record[RECORD.y] = record[RECORD.waypoint_x], record[RECORD.waypoint_y] = LAYOUT.middle(cell)
    record[RECORD.name], record[RECORD.wanted] = number, -1.0
    record[RECORD.claim_count], record[RECORD.claims] = 1.0, cell
    return record


class Messages:
    """A robot's inbox, gate and latch, and a base: sensors, commands and stops, in turn."""

    def __init__(self) -> None:
        name, robot = "robot_0", SCENE.robot
        self._me, self._wire = address(name), Wire(robot, SCENE.control_period)
        self._sent: list[bytes] = []
        self._name, self._stopping = name, draw_number()
        self._gate = Gate(self._wire, self._me, robot, SCENE.control_period, StopLatch(name), self._sent.append)
        header = Header(7, 0, 1000)
        lidar = np.full(robot.lidar_rays, 2.0, np.float32)
        start, goal = LAYOUT.middle(LAYOUT.stations[0]), LAYOUT.middle(LAYOUT.picks[0])
        sensors = Sensors(
            header,
            map_hash(LAYOUT.text()),
            (*start, 0.5),
            (0.1, 0.0),
            goal,
            False,
            NO_STOP,
            9,
            lidar,
            np.array([standing(LAYOUT.picks[k], k) for k in (1, 2)]),
            np.full(2, 0.1),
        )
        told = standing(LAYOUT.stations[0], 0)
        command = Command(Header(9, 1, 5), header, 0.2, 0.1, told, Mode.DRIVE, Reason.NONE, 1, NO_STOP)
        self._hearing = Hearing(robot, LAYOUT.blocked, 0.0, claims=True)
        self.seeds = [
            self._wire.pack_sensors(self._me, sensors),
            self._wire.pack_command(self._me, command),
            stop_message(name, self._stopping, release=True),
        ]
        self._clear = np.full(robot.lidar_rays, robot.lidar_range, np.float32)
        self._count = 0

    def __call__(self, data: bytes) -> str:
        """Try one input, with a fitting checksum every other time; return what became of it."""
        kind, sealed = self._count % 3, self._count % 6 >= 3
        self._count += 1
        if sealed and len(data) > 8:
            data = reseal(data)
        if data == self.seeds[kind]:
            return "unchanged"
        return (self._sensors, self._command, self._stop)[kind](data, sealed)

    def _sensors(self, data: bytes, sealed: bool) -> str:
        inbox = SensorInbox(self._wire, self._me, timed=False)
        inbox.receive(data)
        received = inbox.take(0)
        if received is None:
            return "refused"
        try:
            require_valid(received.sensors, SCENE.robot, LAYOUT)
            believed = self._hearing.listen(received.sensors).records
            decision = Decision(0.1, 0.0, standing(LAYOUT.stations[0], 0), 1)
            self._gate.send(received.sensors, decision, received.fresh_until)
        except RefusedError:
            return "stopped"
        command = self._wire.read_command(self._sent.pop(), self._me)
        fits = abs(command.speed) <= SCENE.robot.max_speed and abs(command.turn_rate) <= SCENE.robot.max_turn_rate
        fits &= all(fault_of(record, LAYOUT.blocked) == Fault.NONE for record in believed)
        return "valid again" if sealed and fits else "moved"

    def _command(self, data: bytes, sealed: bool) -> str:
        base = RobotBase(self._name, self._wire, timed=False, now=lambda: 1000)
        base.begin(7)
        base.expect()
        base.receive(data)
        if base.command((0.0, 0.0), self._clear) == (0.0, 0.0):
            return "refused"
        return "valid again" if sealed else "moved"

    def _stop(self, data: bytes, sealed: bool) -> str:
        latch = StopLatch(self._name)
        latch.receive(stop_message(self._name, self._stopping), releases=True)
        if not latch.receive(data, releases=True):
            return "refused"
        return "valid again" if sealed or latch.stopped else "moved"


def refusing(read: Callable[[bytes], object]) -> Target:
    """Return a reader whose only answers are a result and InputError."""

    def target(data: bytes) -> str:
        try:
            read(data)
        except InputError as error:
            return "refused" if "\n" not in str(error) else "refused in more than one line"
        return "read"

    return target


def targets(folder: Path) -> dict[str, tuple[Target, list[bytes]]]:
    """Return what is fuzzed, and the valid inputs that are broken."""
    torch.manual_seed(0)
    config = AgentConfig("gru", hidden=16)
    agent = AgentNetwork(2, torch.from_numpy(observation_spec(SCENE.robot).scale), len(MANEUVERS), config)
    metadata = warehouse_metadata(SCENE, LAYOUT.text(), config, Training("qmix", 1, 2))
    write_bundle(agent, metadata, folder / "bundle", 2)
    messages = Messages()
    manifest = (folder / "bundle" / MANIFEST).read_bytes()
    model = (folder / "bundle" / "robot_0.onnx").read_bytes()
    return {
        "messages": (messages, messages.seeds),
        "manifest": (refusing(lambda data: parse_manifest(data, "manifest")), [manifest]),
        "metadata": (refusing(lambda data: read_metadata(data.decode(errors="replace"), "file")), [
            metadata.to_json().encode()
        ]),
        "onnx": (refusing(lambda data: check_onnx_bytes(data, "file")), [model]),
    }  # fmt: skip


def main() -> None:
    """Print what became of the inputs; exit code 1 if one moved a robot. Anything else than a refusal ends it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", nargs="+", default=["messages", "manifest"])
    options = parser.parse_args()
    moved = 0
    with TemporaryDirectory() as folder:
        for name, (target, seeds) in targets(Path(folder)).items():
            if name not in options.target:
                continue
            rng, outcomes, begin = np.random.default_rng(options.seed), Counter[str](), time.perf_counter()
            for i in range(options.inputs):
                outcomes[target(mutate(seeds[i % len(seeds)], rng))] += 1
            rate = options.inputs / (time.perf_counter() - begin)
            print(f"{name}: {options.inputs:,} inputs, {rate:,.0f}/s: {dict(outcomes)}", flush=True)
            moved += outcomes["moved"]
    sys.exit(1 if moved else 0)


if __name__ == "__main__":
    main()
