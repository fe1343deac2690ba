"""The controller as an ONNX graph, so that no robot has to write path tracking and collision avoidance a second time.

The same computation as `sim.controller` and `sim.governor`, whose docstrings say why. Here every candidate, every point
of its arc and every wall is computed at once, for a whole batch, and the first free candidate is picked at the end. It
runs in float64 like the original, so that both decide alike. The functions have the names that they have there.
"""

import math

import numpy as np
import onnx
from onnx import TensorProto

from export.graphs.builder import Graph, Value
from sim.controller import DECELERATION, FULL_SPEED_COS, ON_THE_SPOT, OTHER_FRONT, TINY, TRACKING
from sim.governor import BRAKING, CANDIDATES, CREEP_MARGIN, CREEP_SPEED, ENOUGH, POINTS
from sim.observation import NEIGHBOUR
from sim.scene import RobotConfig
from sim.walls import FAR, ROUNDING


def _track(maneuver: Value, waypoint: Value, room: Value, velocity: Value, config: RobotConfig) -> Value:
    """Return the desired speed and turn rate [batch, 2]."""
    scale, angle, steers = TRACKING.T
    table = np.stack([scale * config.max_speed, np.cos(angle), np.sin(angle), 2 * steers * config.heading_gain], 1)
    speed, cos, sin, gain = maneuver.graph.constant(table).op("Gather", maneuver, axis=0).split(1, 1, 1, 1, 1)
    x, y = waypoint.split(1, 1, 1)
    forward, left = x * cos - y * sin, x * sin + y * cos
    norm = (x * x + y * y).op("Sqrt")
    favoured = forward + norm * velocity.take([0], 1) * (OTHER_FRONT / config.max_speed) + TINY
    front = favoured.op("GreaterOrEqual", 0.0).double() * 2.0 - 1.0
    forward, left = forward * front, left * front
    share = (forward / norm.op("Max", ON_THE_SPOT) * (1.0 / FULL_SPEED_COS)).clamp(0.0, 1.0)
    stopping = (room.op("Relu") * (2.0 * DECELERATION * config.max_acceleration)).op("Sqrt")
    half = (left + TINY) / (norm + forward).op("Max", TINY)
    # onnxruntime has no float64 arc tangent.
    error = half.op("Cast", to=TensorProto.FLOAT).op("Atan").double()
    w = gain * error * (norm * (1.0 / ON_THE_SPOT)).op("Min", 1.0)
    w = w.clamp(-config.max_turn_rate, config.max_turn_rate)
    return (front * (speed * share).op("Min", stopping)).join(w, axis=1)


def _find_walls(ranges: Value, config: RobotConfig) -> tuple[Value, Value]:
    """Return starts and extents [batch, 2, walls] of the walls in ranges [batch, 1, rays]; the others are far away."""
    rays = config.lidar_rays
    step = 2 * math.pi / rays
    angles = np.arange(rays) * step
    after, before = np.roll(np.arange(rays), -1), np.roll(np.arange(rays), 1)
    gap = 2 * (config.radius + config.safety_margin)

    hit = ranges.op("Less", config.lidar_range - ROUNDING)
    square = ranges * ranges
    apart = square + square.take(after, 2) - ranges * ranges.take(after, 2) * (2 * math.cos(step))
    joined = hit.op("And", hit.take(after, 2)).op("And", apart.op("Less", gap * gap))
    weight = joined.double()

    inverse = ranges.op("Max", 1e-3).op("Reciprocal")
    eye = np.eye(rays)
    bend = (inverse @ (2 * math.cos(step) * eye - eye[after] - eye[before])).op("Relu")
    recedes, emerges = bend * weight.take(before, 2), (bend * weight).take(after, 2)
    share = (recedes * emerges).op("Greater", 0.0).where(emerges / (recedes + emerges), 0.5) * step
    left, right = (share * -1.0 + step).op("Sin"), share.op("Sin")
    knee = inverse * left + inverse.take(after, 2) * right + (emerges * left).op("Max", recedes * right)
    angle = share + angles
    knees = angle.op("Cos").join(angle.op("Sin"), axis=1) * math.sin(step) / knee

    hits = ranges * np.stack([np.cos(angles), np.sin(angles)])
    bends = joined.op("Or", recedes.op("Greater", 0.0))
    starts = hits.join(knees, axis=2)
    extents = bends.where(knees, hits).join(hits.take(after, 2), axis=2) - starts
    exists = hit.join(joined.op("Or", emerges.op("Greater", 0.0)), axis=2)
    return exists.where(starts, FAR), extents


def _half_planes(neighbours: Value, velocity: Value, config: RobotConfig) -> tuple[Value, Value]:
    """Return the normals [batch, neighbours, 2] and bounds [batch, neighbours, 1]; no bound where no robot is."""
    k = neighbours.graph.constant([0, -1, 4, 2])
    n = NEIGHBOUR
    present, speed = neighbours.take([n.present], 2), neighbours.take([n.speed], 2)
    start, direction = neighbours.take([n.x, n.y], 2), neighbours.take([n.cos, n.sin], 2)
    theirs = direction * (speed * speed.op("Abs") * (0.5 / config.max_acceleration))
    zero = start * 0.0
    braking = velocity * velocity.op("Abs") * [0.5 / config.max_acceleration, 0.0]
    own = zero + braking.op("Unsqueeze", [1])
    # Each end of both lines, and the line that it is measured from [batch, neighbours, 4, 2].
    ends = zero.join(own, start, start + theirs, axis=2).op("Reshape", k)
    lines = start.join(start, zero, zero, axis=2).op("Reshape", k)
    extents = theirs.join(theirs, own, own, axis=2).op("Reshape", k)
    offset = ends - lines
    along = ((offset * extents).sum(3) / (extents * extents).sum(3).op("Max", 1e-12)).clamp(0.0, 1.0)
    offset = along * extents - offset
    distance = (offset * offset).sum(3).op("Sqrt")
    best = distance.op("ArgMin", axis=2, keepdims=1)
    pick = best.join(best, axis=3)
    offset, end = offset.op("GatherElements", pick, axis=2), ends.op("GatherElements", pick, axis=2)
    sign = neighbours.graph.constant([1.0, 1.0, -1.0, -1.0]).op("Gather", best)
    length = (offset * offset).sum(3).op("Sqrt").op("Max", 1e-9)
    normal = offset * sign / length
    bound = (normal * (end + offset * 0.5)).sum(3) - (config.radius + 0.5 * config.safety_margin)
    bound = present.op("Greater", 0.5).where(bound.op("Max", ROUNDING).op("Squeeze", [3]), FAR)
    return normal.op("Squeeze", [2]), bound


def _candidates(velocity: Value, desired: Value, config: RobotConfig, period: float) -> tuple[Value, Value]:
    """Return the commands [batch, 2, candidates], and by how much each changes the velocity."""
    limits = np.array([config.max_acceleration, config.max_turn_acceleration]) * period
    change = (desired - velocity).op("Max", -limits).op("Min", limits)
    brake = velocity.op("Max", -limits).op("Min", limits) * [-1.0, 0.0]
    table = np.array(CANDIDATES).T
    change = change.op("Unsqueeze", [2]) * table + brake.op("Unsqueeze", [2]) * (1.0 - table[0])
    return velocity.op("Unsqueeze", [2]) + change, change


def _arcs(commands: Value, change: Value, config: RobotConfig, period: float) -> Value:
    """Return where the centre is on each candidate's arc [batch, 2, candidates * points]."""
    acceleration = np.array([[config.max_acceleration], [config.max_turn_acceleration]])
    # Length and heading after the period, then while braking.
    first = commands * period - change * change.op("Abs") * (0.5 / acceleration)
    braking = commands.take([0], 1).op("Abs") * (1.0 / config.max_acceleration)
    shares, middles = np.array(BRAKING).T
    in_period = np.array([[1.0, *np.zeros_like(shares)], [0.5, *np.ones_like(shares)]])[:, None]
    in_braking = np.array([[0.0, *shares * (1.0 - middles)], [0.0, *middles]])[:, None]
    steps = first.op("Unsqueeze", [3]) * in_period + (commands * braking).op("Unsqueeze", [3]) * in_braking
    lengths, headings = steps.split(1, 1, 1)
    arcs = headings.op("Cos").join(headings.op("Sin"), axis=1) * lengths @ np.triu(np.ones((POINTS, POINTS)))
    return arcs.op("Reshape", [0, 2, len(CANDIDATES) * POINTS])


def _clearance_of_walls(arcs: Value, commands: Value, starts: Value, extents: Value, config: RobotConfig) -> Value:
    """Return how far each arc stays off the walls, beyond what it has to keep [batch, candidates]."""
    points = arcs.op("Pad", [0, 0, 1, 0, 0, 0], 0.0)  # the first point is where the robot is
    rows = points.op("Transpose", perm=[0, 2, 1])
    square = (extents * extents).sum(1)
    scaled = extents / square.op("Max", 1e-12)
    # |s + t e - p|^2 = |p|^2 - 2 p.s + |s|^2 + t (t - 2 u) |e|^2, where u = (p - s).e / |e|^2 and t = u within 0..1.
    u = rows @ scaled - (starts * scaled).sum(1)
    t = u.clamp(0.0, 1.0)
    distance = rows @ (starts * -2.0) + (starts * starts).sum(1) + t * (t - (u + u)) * square
    distance = (distance.smallest(2) + (points * points).sum(1).op("Squeeze", [1])).op("Relu").op("Sqrt")
    nearest, distance = distance.split(1, 1, len(CANDIDATES) * POINTS)
    speed = commands.take([0], 1).op("Squeeze", [1]).op("Abs")
    creep = (speed * (-1.0 / CREEP_SPEED) + 1.0).op("Relu") * (CREEP_MARGIN - 1.0) + 1.0
    keep = (creep * config.safety_margin + config.radius).op("Min", nearest - ROUNDING)
    return distance.op("Reshape", [0, len(CANDIDATES), POINTS]).smallest(2) - keep


def _clearance_of_half_planes(arcs: Value, normal: Value, bound: Value) -> Value:
    """Return how far each arc stays within all half-planes [batch, candidates]."""
    clearance = (bound - normal @ arcs).smallest(1)
    return clearance.op("Reshape", [0, len(CANDIDATES), POINTS]).smallest(2)


def _first_free(commands: Value, clearance: Value) -> Value:
    """Return the first collision-free candidate, blended with the one before it [batch, 2]; else the last one."""
    before = [0, *range(len(CANDIDATES) - 1)]
    free = clearance.op("Relu")
    blend = (free / (free - clearance.take(before, 1)).op("Max", 1e-12)).op("Unsqueeze", [1])
    blended = commands + blend * (commands.take(before, 2) - commands)
    ok = clearance.op("GreaterOrEqual", 0.0).double().op("Max", [0.0] * (len(CANDIDATES) - 1) + [1.0])
    first = ok.op("ArgMax", axis=1, keepdims=1).op("Unsqueeze", [1])
    return blended.op("GatherElements", first.join(first, axis=1), axis=2).op("Squeeze", [2])


def _govern(
    desired: Value, lidar: Value, velocity: Value, neighbours: Value | None, config: RobotConfig, period: float
) -> Value:
    """Return the command closest to the desired one whose stopping arc is collision-free [batch, 2]."""
    starts, extents = _find_walls(lidar.op("Unsqueeze", [1]), config)
    commands, change = _candidates(velocity, desired, config, period)
    arcs = _arcs(commands, change, config, period)
    clearance = _clearance_of_walls(arcs, commands, starts, extents, config)
    if neighbours is not None:
        planes = _half_planes(neighbours, velocity, config)
        clearance = clearance.op("Min", _clearance_of_half_planes(arcs, *planes))
    return _first_free(commands, clearance.op("Min", ENOUGH))


def build_controller(config: RobotConfig, control_period: float, neighbours: int) -> onnx.ModelProto:
    """Return the controller, governor included, as an ONNX model with a dynamic batch dimension.

    Args:
        config: the robot; its limits become constants of the graph.
        control_period: time between two commands [s].
        neighbours: how many broadcasts the robot observes.

    Returns:
        Inputs maneuver int64 [batch], lidar [batch, rays], waypoint [batch, 2], room [batch, 1], velocity [batch, 2]
        and neighbours [batch, neighbours, 9]; output command [batch, 2]: speed [m/s], turn rate [rad/s]. All float32
        but the maneuver.
    """
    graph = Graph()
    maneuver = graph.input("maneuver", TensorProto.INT64)
    lidar = graph.input("lidar", TensorProto.FLOAT, config.lidar_rays).double()
    waypoint = graph.input("waypoint", TensorProto.FLOAT, 2).double()
    room = graph.input("room", TensorProto.FLOAT, 1).double()
    velocity = graph.input("velocity", TensorProto.FLOAT, 2).double()
    others = graph.input("neighbours", TensorProto.FLOAT, neighbours, len(NEIGHBOUR)).double()
    desired = _track(maneuver, waypoint, room, velocity, config)
    command = _govern(desired, lidar, velocity, others if neighbours else None, config, control_period)
    graph.output("command", command, TensorProto.FLOAT, 2)
    return graph.model("controller")
