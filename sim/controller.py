"""From a maneuver and a robot's own sensors to a speed and a turn rate, ten times a second.

Path tracking turns the maneuver into the desired command, relative to the bearing of the next waypoint; the governor
keeps it free of collisions (`sim.governor`). The same as an ONNX graph: `export.graphs.controller`.
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
    "back": (-0.4, 0.0, 1.0),
    "veer_left": (0.6, 0.7, 1.0),
    "veer_right": (0.6, -0.7, 1.0),
    "sidestep_left": (0.6, 1.57, 1.0),
    "sidestep_right": (0.6, -1.57, 1.0),
}
TRACKING = np.array([_TRACKING[name] for name in MANEUVERS])
"""Of each maneuver: share of the largest speed, angle from the waypoint's bearing [rad], whether it steers (0 or 1)."""
TINY = 1e-12
"""Decides that a robot turns left when the desired direction is exactly behind it."""


def controller_offsets(spec: VectorSpec) -> NDArray[np.int64]:
    """Return where a flat observation holds lidar, waypoint, velocity and neighbours: start and end of each [4, 2]."""
    slices = (spec.slice(name) for name in ("lidar", "waypoint", "velocity", "neighbours"))
    return np.array([(s.start, s.stop) for s in slices], np.int64)


@kernel
def track(maneuver: int, waypoint: NDArray[np.float32], limits: NDArray[np.float64]) -> tuple[float, float]:
    """Return the speed [m/s] and turn rate [rad/s] that a maneuver stands for, with nothing in the way.

    v = scale * v_max * max(0, cos(error))^2, w = gain * error; the error is the angle from the heading to the desired
    direction.
    """
    x, y = float(waypoint[0]), float(waypoint[1])
    scale, angle, steers = TRACKING[maneuver]
    forward = x * math.cos(angle) - y * math.sin(angle)
    left = x * math.sin(angle) + y * math.cos(angle)
    norm = math.sqrt(x * x + y * y)
    cos_error = max(0.0, forward / max(norm, 1e-9))
    error = 2.0 * math.atan((left + TINY) / max(norm + forward, TINY))
    w, w_max = steers * limits[LIMIT.heading_gain] * error, limits[LIMIT.max_turn_rate]
    return scale * limits[LIMIT.max_speed] * cos_error**2, min(max(w, -w_max), w_max)


@kernel
def control(
    maneuver: int,
    lidar: NDArray[np.float32],
    waypoint: NDArray[np.float32],
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
        velocity: own speed and turn rate [2], m/s, rad/s.
        neighbours: what is kept of the broadcasts [neighbours, 9], in the order of `NEIGHBOUR`.
        limits: from `sim.limits.pack_limits`.
        out: speed, turn rate [2], m/s, rad/s, written; not more than the robot can reach in one control period.
    """
    v, w = track(maneuver, waypoint, limits)
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
            own[offsets[3, 0] : offsets[3, 1]].reshape(-1, len(NEIGHBOUR)),
            limits,
            commands[i],
        )
