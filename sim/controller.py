"""From a maneuver and a robot's own sensors to a speed and a turn rate, ten times a second.

Path tracking turns the maneuver into the desired command, relative to the bearing of the next waypoint; the governor
keeps it free of collisions (`sim.governor`). The same as an ONNX graph: `export.graphs.controller`. Planned fleets have
another law of tracking; `sim.tracking` says why.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.governor import govern
from sim.kernels import kernel
from sim.limits import LIMIT
from sim.observation import MANEUVERS, NEIGHBOUR
from sim.vector_spec import VectorSpec

_TRACKING = {
    "stop": (0.0, 0.0, 0.0),
    "go": (1.0, 0.0, 1.0),
    "slow": (0.4, 0.0, 1.0),
    "back": (0.4, math.pi, 1.0),
    "veer_left": (0.6, 0.7, 1.0),
    "veer_right": (0.6, -0.7, 1.0),
    "sidestep_left": (0.6, 1.57, 1.0),
    "sidestep_right": (0.6, -1.57, 1.0),
}
TRACKING = np.array([_TRACKING[name] for name in MANEUVERS])
"""Of each maneuver: share of the largest speed, angle from the waypoint's bearing [rad], whether it steers (0 or 1)."""
FULL_SPEED_COS = 0.8
"""A robot that is off the desired direction by an angle of at least this cosine drives at full speed."""
OTHER_FRONT = 0.4
"""By how much the cosine has to favour the other front before a robot at its largest speed turns back."""
DECELERATION = 0.9
"""Share of the largest deceleration that a robot plans to brake with."""
ON_THE_SPOT = 0.05
"""A waypoint nearer than this has no direction [m]."""
TINY = 1e-12
"""Decides that a robot turns left when the desired direction is exactly behind it."""


def controller_offsets(spec: VectorSpec) -> NDArray[np.int64]:
    """Return start and end of lidar, waypoint, room, velocity and neighbours in a flat observation [5, 2]."""
    slices = (spec.slice(name) for name in ("lidar", "waypoint", "room", "velocity", "neighbours"))
    return np.array([(s.start, s.stop) for s in slices], np.int64)


@kernel
def track(
    maneuver: int,
    waypoint: NDArray[np.float32],
    room: NDArray[np.float32],
    velocity: NDArray[np.float32],
    limits: NDArray[np.float64],
) -> tuple[float, float]:
    """Return the speed [m/s] and turn rate [rad/s] that a maneuver stands for, with nothing in the way.

    v = front * min(scale * v_max * min(1, cos(error) / FULL_SPEED_COS), sqrt(2 * DECELERATION * a_max * room)),
    w = gain * error; the error is the angle from the robot's front, of which it has two, to the desired direction.
    """
    x, y = float(waypoint[0]), float(waypoint[1])
    scale, angle, steers = TRACKING[maneuver]
    norm = math.sqrt(x * x + y * y)
    forward = x * math.cos(angle) - y * math.sin(angle)
    left = x * math.sin(angle) + y * math.cos(angle)
    v_max, w_max = limits[LIMIT.max_speed], limits[LIMIT.max_turn_rate]
    front = 1.0 if forward + OTHER_FRONT * norm * float(velocity[0]) / v_max >= -TINY else -1.0
    forward, left = front * forward, front * left
    speed = scale * v_max * min(max(forward / max(norm, ON_THE_SPOT), 0.0) / FULL_SPEED_COS, 1.0)
    stopping = math.sqrt(2.0 * DECELERATION * limits[LIMIT.max_acceleration] * max(float(room[0]), 0.0))
    error = 2.0 * math.atan((left + TINY) / max(norm + forward, TINY))
    w = steers * limits[LIMIT.heading_gain] * error * min(norm / ON_THE_SPOT, 1.0)
    return front * min(speed, stopping), min(max(w, -w_max), w_max)


@kernel
def track_all(
    maneuvers: NDArray[np.int64],
    observations: NDArray[np.float32],
    offsets: NDArray[np.int64],
    limits: NDArray[np.float64],
    wanted: NDArray[np.float64],
) -> None:
    """Write what `track` returns for every robot: what the governor is asked for.

    Args:
        maneuvers: indices into `MANEUVERS` [robots].
        observations: flat observations [robots, size].
        offsets: from `controller_offsets`.
        limits: from `sim.limits.pack_limits`.
        wanted: speed [m/s], turn rate [rad/s], written [robots, 2].
    """
    for i in range(len(maneuvers)):
        own = observations[i]
        wanted[i] = track(
            maneuvers[i],
            own[offsets[1, 0] : offsets[1, 1]],
            own[offsets[2, 0] : offsets[2, 1]],
            own[offsets[3, 0] : offsets[3, 1]],
            limits,
        )


@kernel
def control(
    maneuver: int,
    lidar: NDArray[np.float32],
    waypoint: NDArray[np.float32],
    room: NDArray[np.float32],
    velocity: NDArray[np.float32],
    neighbours: NDArray[np.float32],
    limits: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write one robot's command, from its own sensors.

    Args:
        maneuver: index into `MANEUVERS`.
        lidar: ranges [rays], m, the first ray ahead, counter-clockwise.
        waypoint: forward, left [2], m.
        room: how far the robot may drive [1], m.
        velocity: own speed and turn rate [2], m/s, rad/s.
        neighbours: what is kept of the broadcasts [neighbours, 9], in the order of `NEIGHBOUR`.
        limits: from `sim.limits.pack_limits`.
        out: speed, turn rate [2], m/s, rad/s, written; not more than the robot can reach in one control period.
    """
    v, w = track(maneuver, waypoint, room, velocity, limits)
    govern(v, w, lidar, velocity, neighbours, limits, out)


@kernel
def control_all(
    maneuvers: NDArray[np.int64],
    observations: NDArray[np.float32],
    offsets: NDArray[np.int64],
    limits: NDArray[np.float64],
    commands: NDArray[np.float64],
) -> None:
    """Write every robot's command, each from its own observation.

    Args:
        maneuvers: indices into `MANEUVERS` [robots].
        observations: flat observations [robots, size].
        offsets: from `controller_offsets`.
        limits: from `sim.limits.pack_limits`.
        commands: speed [m/s], turn rate [rad/s], written [robots, 2].
    """
    for i in range(len(maneuvers)):
        own = observations[i]
        control(
            maneuvers[i],
            own[offsets[0, 0] : offsets[0, 1]],
            own[offsets[1, 0] : offsets[1, 1]],
            own[offsets[2, 0] : offsets[2, 1]],
            own[offsets[3, 0] : offsets[3, 1]],
            own[offsets[4, 0] : offsets[4, 1]].reshape(-1, len(NEIGHBOUR)),
            limits,
            commands[i],
        )
