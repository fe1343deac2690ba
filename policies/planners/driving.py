"""Drive along ways of cells: how far each robot may come now, and the command that leads there.

A robot waits before a cell until all that come before it there have left. Behind a robot that is leaving the cell it
closes up, so that a column moves off together. The governor has the last word, as it has over a network's commands.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.governor import govern
from sim.kernels import kernel
from sim.limits import LIMIT
from sim.observation import NEIGHBOUR
from sim.tracking import place_on_way, point_ahead, steer

LONGEST = 64
"""Cells of a way at most."""
LEFT = 0.75
"""A robot has left a cell when it is farther than this from its middle [m]."""
BEFORE = 0.8
"""Where a robot waits for a cell that another one has still to come to: so far before its middle [m]."""
APART = 0.74
"""How far a robot keeps behind one that is leaving the cell that it wants, from middle to middle [m]: nearer the
governor holds both."""
OVER = 0.25
"""A robot that stops at most so far beyond the middle of a cell stops in that cell, and may come back [m]."""
LOOK = 4
"""How many cells ahead of a robot are looked at: it stops within two."""
SAME_WAY = 0.7
"""Two directions are the same where the cosine between them is above this."""
_NEIGHBOUR_SIZE = len(NEIGHBOUR)

_place_on_way, _point_ahead, _steer = kernel(place_on_way), kernel(point_ahead), kernel(steer)


class Course(NamedTuple):
    """The ways of all robots, in arrays that live as long as an episode."""

    cells: NDArray[np.int64]
    """Each robot's way [robots, LONGEST]."""
    ranks: NDArray[np.float64]
    """Who goes first: in each cell, the way with the lower rank [robots, LONGEST]."""
    counts: NDArray[np.int64]
    """How many cells each way has [robots]."""
    heads: NDArray[np.int64]
    """The last cell on each way whose middle the robot has passed [robots]."""
    along: NDArray[np.float64]
    """How far each robot is from there, along its way [robots], m."""
    grants: NDArray[np.float64]
    """How far from there each robot may come [robots], m."""
    gears: NDArray[np.int64]
    """1 forwards, -1 backwards [robots]."""
    goals: NDArray[np.int64]
    """The cells that the robots are sent to [robots]."""
    stop_short: NDArray[np.float64]
    """How far before the middle of a goal the way to it ends [cells], m."""
    columns: int
    """Of the map."""
    firm: bool
    """Whether ways only grow. Where they may be taken back, one keeps off who might not leave a cell after all."""


@kernel
def _middles(course: Course, robot: int, points: NDArray[np.float64]) -> None:
    """Write the middles of a way's cells [counts[robot], 2], m."""
    for k in range(course.counts[robot]):
        cell = course.cells[robot, k]
        points[k, 0], points[k, 1] = cell % course.columns + 0.5, cell // course.columns + 0.5


@kernel
def advance(course: Course, poses: NDArray[np.float64]) -> None:
    """Find each robot's place on its way, and drop the cells that it has left behind."""
    points = np.empty((LONGEST, 2))
    for i in range(len(course.counts)):
        count, head = course.counts[i], course.heads[i]
        if count == 1:
            course.heads[i], course.along[i] = 0, 0.0
            continue
        _middles(course, i, points)
        # It turns back before the middle of a cusp only where it may at once go as far back as it is.
        doubles_back = head + 2 < count and course.cells[i, head] == course.cells[i, head + 2]
        if doubles_back and course.along[i] < 0.9 and course.grants[i] < 2.0 - course.along[i]:
            count = head + 2
        x, y = poses[i, 0], poses[i, 1]
        head, course.along[i] = _place_on_way(points, head, count, x, y)
        gone = 0
        while gone < head and math.hypot(points[gone, 0] - x, points[gone, 1] - y) >= LEFT:
            gone += 1
        course.heads[i] = head - gone
        course.counts[i] -= gone
        for k in range(course.counts[i] if gone > 0 else 0):
            course.cells[i, k], course.ranks[i, k] = course.cells[i, k + gone], course.ranks[i, k + gone]


@kernel
def _behind(x: float, y: float, dx: float, dy: float) -> float:
    """Return how far before a middle one that comes along (dx, dy) keeps APART from (x, y), from the middle [m]."""
    forward = x * dx + y * dy
    square = forward * forward - x * x - y * y + APART * APART
    return math.sqrt(square) - forward if square > 0.0 else 0.0


@kernel
def _distance_kept(
    course: Course, j: int, m: int, dx: float, dy: float, pose: NDArray[np.float64], speed: float, acceleration: float
) -> float:
    """Return how far before the middle of cell m of robot j's way one has to stop that comes along (dx, dy) [m]."""
    braking = speed * abs(speed) / (2.0 * acceleration)
    comes_back = m == course.heads[j] and course.along[j] + abs(braking) <= OVER and not course.firm
    if m > course.heads[j] or comes_back:
        return BEFORE
    columns, cell = course.columns, course.cells[j, m]
    mx, my = cell % columns + 0.5, cell // columns + 0.5
    if math.hypot(pose[0] - mx, pose[1] - my) >= LEFT:
        return 0.0
    kept, lead, head = _behind(pose[0] - mx, pose[1] - my, dx, dy), 0.0, course.heads[j]
    if speed * (dx * math.cos(pose[2]) + dy * math.sin(pose[2])) < 0.0:  # it comes nearer before it can turn back
        x, y = pose[0] + braking * math.cos(pose[2]), pose[1] + braking * math.sin(pose[2])
        kept = max(kept, _behind(x - mx, y - my, dx, dy))
    if head + 1 < course.counts[j]:
        here, there = course.cells[j, head], course.cells[j, head + 1]
        ox, oy = there % columns - here % columns, there // columns - here // columns
        inside = max(course.along[j], 0.0)  # it comes back to its line, wherever it is
        foot_x, foot_y = here % columns + 0.5 + inside * ox, here // columns + 0.5 + inside * oy
        kept = max(kept, _behind(foot_x - mx, foot_y - my, dx, dy))
        onward = speed * (ox * math.cos(pose[2]) + oy * math.sin(pose[2]))
        if ox * dx + oy * dy > SAME_WAY and onward > SAME_WAY * abs(speed):
            lead = onward * onward / (2.0 * acceleration)  # it can't stop any sooner
    return kept - lead


@kernel
def way_end(
    course: Course, i: int, poses: NDArray[np.float64], velocities: NDArray[np.float64], acceleration: float
) -> tuple[float, bool]:
    """Return how far robot i may come, counted from its head [m], and whether that is all its way."""
    end = 0.0
    for k in range(course.heads[i] + 1, min(course.counts[i], course.heads[i] + LOOK + 1)):
        before, cell, rank = course.cells[i, k - 1], course.cells[i, k], course.ranks[i, k]
        dx = float(cell % course.columns - before % course.columns)
        dy = float(cell // course.columns - before // course.columns)
        step = math.sqrt(dx * dx + dy * dy)
        end += step
        kept = 0.0
        for j in range(len(course.counts)):
            if j == i:
                continue
            for m in range(course.counts[j]):
                if course.cells[j, m] == cell and course.ranks[j, m] < rank:
                    speed = velocities[j, 0]
                    kept = max(kept, _distance_kept(course, j, m, dx / step, dy / step, poses[j], speed, acceleration))
        if kept > 0.0:
            return end - min(kept, 1.0), False
    return end, course.heads[i] + LOOK + 1 >= course.counts[i]


@kernel
def drive(
    course: Course,
    poses: NDArray[np.float64],
    velocities: NDArray[np.float64],
    observations: NDArray[np.float32],
    offsets: NDArray[np.int64],
    limits: NDArray[np.float64],
    commands: NDArray[np.float64],
) -> None:
    """Write the commands that lead the robots along their ways.

    Args:
        course: the ways, after `advance`; grants and gears are updated.
        poses: x, y [m], heading [rad] [robots, 3].
        velocities: speed [m/s], turn rate [rad/s] [robots, 2].
        observations: of all robots [robots, size], for the governor.
        offsets: where an observation holds lidar, velocity and neighbours: start and end of each [3, 2].
        limits: from `sim.limits.pack_limits`.
        commands: speed [m/s], turn rate [rad/s], written [robots, 2].
    """
    points = np.empty((LONGEST, 2))
    for i in range(len(course.counts)):
        count, own, v, w = course.counts[i], observations[i], 0.0, 0.0
        if count > 1:
            _middles(course, i, points)
            end, whole = way_end(course, i, poses, velocities, limits[LIMIT.max_acceleration])
            course.grants[i] = end
            if whole and course.cells[i, count - 1] == course.goals[i]:
                end -= course.stop_short[course.goals[i]]
            x, y, cos, sin = poses[i, 0], poses[i, 1], math.cos(poses[i, 2]), math.sin(poses[i, 2])
            speed, turn = velocities[i, 0], velocities[i, 1]
            px, py, room = _point_ahead(points, course.heads[i], count, course.along[i], end, x, y, speed)
            forward, left = cos * (px - x) + sin * (py - y), cos * (py - y) - sin * (px - x)
            v, w, course.gears[i] = _steer(forward, left, room, speed, turn, course.gears[i], limits)
        lidar, velocity = own[offsets[0, 0] : offsets[0, 1]], own[offsets[1, 0] : offsets[1, 1]]
        neighbours = own[offsets[2, 0] : offsets[2, 1]].reshape(-1, _NEIGHBOUR_SIZE)
        govern(v, w, lidar, velocity, neighbours, limits, commands[i])
