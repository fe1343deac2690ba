"""Drive along a polyline: from the way ahead and a robot's own motion to a speed and a turn rate.

Planned fleets drive by these three functions. They are scalar code without numba, so that the simulator can compile
them (`sim.kernels.kernel`) and a robot can run them as they are.

The robot steers for a point on the polyline, a little ahead of its own place on it, along the circle that touches its
heading (Coulter, "Implementation of the Pure Pursuit Path Tracking Algorithm", 1992): so it takes a corner at full
speed, in an arc. It drives backwards where its rear is nearer to the way ahead, and turns in place only where neither
end is near. Where the way doubles back (a cusp), it stops and returns in the other gear.

A robot's own controller has another law for the same job (`sim.controller.track`), and both are needed. That one keeps
no memory, as its ONNX graph has none: it is told a point and the room to drive, and turns a maneuver into a command.
This one remembers its gear, and stops within centimetres, as the end of a claim demands. Alone they are close (8
episodes, in the planners' motion: small 257 deliveries a robot-hour by this law and 255 by that one, narrow 234 and
234, crossing 502 and 484, depot 131 and 131), but PIBT driven by that one fell from 183 to 151 in small with 8 robots,
and from 108 to 97 in depot with 16, and deadlocked.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.limits import LIMIT

AHEAD = 0.9
"""How far ahead on the polyline the point lies that the robot steers for, at most [m] ..."""
OFF_AHEAD = 0.6
"""... and at most when the robot is off the line: nearer by as much as it is off, but this [m]."""
NEAREST_AHEAD = 0.35
"""How far ahead it lies at rest, and where the robot must stop, so that it cuts no corner there [m] ..."""
BACK_AHEAD = 0.05
"""... less by as much as it is off the line, but this: it goes back to the line first, away from a rack [m] ..."""
AHEAD_TIME = 0.8
"""... and by how much farther for each metre a second of speed [s]."""
OTHER_GEAR = 0.25
"""By how much the cosine of the bearing must favour the other end of the robot, before it changes gear."""
PIVOT = 1.1
"""Where the bearing is larger than this, a robot at speed turns in place [rad] ..."""
PIVOT_AT_REST = 0.35
"""... and one that stands turns where it is larger than this, in place of swinging out towards a rack [rad]."""
PIVOT_SPEED = 0.4
"""From this speed on a robot is at speed [m/s]."""
PIVOT_GAIN = 5.0
"""Turn rate in place for each radian of the bearing [1/s]."""
TURNING_SPEED = 0.1
"""A robot that is slower than this turns towards the point as it does in place [m/s]."""
CUSP_REACH = 0.5
"""A cusp nearer than this counts as reached: the way back is the same line [m]."""
CUSP = -0.5
"""Where the cosine between two segments is below this, their common point is a cusp."""


def place_on_way(points: NDArray[np.float64], head: int, count: int, x: float, y: float) -> tuple[int, float]:
    """Return the segment of a way that a robot is on, and how far along that segment.

    Args:
        points: the way [at least count, 2], m; two or more, no two in a row alike.
        head: the segment that the robot was on last, from points[head] to points[head + 1]; 0 at first.
        count: how many points there are.
        x: where the robot is [m].
        y: where the robot is [m].

    Returns:
        The segment, `head` or a later one; and the metres from its first point to the foot of the robot on it, below 0
        before the segment, never more than its length.
    """
    while True:
        ax, ay = points[head, 0], points[head, 1]
        dx, dy = points[head + 1, 0] - ax, points[head + 1, 1] - ay
        length = math.sqrt(dx * dx + dy * dy)
        dx, dy = dx / length, dy / length
        along = (x - ax) * dx + (y - ay) * dy
        if head + 2 >= count:
            break
        bx, by = points[head + 1, 0], points[head + 1, 1]
        ex, ey = points[head + 2, 0] - bx, points[head + 2, 1] - by
        further = math.sqrt(ex * ex + ey * ey)
        ex, ey = ex / further, ey / further
        if dx * ex + dy * ey < CUSP:
            reached = length - along < CUSP_REACH
        else:  # past the line that halves the corner
            reached = (x - bx) * (dx + ex) + (y - by) * (dy + ey) >= 0.0
        if not reached:
            break
        head += 1
    return head, min(along, length)


def point_ahead(
    points: NDArray[np.float64], head: int, count: int, along: float, end: float, x: float, y: float, speed: float
) -> tuple[float, float, float]:
    """Return the point of a way that a robot steers for, and how much room it has up to where it must stop.

    Args:
        points: the way [at least count, 2], m.
        head: the segment that the robot is on, from `place_on_way`.
        count: how many points there are.
        along: how far along that segment [m], from `place_on_way`.
        end: how far along the way the robot may come [m], counted from points[head]; a cusp ends it too.
        x: where the robot is [m].
        y: where the robot is [m].
        speed: own speed [m/s].

    Returns:
        x, y of the point [m]; beyond the last point or a cusp it lies straight on. And the room [m]: along the way, or
        straight to the end where that is less, as a robot cuts the corners; below 0 past the end.
    """
    ax, ay = points[head, 0], points[head, 1]
    dx, dy = points[head + 1, 0] - ax, points[head + 1, 1] - ay
    passed = math.sqrt(dx * dx + dy * dy)  # metres of the way up to points[k]
    dx, dy = dx / passed, dy / passed
    inside = max(along, 0.0)
    off = math.sqrt((ax + inside * dx - x) ** 2 + (ay + inside * dy - y) ** 2)
    nearest = max(NEAREST_AHEAD - off, BACK_AHEAD)
    reach = min(nearest + AHEAD_TIME * abs(speed), max(AHEAD - off, OFF_AHEAD), end - inside)
    ahead = inside + max(reach, nearest)
    px, py, ex, ey = ax + ahead * dx, ay + ahead * dy, ax + end * dx, ay + end * dy
    for k in range(head + 1, count - 1):
        if passed > max(ahead, end):
            break
        ax, ay = points[k, 0], points[k, 1]
        fx, fy = points[k + 1, 0] - ax, points[k + 1, 1] - ay
        length = math.sqrt(fx * fx + fy * fy)
        fx, fy = fx / length, fy / length
        if dx * fx + dy * fy < CUSP:
            if end > passed:
                end, ex, ey = passed, ax, ay
            break
        if ahead > passed:
            px, py = ax + (ahead - passed) * fx, ay + (ahead - passed) * fy
        if end > passed:
            ex, ey = ax + (end - passed) * fx, ay + (end - passed) * fy
        dx, dy = fx, fy
        passed += length
    room = end - along
    if room > 0.0:
        room = min(room, math.sqrt((ex - x) ** 2 + (ey - y) ** 2))
    return px, py, room


def steer(
    forward: float, left: float, room: float, speed: float, turn: float, gear: int, limits: NDArray[np.float64]
) -> tuple[float, float, int]:
    """Return the command that leads to a point along the circle that touches the heading, and the gear.

    Args:
        forward: where the point is, from the robot [m].
        left: where the point is, from the robot [m].
        room: metres of way left in which the robot has to be able to stop; at or below 0 it brakes.
        speed: own speed [m/s].
        turn: own turn rate [rad/s].
        gear: 1 forwards, -1 backwards, as returned the last time; 1 at first.
        limits: from `sim.limits.pack_limits`.

    Returns:
        Speed [m/s], below 0 backwards, and turn rate [rad/s], as far as one control period can reach them; the gear.
    """
    v_max, w_max, period = limits[LIMIT.max_speed], limits[LIMIT.max_turn_rate], limits[LIMIT.control_period]
    acceleration = limits[LIMIT.max_acceleration]
    distance = max(math.sqrt(forward * forward + left * left), 1e-9)
    if gear * forward < -OTHER_GEAR * distance:
        gear = -gear
    forward, left, v0 = gear * forward, gear * left, gear * speed
    bearing = math.atan2(left, forward)
    # The fastest speed from which it still stops: room = (v0 + v) / 2 period + v^2 / 2a, solved for v.
    ramp = 0.5 * acceleration * period
    v = math.sqrt(max(ramp * ramp + 2.0 * acceleration * (room - 0.5 * period * v0), 0.0)) - ramp
    curvature = 2.0 * left / (distance * distance)
    v = max(min(v, v_max, w_max / max(abs(curvature), 1e-9)), 0.0)
    at_speed = min(max(v0 / PIVOT_SPEED, 0.0), 1.0)
    pivots = abs(bearing) > PIVOT_AT_REST + at_speed * (PIVOT - PIVOT_AT_REST)
    if pivots:
        v = 0.0
    v = min(max(v, v0 - acceleration * period), v0 + acceleration * period)
    turns = pivots or (v < TURNING_SPEED and room > 0.0)
    w = PIVOT_GAIN * bearing if turns else curvature * v
    w = min(max(w, -w_max), w_max)
    most = limits[LIMIT.max_turn_acceleration] * period
    return gear * v, min(max(w, turn - most), turn + most), gear
