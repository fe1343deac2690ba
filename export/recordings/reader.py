"""Recordings, read: everything that replay, verification and reports need, as arrays over time.

A file that was cut short, because its process was killed or its disk was full, is read up to where it ends.
"""

import json
import struct
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zstandard
from mcap.exceptions import McapError
from mcap.records import Channel, Footer, Message, Metadata
from mcap.stream_reader import StreamReader
from numpy.typing import NDArray

from export.recorder.recorder import VERSION, About
from export.recordings import ros, topics
from export.recordings.messages import METADATA
from sim.errors import InputError, require
from sim.layout import Layout, parse_layout

_CUT = (McapError, struct.error, zstandard.ZstdError, ValueError, KeyError)
"""What the library raises where a file ends in the middle of something, or holds something else."""


class Event(NamedTuple):
    """Something that happened."""

    time: float
    """Since the recording began [s]."""
    kind: str
    """As in the schema of `/fleet/events`."""
    robot: str
    """Whom it concerns; nothing (``) where it is the whole fleet."""
    detail: str


class Plan(NamedTuple):
    """The way that a robot meant to take from then on."""

    time: float
    robot: int
    points: NDArray[np.float64]
    """x, y [points, 2], m."""


@dataclass(frozen=True)
class Recording:
    """What a file holds."""

    path: Path
    about: About
    layout: Layout
    whole: bool
    """False where the file was cut short."""
    times: NDArray[np.float64]
    """Of the control periods, since the recording began [ticks], s."""
    poses: NDArray[np.float64]
    """x, y [m], heading [rad], [ticks, robots, 3]."""
    commands: NDArray[np.float64]
    """Speed [m/s], turn rate [rad/s], [ticks, robots, 2]."""
    wanted: NDArray[np.float64]
    """What the governor made the commands of, the same where it changed nothing [ticks, robots, 2]."""
    decisions: list[dict[str, Any]]
    """In the order of time, as in the schema of `/fleet/decisions`."""
    events: list[Event]
    """In the order of time."""
    plans: list[Plan]
    """In the order of time."""

    @property
    def period(self) -> float:
        """Length of a control period [s]."""
        return float(self.about.scene["control_period"])

    @property
    def episodes(self) -> list[float]:
        """When each episode begins [s]."""
        return [event.time for event in self.events if event.kind == "episode"] or [0.0]


def read_recording(path: Path) -> Recording:
    """Return what a recording holds, as far as it goes.

    Raises:
        InputError: there is no such file, it is no recording, of another version, or cut before its first second.
    """
    require(path.is_file(), "recording", str(path), "a file that --record wrote")
    messages, metadata, whole = _read_messages(path)
    if metadata is None:
        raise InputError(f"recording {str(path)!r} does not say what it holds; valid is a file that --record wrote")
    if metadata.get("version") != VERSION:
        raise InputError(
            f"recording {str(path)!r} is of version {metadata.get('version')}; this release reads {VERSION}"
        )
    about = About(
        tuple(metadata["robots"]), metadata["layout"], metadata["scene"], tuple(metadata["choices"]),
        metadata["policy"], metadata["bundle"],
    )  # fmt: skip
    if not messages[topics.TF]:
        raise InputError(f"recording {str(path)!r} was cut before anything happened; valid is a longer one")
    return _assemble(path, about, messages, metadata["started_ns"], whole)


def _read_messages(path: Path) -> tuple[dict[str, list[Message]], dict[str, Any] | None, bool]:
    """Return the messages of each topic, in the order of time, the metadata, and whether the file has its end."""
    messages: dict[str, list[Message]] = defaultdict(list)
    channels: dict[int, str] = {}
    metadata, whole = None, False
    with path.open("rb") as file:
        try:
            for record in StreamReader(file).records:
                if isinstance(record, Channel):
                    channels[record.id] = record.topic
                elif isinstance(record, Message):
                    messages[channels[record.channel_id]].append(record)
                elif isinstance(record, Metadata) and record.name == METADATA:
                    metadata = {name: json.loads(value) for name, value in record.metadata.items()}
                elif isinstance(record, Footer):
                    whole = True
        except _CUT as error:
            if not channels and metadata is None:
                raise InputError(f"recording {str(path)!r} is no MCAP file ({error!r})") from error
    for each in messages.values():
        each.sort(key=lambda message: message.log_time)
    return messages, metadata, whole


def _assemble(path: Path, about: About, messages: dict[str, list[Message]], started: int, whole: bool) -> Recording:
    tf = messages[topics.TF]
    stamps = np.array([message.log_time for message in tf])
    poses = np.array([_poses(message.data) for message in tf])
    commands = np.zeros((len(tf), len(about.robots), 2))
    for i, name in enumerate(about.robots):
        sent = messages[f"/{name}/{topics.COMMAND}"]
        at = np.searchsorted(stamps, [message.log_time for message in sent])
        for row, message in zip(at.tolist(), sent, strict=True):
            if row < len(tf):
                twist = ros.deserialize(message.data, topics.TYPES[topics.COMMAND]).twist
                commands[row, i] = twist.linear.x, twist.angular.z
    wanted = commands.copy()
    for message in messages[topics.CONTROL]:
        row = int(np.searchsorted(stamps, message.log_time))
        for changed in _json(message)["robots"] if row < len(tf) else ():
            i = about.robots.index(changed["robot"])
            wanted[row, i], commands[row, i] = changed["wanted"], changed["command"]
    events = [Event(**_json(message)) for message in messages[topics.EVENTS]]
    return Recording(
        path, about, parse_layout(about.layout, str(path)), whole, (stamps - started) / 1e9, poses, commands, wanted,
        [_json(message) for message in messages[topics.DECISIONS]], events, _plans(about, messages, started),
    )  # fmt: skip


def _plans(about: About, messages: dict[str, list[Message]], started: int) -> list[Plan]:
    found = []
    for i, name in enumerate(about.robots):
        for message in messages[f"/{name}/{topics.PLAN}"]:
            poses = ros.deserialize(message.data, topics.TYPES[topics.PLAN]).poses
            points = np.array([(each.pose.position.x, each.pose.position.y) for each in poses])
            found.append(Plan((message.log_time - started) / 1e9, i, points))
    return sorted(found, key=lambda plan: plan.time)


def _poses(data: bytes) -> list[tuple[float, float, float]]:
    rows = []
    for each in ros.deserialize(data, topics.TYPES[topics.TF]).transforms:
        place, turn = each.transform.translation, each.transform.rotation
        rows.append((place.x, place.y, 2.0 * float(np.arctan2(turn.z, turn.w))))
    return rows


def _json(message: Message) -> Any:
    return json.loads(ros.deserialize(message.data, "std_msgs/msg/String").data)
