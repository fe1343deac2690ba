"""What all robots observe, and the global state, packed in compiled calls."""

import math

import numpy as np
from numpy.typing import NDArray

from sim.kernels import kernel
from sim.observation import BROADCAST, PATH_RANGE, STATE, write_observation
from sim.traffic.broadcast import RECORD, place_now
from sim.traffic.radio import Radio
from sim.travel import TRAVEL

BROADCAST_SIZE = len(BROADCAST)
_write_observation = kernel(write_observation)


@kernel
def observe(
    radio: tuple[float, int],
    poses: NDArray[np.float64],
    goals: NDArray[np.float64],
    maneuvers: NDArray[np.int64],
    bounds: NDArray[np.float32],
    travel: NDArray[np.float64],
    records: NDArray[np.float64],
    rooms: NDArray[np.float64],
    lidar: NDArray[np.float32],
    observations: NDArray[np.float32],
) -> None:
    """Write what all robots observe, where each hears at once what the others tell.

    Args:
        radio: its range [m], and the number of neighbours that a robot observes.
        poses: x, y, heading [robots, 3].
        goals: x, y [robots, 2].
        maneuvers: the last decision [robots].
        bounds: smallest and largest observation [2, size].
        travel: in the order of `TRAVEL` [robots, 5].
        records: what each robot broadcasts [robots, RECORD_SIZE].
        rooms: how far each robot may drive on its path [robots], m.
        lidar: ranges [robots, rays], m.
        observations: written [robots, size].
    """
    for i in range(len(poses)):
        _write_observation(
            observations[i], bounds, lidar[i], records, i, records[i, RECORD.turn_rate], goals[i],
            travel[i, TRAVEL.remaining], rooms[i], maneuvers[i], radio[0], radio[1],
        )  # fmt: skip


@kernel
def observe_heard(
    radio: tuple[float, int],
    poses: NDArray[np.float64],
    goals: NDArray[np.float64],
    maneuvers: NDArray[np.int64],
    bounds: NDArray[np.float32],
    travel: NDArray[np.float64],
    records: NDArray[np.float64],
    rooms: NDArray[np.float64],
    lidar: NDArray[np.float32],
    observations: NDArray[np.float32],
    air: Radio,
) -> None:
    """Write what all robots observe, each of what it has heard itself (`air`); other arguments as in `observe`.

    A robot that was not heard of late is observed where it would be, had it gone straight on.
    """
    told = np.empty((len(poses), BROADCAST_SIZE))  # the own record, then those of the others by their names
    for i in range(len(poses)):
        told[0] = records[i, :BROADCAST_SIZE]
        for k in range(air.counts[i]):
            other = air.sent[air.rows[i, k]]
            told[k + 1] = other[:BROADCAST_SIZE]
            told[k + 1, BROADCAST.x], told[k + 1, BROADCAST.y] = place_now(other, air.ages[i, k])
        _write_observation(
            observations[i], bounds, lidar[i], told[: air.counts[i] + 1], 0, records[i, RECORD.turn_rate], goals[i],
            travel[i, TRAVEL.remaining], rooms[i], maneuvers[i], radio[0], radio[1],
        )  # fmt: skip


@kernel
def write_state(
    broadcasts: NDArray[np.float64],
    velocities: NDArray[np.float64],
    goals: NDArray[np.float64],
    travel: NDArray[np.float64],
    time_share: float,
    bounds: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Pack the global state into `out` [robots * len(STATE) + 1], in the order of `state_spec`."""
    for i in range(len(goals)):
        own, row = broadcasts[i], out[len(STATE) * i : len(STATE) * (i + 1)]
        row[STATE.x], row[STATE.y] = own[BROADCAST.x], own[BROADCAST.y]
        row[STATE.cos], row[STATE.sin] = math.cos(own[BROADCAST.heading]), math.sin(own[BROADCAST.heading])
        row[STATE.v], row[STATE.w] = own[BROADCAST.speed], velocities[i, 1]
        row[STATE.goal_x], row[STATE.goal_y] = goals[i, 0], goals[i, 1]
        row[STATE.carrying] = own[BROADCAST.carrying]
        row[STATE.remaining_path] = min(travel[i, TRAVEL.remaining], PATH_RANGE)
    out[len(out) - 1] = time_share
    for i in range(len(out)):
        out[i] = min(max(out[i], bounds[0, i]), bounds[1, i])
