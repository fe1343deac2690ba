"""Why each robot did what it did, in words, for every decision of a recording."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from export.recordings.reader import Recording
from fleetmix.replay.motion import STANDING, Motion

_NEAR = 1.6
"""Others that are nearer are named [m]."""
_HELD = 0.1
"""The governor holds a robot that is commanded by so much less than it wants [m/s]."""
_GIVING_WAY = ("back", "sidestep_left", "sidestep_right")


class Reason(NamedTuple):
    """What a robot does from a time on, and why."""

    time: float
    """Since the recording began [s]."""
    text: str
    standing: bool


def reasons_of(recording: Recording, motion: Motion) -> list[list[Reason]]:
    """Return each robot's reasons, one where they change, in the order of time."""
    found: list[list[Reason]] = [[] for _ in recording.about.robots]
    stops = _stops(recording)
    for decision in recording.decisions:
        time = float(decision["time"])
        at = min(int(np.searchsorted(recording.times, time - 1e-6)), len(recording.times) - 1)
        for i, own in enumerate(decision["robots"]):
            reason = _reason(recording, motion, time, at, i, own, _stop_at(stops[i], time))
            if not found[i] or found[i][-1].text != reason.text:
                found[i].append(reason)
    return found


def reason_at(reasons: Sequence[Reason], time: float) -> Reason | None:
    """Return the reason that counts at a time [s]."""
    last = None
    for reason in reasons:
        if reason.time > time:
            break
        last = reason
    return last


def _reason(
    recording: Recording, motion: Motion, time: float, at: int, robot: int, own: Mapping[str, Any], stop: str
) -> Reason:
    until = min(at + 4, len(recording.times))
    standing = bool(motion.speeds[at:until, robot].mean() < STANDING)
    if stop:
        return Reason(time, f"Stands: {stop}.", standing)
    wanted, command = (each[at:until, robot, 0].mean() for each in (recording.wanted, recording.commands))
    held = abs(wanted) - abs(command) > _HELD
    near, chosen = _nearest(recording, at, robot), _chosen(recording.about.choices, own)
    choice, goal = own["choice"], _goal(own)
    others = f"; {near}" if near else ""
    if "wanted_cell" in own and standing:
        return Reason(time, f"{_claim(recording, own)} {goal.capitalize()}; {chosen}.", standing)
    if standing and choice == "stop":
        return Reason(time, f"Waits {goal}: it chose {chosen}{others}.", standing)
    if standing and held:
        return Reason(time, f"Is held by the governor {goal}: {chosen} wants {abs(wanted):.1f} m/s{others}.", standing)
    if standing:
        return Reason(time, f"Stands or turns on the spot {goal}: {chosen}{others}.", standing)
    if choice in _GIVING_WAY:
        return Reason(time, f"Gives way {goal}: {chosen}{others}.", standing)
    if held:
        return Reason(time, f"Drives {goal}: {chosen}, slowed by the governor{others}.", standing)
    return Reason(time, f"Drives {goal}: {chosen}.", standing)


def _goal(own: Mapping[str, Any]) -> str:
    x, y = own["goal"]
    return f"{'on its way to station' if own['carrying'] else 'on its way to pick cell'} ({int(x)}, {int(y)})"


def _claim(recording: Recording, own: Mapping[str, Any]) -> str:
    """Return whom a robot waits for whose claim was refused."""
    columns, cell = recording.layout.columns, int(own["wanted_cell"])
    by = own.get("refused_by", "")
    whose = f", claimed by {by}, which goes first" if by else ""
    return f"Waits for cell ({cell % columns}, {cell // columns}){whose}."


def _chosen(choices: Sequence[str], own: Mapping[str, Any]) -> str:
    """Return the choice, with its value and that of the best other one where they are known."""
    name, values = str(own["choice"]).replace("_", " "), own.get("q_values")
    if not values:
        return name
    mine = choices.index(own["choice"])
    other = max((k for k in range(len(values)) if k != mine), key=values.__getitem__)
    return f"{name} (Q {values[mine]:.2f}, of {choices[other].replace('_', ' ')} {values[other]:.2f})"


def _nearest(recording: Recording, at: int, robot: int) -> str:
    """Return who is nearest and where, nothing (``) where nobody is near."""
    poses: NDArray[np.float64] = recording.poses[at]
    if len(poses) < 2 or not np.isfinite(poses[robot]).all():
        return ""
    away = np.linalg.norm(poses[:, :2] - poses[robot, :2], axis=1)
    away[robot] = math.inf
    other = int(np.nanargmin(away))
    if away[other] > _NEAR:
        return ""
    dx, dy = poses[other, :2] - poses[robot, :2]
    bearing = math.remainder(math.atan2(dy, dx) - poses[robot, 2], 2 * math.pi)
    sides = ("ahead", "on its left", "behind", "on its right")
    side = sides[round(bearing / (math.pi / 2)) % 4]
    return f"{recording.about.robots[other]} is {away[other]:.1f} m away {side}"


def _stops(recording: Recording) -> list[list[tuple[float, str]]]:
    """Return for each robot when it began to stand and why, or (``) to be driven again."""
    found: list[list[tuple[float, str]]] = [[] for _ in recording.about.robots]
    for event in recording.events:
        if event.kind in ("stops", "drives") and event.robot in recording.about.robots:
            found[recording.about.robots.index(event.robot)].append((event.time, event.detail))
    return found


def _stop_at(stops: Sequence[tuple[float, str]], time: float) -> str:
    return next((detail for began, detail in reversed(stops) if began <= time + 1e-6), "")
