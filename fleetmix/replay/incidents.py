"""What happened in a recording that somebody may want to look at: a list, in the order of time."""

import csv
import io
import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from export.recordings.reader import Event, Recording
from fleetmix.replay.motion import STANDING, Motion, motion_of, spells
from fleetmix.replay.reasons import Reason, reason_at, reasons_of
from policies.episode import DEADLOCK_DISTANCE, DEADLOCK_TIME

LONG_WAIT = 5.0
"""A robot that stands for longer waits long [s]."""
_PLAIN = {"delivery": "delivers", "pick": "picks up"}


class Incident(NamedTuple):
    """Something that happened."""

    time: float
    """Since the recording began [s]."""
    kind: str
    """contact, deadlock, stop, wait, refused, delivery, pick, episode or other."""
    robot: int
    """Its number; -1 where it is the whole fleet."""
    text: str


def incidents_of(recording: Recording, reasons: Sequence[Sequence[Reason]] | None = None) -> list[Incident]:
    """Return everything that happened, in the order of time."""
    motion = motion_of(recording)
    told = reasons_of(recording, motion) if reasons is None else reasons
    found = [incident for event in recording.events for incident in [_told(recording, event)] if incident]
    found += _deadlocks(recording, motion) + _waits(recording, motion, told)
    return sorted(found, key=lambda incident: incident.time)


def _told(recording: Recording, event: Event) -> Incident | None:
    """Return what an event of the recording is called here, if anybody wants to look at it."""
    robot = recording.about.robots.index(event.robot) if event.robot in recording.about.robots else -1
    if event.kind == "episode":
        values = json.loads(event.detail)
        return Incident(event.time, "episode", -1, f"episode {values['number'] + 1} begins (seed {values['seed']})")
    if event.kind in _PLAIN:
        return Incident(event.time, event.kind, robot, f"{event.robot} {_PLAIN[event.kind]}")
    if event.kind == "robot_contact":
        return Incident(event.time, "contact", robot, f"{event.robot} touches {_neighbour(recording, event)}")
    if event.kind == "rack_contact":
        return Incident(event.time, "contact", robot, f"{event.robot} touches a rack")
    if event.kind == "stops":
        return Incident(event.time, "stop", robot, f"{event.robot} stands: {event.detail}")
    if event.kind == "refused":
        return Incident(event.time, "refused", robot, f"{event.robot} is refused {event.detail}")
    if event.kind == "drives":
        return Incident(event.time, "other", robot, f"{event.robot} is driven")
    return Incident(event.time, "other", robot, f"{event.robot}: {event.kind} {event.detail}".strip())


def _neighbour(recording: Recording, event: Event) -> str:
    """Return the name of the robot that is nearest to another one."""
    at = min(int(np.searchsorted(recording.times, event.time - 1e-6)), len(recording.times) - 1)
    me = recording.about.robots.index(event.robot)
    away = np.linalg.norm(recording.poses[at, :, :2] - recording.poses[at, me, :2], axis=1)
    away[me] = np.inf
    return recording.about.robots[int(away.argmin())] if len(away) > 1 else "a robot"


def _deadlocks(recording: Recording, motion: Motion) -> list[Incident]:
    """Return where a robot begins to have driven too little for too long."""
    window, found = round(DEADLOCK_TIME / recording.period), []
    if len(motion.driven) <= window:
        return []
    still = motion.driven[window:] - motion.driven[:-window] < DEADLOCK_DISTANCE
    still &= (motion.episode[window:] == motion.episode[:-window])[:, None]
    for robot in range(still.shape[1]):
        for start, _ in spells(still[:, robot], motion.episode[window:]):
            text = f"{recording.about.robots[robot]} has not moved for {DEADLOCK_TIME:.0f} s"
            found.append(Incident(float(recording.times[start + window]), "deadlock", robot, text))
    return found


def _waits(recording: Recording, motion: Motion, reasons: Sequence[Sequence[Reason]]) -> list[Incident]:
    found = []
    for robot, name in enumerate(recording.about.robots):
        for start, end in spells(motion.speeds[:, robot] < STANDING, motion.episode):
            lasted = (end - start) * recording.period
            if lasted < LONG_WAIT:
                continue
            time = float(recording.times[start])
            reason = reason_at(reasons[robot], time + 0.5 * lasted)
            why = f": {reason.text[:1].lower()}{reason.text[1:]}" if reason and reason.standing else ""
            found.append(Incident(time, "wait", robot, f"{name} stands for {lasted:.1f} s{why}"))
    return found


def as_csv(recording: Recording, incidents: Sequence[Incident]) -> str:
    """Return incidents as CSV: time [s], kind, robot, text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("time", "kind", "robot", "text"))
    for time, kind, robot, what in incidents:
        writer.writerow((f"{time:.1f}", kind, recording.about.robots[robot] if robot >= 0 else "", what))
    return text.getvalue()
