"""Records what happens in a simulated warehouse: looks on (`sim.warehouse.Watch`) and tells the flight recorder.

Times are simulated time since the recording began; episodes follow each other.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from export.fleet.base import RobotBase
from export.fleet.server import Fleet
from export.recorder.recorder import About, Recorder
from sim.controller import controller_offsets, track_all
from sim.limits import pack_limits
from sim.observation import MANEUVERS, observation_spec
from sim.scene import robot_names
from sim.travel import TRAVEL
from sim.warehouse import Warehouse
from sim.waypoint import way_to_goal

QValues = Callable[[], NDArray[np.float32]]
"""Values of each robot's maneuvers in the last decision [robots, maneuvers]."""


def record_fleet(
    fleet: Fleet, file: Path | None, policy: str, log: Callable[[str], None], scans: bool = False
) -> AbstractContextManager[object]:
    """Return a recording of robots' processes as their bases see them, or nothing without a file."""
    if file is None:
        return nullcontext()
    return FleetRecording(fleet.warehouse, file, policy, log, bases=fleet.bases, scans=scans, wait=not fleet.timed)


class FleetRecording:
    """A recording of everything that a simulated warehouse knows; it looks on until it is closed.

    Args:
        warehouse: which.
        file: where to; as in `Recorder`.
        policy: name of who chooses the maneuvers.
        log: as in `Recorder`.
        bundle: SHA-256 of the manifest of the bundle that chooses, if one does.
        q_values: tells the values behind the maneuvers, where a network chooses them in this process.
        bases: the robots' bases, where processes choose: then what they do is recorded, too.
        planned: a planner drives, which chooses no maneuvers.
        scans: record the lidar at every control period.
        wait: as in `Recorder`.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        file: Path,
        policy: str,
        log: Callable[[str], None],
        bundle: str = "",
        q_values: QValues | None = None,
        bases: Sequence[RobotBase] = (),
        planned: bool = False,
        scans: bool = False,
        wait: bool = True,
    ) -> None:
        scene, sensors = warehouse.scene, warehouse.sensors
        n, spec = scene.robots, observation_spec(scene.robot)
        self._warehouse, self._q_values, self._period = warehouse, q_values, scene.control_period
        self._bases = [_BaseState(base) for base in bases]
        self._chosen = np.zeros(n, np.int64) if bases or planned else sensors.maneuvers
        self._offsets, self._limits = controller_offsets(spec), pack_limits(scene.robot, scene.control_period)
        self._fresh, self._goals = np.zeros(n, np.bool_), np.full((n, 2), -1.0)
        self._tick = self._arrays_of_tick(scans, planned)
        self._decision = self._arrays_of_decision(observed=not bases and not planned)
        choices = ("planned",) if planned else MANEUVERS
        about = About(tuple(robot_names(n)), warehouse.layout.text(), asdict(scene), choices, policy, bundle)
        complete = None if planned else self._with_wanted
        self.recorder = Recorder(file, about, self._tick, self._decision, wait, log, complete)
        self._ticks, self._episodes = 0, 0
        warehouse.watch = self

    def _arrays_of_tick(self, scans: bool, planned: bool) -> dict[str, NDArray[Any]]:
        """Return what is recorded at each control period: the warehouse's own arrays."""
        warehouse, sensors = self._warehouse, self._warehouse.sensors
        arrays: dict[str, NDArray[Any]] = {
            "pose": warehouse.poses, "velocity": warehouse.velocities, "command": np.zeros_like(warehouse.velocities),
            "goal": sensors.goals, "carrying": warehouse.carrying,
            "robot_contact": warehouse.touching[0], "rack_contact": warehouse.touching[1],
            **{f"count_{name}": count for name, count in warehouse.events.items()},
        }  # fmt: skip
        if not planned:
            arrays |= {"choice": self._chosen, "observation": sensors.observations}
        return arrays | ({"lidar": sensors.lidar} if scans else {})

    def _arrays_of_decision(self, observed: bool) -> dict[str, NDArray[Any]]:
        """Return what is recorded at each decision."""
        sensors = self._warehouse.sensors
        arrays: dict[str, NDArray[Any]] = {
            "choice": self._chosen, "goal": sensors.goals, "carrying": self._warehouse.carrying,
            "remaining": sensors.travel[:, TRAVEL.remaining],
        }  # fmt: skip
        if observed:
            arrays |= {"observation": sensors.observations, "fresh": self._fresh}
        if observed and sensors.traffic is not None:
            arrays["record"] = sensors.records
        if self._q_values is not None:
            arrays["q_values"] = np.zeros((len(self._chosen), len(MANEUVERS)), np.float32)
        return arrays

    @property
    def time(self) -> float:
        """Simulated time since the recording began [s]."""
        return self._ticks * self._period

    def began(self, seed: int) -> None:
        """Note that an episode begins."""
        self.recorder.begin_episode(self.time, {"number": self._episodes, "seed": seed})
        self._episodes += 1
        self._fresh[:], self._goals[:] = True, -1.0

    def decided(self) -> None:
        """Record the decisions, and the ways to goals that are new."""
        for i, base in enumerate(self._bases):
            self._chosen[i] = base.base.maneuver
            for kind, detail in base.changes():
                self.recorder.event(self.time, kind, base.base.name, detail)
        if self._q_values is not None:
            self._decision["q_values"] = self._q_values()
        self.recorder.decide(self.time, self._decision)
        self._fresh[:] = False
        goals = self._warehouse.sensors.goals
        if goals.tobytes() != self._goals.tobytes():
            for i in np.flatnonzero((goals != self._goals).any(1)).tolist():
                self.recorder.plan(self.time, f"robot_{i}", self._way(i))
            self._goals[:] = goals

    def _way(self, robot: int) -> list[tuple[float, float]]:
        """Return the middles of the cells on the way to a robot's goal, from where it is."""
        layout, following = self._warehouse.layout, self._warehouse.sensors.next_cell[robot]
        x, y = self._warehouse.poses[robot, :2].tolist()
        return way_to_goal(following, layout.columns, x, y)

    def commanded(self, commands: NDArray[np.float64]) -> None:
        """Record the control period that begins."""
        self._tick["command"] = commands
        self.recorder.tick(self.time, self._tick)
        self._ticks += 1

    def _with_wanted(self, ticks: NDArray[Any]) -> NDArray[Any]:
        """Return control periods with what tracking wanted of the governor, in place of what it follows from."""
        kept = [name for name in ticks.dtype.names or () if name not in ("choice", "observation")]
        n = self._warehouse.scene.robots
        done = np.zeros(len(ticks), [*((name, ticks.dtype[name]) for name in kept), ("wanted", "<f8", (n, 2))])
        for name in kept:
            done[name] = ticks[name]
        wanted, observations = np.zeros((len(ticks) * n, 2)), ticks["observation"].reshape(len(ticks) * n, -1)
        track_all(ticks["choice"].reshape(-1), observations, self._offsets, self._limits, wanted)
        done["wanted"] = wanted.reshape(done["wanted"].shape)
        return done

    def close(self) -> None:
        """Look on no longer, and wait until everything is written."""
        self._warehouse.watch = None
        self.recorder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _BaseState:
    """What was last recorded of a base."""

    def __init__(self, base: RobotBase) -> None:
        self.base, self._state, self._process = base, "", 0
        self._dropped = Counter[str]()

    def changes(self) -> list[tuple[str, str]]:
        """Return what is new since the last call: kinds of events, with details."""
        base, new = self.base, []
        if base.state != self._state:
            self._state = base.state
            new.append(("drives", "") if base.state == "driven" else ("stops", base.state))
        if base.process not in (0, self._process):
            self._process = base.process
            new.append(("process", f"{base.process:016x}"))
        dropped = base.dropped.copy()  # the transport's thread goes on counting
        new += [("dropped", f"{count} {name}") for name, count in (dropped - self._dropped).items()]
        self._dropped = dropped
        return new
