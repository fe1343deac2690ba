"""Records what one robot senses, decides and sends, for when somebody asks why it did that.

Only a process that records loads this. The loop copies a few hundred bytes a control period; all else happens in a
process of its own (`export.recorder`), and never keeps the robot waiting: what can't be written is dropped.
"""

import hashlib
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bundle.manifest import Bundle
from export.protocol.messages import Reason, Sensors
from export.recorder.recorder import About, Recorder
from export.robot.gate import Gate
from export.robot.inbox import SensorInbox
from export.robot.model import RobotModel
from export.robot.pilot import Pilot
from export.robot.report import RobotLog


class RobotRecording:
    """The recording of one robot's process.

    Args:
        name: the robot's.
        file: where to; as in `Recorder`.
        scans: record the lidar at every control period.
        bundle: what it runs.
        model: the same, opened.
        pilot: what computes.
        gate: where commands go.
        inbox: where sensors arrive.
        log: told of every stop as without a recording, and what `Recorder` tells.
    """

    def __init__(
        self,
        name: str,
        file: Path,
        scans: bool,
        bundle: Bundle,
        model: RobotModel,
        pilot: Pilot,
        gate: Gate,
        inbox: SensorInbox,
        log: RobotLog,
    ) -> None:
        self._name, self._pilot, self._gate, self._inbox, self._log = name, pilot, gate, inbox, log
        about, actions = model.policy.metadata, model.policy.actions
        self._tick: dict[str, NDArray[Any]] = {
            "pose": np.zeros((1, 3)), "velocity": np.zeros((1, 2)), "command": np.zeros((1, 2)),
            "goal": np.zeros((1, 2)), "carrying": np.zeros(1, np.bool_),
        }  # fmt: skip
        if scans:
            self._tick["lidar"] = np.zeros((1, model.scene.robot.lidar_rays), np.float32)
        self._decision: dict[str, NDArray[Any]] = {
            "choice": np.zeros(1, np.int64), "goal": self._tick["goal"], "carrying": self._tick["carrying"],
            "observation": np.zeros((1, model.policy.spec.size), np.float32),
            "q_values": np.zeros((1, len(actions)), np.float32), "fresh": np.zeros(1, np.bool_),
        }  # fmt: skip
        self.recorder = Recorder(
            file,
            About(
                (name,), model.layout.text(), asdict(model.scene), actions, f"{about.algorithm.upper()}, ONNX",
                hashlib.sha256(bundle.manifest_bytes).hexdigest(),
            ),
            self._tick, self._decision, wait=False, log=log.write,
        )  # fmt: skip
        self._began, self._decided = time.monotonic(), 0
        self._reason: Reason | None = None
        self._goal: tuple[float, float] | None = None
        self._dropped: dict[str, int] = {}

    def _time(self) -> float:
        return time.monotonic() - self._began

    def answered(self, sensors: Sensors) -> None:
        """Record the sensors and what was sent for them."""
        now, pilot, tick = self._time(), self._pilot, self._tick
        tick["pose"][0], tick["velocity"][0], tick["command"][0] = sensors.pose, sensors.velocity, self._gate.command
        tick["goal"][0], tick["carrying"][0] = sensors.goal, sensors.carrying
        if "lidar" in tick:
            tick["lidar"][0] = sensors.lidar
        considered = pilot.considered
        if considered is not None and considered.number != self._decided:
            self._decided = considered.number
            own = self._decision
            own["choice"][0], own["fresh"][0] = considered.maneuver, considered.fresh
            own["observation"][0], own["q_values"][0] = considered.observation, considered.q_values
            self.recorder.decide(now, own)
        if sensors.goal != self._goal and self._gate.reason is Reason.NONE:  # else it may be on no map
            self._goal = sensors.goal
            self.recorder.plan(now, self._name, pilot.way(sensors))
        self.recorder.tick(now, tick)
        dropped = {name: count for name, count in self._inbox.dropped.copy().items() if count}
        if dropped != self._dropped:
            new = {name: count - self._dropped.get(name, 0) for name, count in dropped.items()}
            self._dropped = dropped
            detail = ", ".join(f"{count} {name}" for name, count in new.items() if count)
            self.recorder.event(now, "dropped", self._name, detail)

    def reported(self, reason: Reason, detail: str) -> None:
        """Record that the robot drives, or why it stops, where that is new; tell the log too."""
        self._log.report(reason, detail)
        if reason is self._reason:
            return
        self._reason = reason
        if reason is Reason.NONE:
            self.recorder.event(self._time(), "drives", self._name)
        else:
            self.recorder.event(self._time(), "stops", self._name, f"{reason.name.lower()}: {detail}")

    def close(self) -> None:
        """End the recording; wait for a disk no longer than two seconds."""
        self.recorder.close(2.0)
