"""A base for one robot: what stands between a robot's hardware and `fleetmix robot`, on about a screen.

`Robot` is what to replace by your own wheels, odometry, lidar and orders; here it drives on a map that it reads.
`RobotBase` keeps the rules of a base (docs/on-robot.md): a command counts once, in time, for the sensors sent last, or
else the robot brakes in the arc that it is on; emergency stops are latched. A real base has a safety scanner beside it.

    python examples/base.py --scene small & fleetmix robot --bundle bundle --id robot_0
"""

import argparse
import math
import secrets
import threading
import time

import numpy as np

from export.fleet.base import RobotBase
from export.protocol import transport
from export.protocol.messages import Sensors, Wire, map_hash
from export.protocol.stop_service import serve_stops
from sim.layout import Layout, load_layout
from sim.scene import RobotConfig
from sim.traffic.broadcast import RECORD_SIZE

PERIOD = 0.1  # between two sensor messages [s]
CONFIG = RobotConfig()  # must be that of the training: it is part of every message's schema
RAYS = np.arange(CONFIG.lidar_rays) * 2 * math.pi / CONFIG.lidar_rays
RANGES = np.arange(0.0, CONFIG.lidar_range, 0.02)


class Robot:
    """A disc on wheels that does what it is told, and carries orders from a pick cell to a station and so on."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.velocity, self.carrying = layout, (0.0, 0.0), False
        self.pose = (*layout.middle(layout.stations[0]), 0.0)
        self.goal = layout.middle(layout.picks[0])

    def scan(self) -> np.ndarray:
        """Return the ranges of the lidar [rays], m: the first ray ahead, counter-clockwise."""
        x, y, heading = self.pose
        columns = np.floor(x + np.outer(np.cos(heading + RAYS), RANGES)).astype(int)
        rows = np.floor(y + np.outer(np.sin(heading + RAYS), RANGES)).astype(int)
        walls = np.pad(self.layout.blocked, 5, constant_values=True)  # beyond the border too
        hit = walls[rows + 5, columns + 5]
        return np.where(hit.any(1), RANGES[hit.argmax(1)], CONFIG.lidar_range).astype(np.float32)

    def drive(self, wanted: tuple[float, float]) -> None:
        """Move for a control period, as far as the wheels' acceleration allows."""
        most = (CONFIG.max_acceleration * PERIOD, CONFIG.max_turn_acceleration * PERIOD)
        v, w = (now + max(-m, min(m, to - now)) for now, to, m in zip(self.velocity, wanted, most, strict=True))
        x, y, heading = self.pose
        middle = heading + w * PERIOD / 2
        self.velocity, heading = (v, w), heading + w * PERIOD
        self.pose = (x + v * math.cos(middle) * PERIOD, y + v * math.sin(middle) * PERIOD, heading)
        if math.dist(self.pose[:2], self.goal) < 0.35:
            print("delivered" if self.carrying else "picked", flush=True)
            self.carrying = not self.carrying
            cells = self.layout.stations if self.carrying else self.layout.picks
            self.goal = self.layout.middle(secrets.choice(cells))


def main() -> None:
    """Publish the sensors every control period and drive as the answers say, until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", default="small", help="the map")
    parser.add_argument("--id", default="robot_0", help="the robot's name")
    parser.add_argument("--listen", default=transport.DEFAULT_ENDPOINT, help="endpoint that the process connects to")
    options = parser.parse_args()
    layout, wire = load_layout(options.scene), Wire(CONFIG, PERIOD)
    robot, base, changed = Robot(layout), RobotBase(options.id, wire, timed=True), threading.Condition()

    def receive(data: bytes) -> None:
        with changed:
            base.receive(data)
            changed.notify()

    with (
        transport.open_session(listen=options.listen) as session,
        transport.subscribe(session, transport.command_key(base.name), receive),
        serve_stops(session, base.name, "base", base.latch),
    ):
        publish = transport.publisher(session, transport.sensors_key(base.name)).put
        sequence, start, state = 0, time.monotonic(), base.state
        print(f"{base.name} listens at {options.listen}", flush=True)
        while True:
            with changed:
                header = base.expect()
            nobody_else = np.zeros((0, RECORD_SIZE)), np.zeros(0)  # what other robots broadcast, and how long ago
            sensors = Sensors(
                header, map_hash(layout.text()), robot.pose, robot.velocity, robot.goal, robot.carrying,
                base.latch.tell(), base.process, scan := robot.scan(), *nobody_else,
            )  # fmt: skip
            publish(wire.pack_sensors(base.address, sensors))
            with changed:
                changed.wait_for(lambda: not base.waiting, PERIOD / 2)
                robot.drive(base.command(robot.velocity, scan))
            if base.state != state:
                state = base.state
                print(state, flush=True)
            sequence += 1
            time.sleep(max(0.0, start + sequence * PERIOD - time.monotonic()))


if __name__ == "__main__":
    main()
