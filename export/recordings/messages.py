"""From a recorder's blocks to the messages of a recording: rows of arrays in, one message a topic out."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from mcap.writer import Writer
from numpy.typing import NDArray

from export.recorder.block import Block
from export.recordings import ros, shapes, topics
from export.recordings.traffic import rights_of_way, way_of
from sim.layout import Layout, parse_layout

METADATA = "fleetmix"
"""Name of the metadata record in the file."""
_CHANGED = 1e-6
"""Commands that differ by less are the same [m/s, rad/s]."""
_LASTING = 3
"""Decisions for which a robot has waited for the same cell before that is an event: who follows waits for shorter."""
_SINGULAR = {"deliveries": "delivery", "picks": "pick"}
"""What one of the orders' events is called, where it isn't called what they are counted under."""
_CONTACTS = ("robot_contact", "rack_contact")

Row = Mapping[str, NDArray[Any]]


class RecordingMessages:
    """The messages of one recording, written as they come.

    Args:
        writer: the file; started.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self._robots: list[str] = []
        self._choices: list[str] = []
        self._scene: dict[str, Any] = {}
        self._started = 0
        self._last: dict[str, NDArray[Any]] = {}
        self._columns = 0
        self._refused: dict[str, tuple[int, int]] = {}  # the cell that each waits for, and since how many decisions
        self._ways: dict[str, list[int]] = {}

    def write(self, block: Block) -> None:
        """Write what a block holds."""
        getattr(self, f"_write_{block.kind}")(block.values, block.arrays)

    def _write_about(self, values: dict[str, Any], _: Row) -> None:
        self._robots, self._choices, self._scene = values["robots"], values["choices"], values["scene"]
        self._started = values["started_ns"]
        self._writer.add_metadata(METADATA, {name: json.dumps(value) for name, value in values.items()})
        for topic, schema in topics.SCHEMAS.items():
            name = f"{topic.rpartition('/')[2]}.schema.json"
            self._writer.add_attachment(
                self._started, self._started, name, "application/schema+json", json.dumps(schema, indent=1).encode()
            )
        layout = parse_layout(values["layout"], "recording")
        self._columns = layout.columns
        self._put(topics.MAP, topics.MAP, 0.0, ros.occupancy(self._started, layout))
        self._draw_scene(layout)
        self._writer.flush()

    def _draw_scene(self, layout: Layout) -> None:
        radius, height = self._scene["robot"]["radius"], self._scene["robot"]["height"]
        drawn = shapes.building(self._started, layout) + [
            shape
            for number, name in enumerate(self._robots)
            for shape in shapes.robot(self._started, name, number, radius, height)
        ]
        self._put(topics.MARKERS, topics.MARKERS, 0.0, ros.markers(drawn))

    def _write_episode(self, values: dict[str, Any], _: Row) -> None:
        self._last.clear()
        told = {name: value for name, value in values.items() if name != "time"}
        self._write_event({"time": values["time"], "kind": "episode", "robot": "", "detail": json.dumps(told)}, {})

    def _write_event(self, values: dict[str, Any], _: Row) -> None:
        self._tell(topics.EVENTS, values["time"], values)

    def _write_plan(self, values: dict[str, Any], _: Row) -> None:
        time = values["time"]
        self._put(f"/{values['robot']}/{topics.PLAN}", topics.PLAN, time, ros.path(self._at(time), values["points"]))

    def _write_rows(self, _: dict[str, Any], arrays: Row) -> None:
        """Write control periods and decisions, in the order in which they were."""
        for name, write in (("decisions", self._write_decision), ("ticks", self._write_tick)):
            rows = arrays[name]
            fields = [field for field in rows.dtype.names or () if field != "time"]
            for at, time in enumerate(rows["time"].tolist()):
                write(time, {field: rows[field][at] for field in fields})

    def _write_tick(self, time: float, row: Row) -> None:
        stamp = self._at(time)
        poses, velocities, commands = (row[name].tolist() for name in ("pose", "velocity", "command"))
        self._put(topics.TF, topics.TF, time, ros.transforms(stamp, self._robots, poses))
        for i, name in enumerate(self._robots):
            odometry = ros.odometry(stamp, name, poses[i], velocities[i])
            self._put(f"/{name}/{topics.ODOMETRY}", topics.ODOMETRY, time, odometry)
            self._put(f"/{name}/{topics.COMMAND}", topics.COMMAND, time, ros.twist(stamp, name, commands[i]))
            if "lidar" in row:
                reach, period = self._scene["robot"]["lidar_range"], self._scene["control_period"]
                self._put(
                    f"/{name}/{topics.SCAN}", topics.SCAN, time, ros.scan(stamp, name, row["lidar"][i], reach, period)
                )
        if "wanted" in row:
            self._tell_governed(time, row)
        self._tell_changes(time, row)

    def _tell_governed(self, time: float, row: Row) -> None:
        changed = np.abs(row["wanted"] - row["command"]).max(1) > _CHANGED
        if changed.any():
            robots = [
                {"robot": self._robots[i], "wanted": _short(row["wanted"][i]), "command": _short(row["command"][i])}
                for i in np.flatnonzero(changed).tolist()
            ]
            self._tell(topics.CONTROL, time, {"time": time, "robots": robots})

    def _tell_changes(self, time: float, row: Row) -> None:
        """Tell what is another than one control period before: goals, loads, contacts and what was counted."""
        stamp, crates = self._at(time), []
        for i in self._changed("goal", row):
            goal = ros.pose(stamp, *row["goal"][i].tolist())
            self._put(f"/{self._robots[i]}/{topics.GOAL}", topics.GOAL, time, goal)
        for i in self._changed("carrying", row):
            size = self._scene["robot"]["radius"], self._scene["robot"]["height"]
            crates.append(shapes.crate(stamp, self._robots[i], i, *size, bool(row["carrying"][i])))
        if crates:
            self._put(topics.MARKERS, topics.MARKERS, time, ros.markers(crates))
        counted = [name for name in row if name.startswith("count_")]
        for name, kind in [(name, name.removeprefix("count_")) for name in counted]:
            for i in self._risen(name, row):
                self._happened(time, _SINGULAR.get(kind, kind), i)
        for name in _CONTACTS:
            if name in row:
                for i in self._risen(name, row):
                    self._happened(time, name, i)
        self._last = {name: row[name].copy() for name in ("goal", "carrying", *_CONTACTS, *counted) if name in row}

    def _happened(self, time: float, kind: str, robot: int) -> None:
        self._tell(topics.EVENTS, time, {"time": time, "kind": kind, "robot": self._robots[robot], "detail": ""})

    def _changed(self, name: str, row: Row) -> list[int]:
        now, before = row[name], self._last.get(name)
        differs = np.ones(len(now), np.bool_) if before is None else now != before
        return np.flatnonzero(differs.reshape(len(now), -1).any(1)).tolist()

    def _risen(self, name: str, row: Row) -> list[int]:
        return np.flatnonzero(row[name] > self._last.get(name, 0)).tolist()

    def _write_decision(self, time: float, row: Row) -> None:
        robots, rights = [], rights_of_way(row["record"]) if "record" in row else []
        for i, name in enumerate(self._robots):
            own: dict[str, Any] = {
                "robot": name,
                "choice": self._choices[int(row["choice"][i])],
                "goal": row["goal"][i].tolist(),
                "carrying": bool(row["carrying"][i]),
            }
            if "remaining" in row:
                own["remaining_path"] = round(float(row["remaining"][i]), 2)
            own |= {key: _exact(row[key][i]) for key in ("q_values", "observation") if key in row}
            own |= self._rights(time, i, rights[i], row["record"][i]) if rights else {}
            if "fresh" in row:
                own["fresh"] = bool(row["fresh"][i])
            robots.append(own)
        self._tell(topics.DECISIONS, time, {"time": time, "robots": robots})

    def _rights(self, time: float, robot: int, own: dict[str, Any], record: NDArray[np.float64]) -> dict[str, Any]:
        """Return a robot's claims as its decision holds them; tell of a claim that stays refused, and of a new way."""
        name, wanted = self._robots[robot], own.get("wanted_cell", -1)
        if "refused_by" in own:
            own["refused_by"] = self._robots[own["refused_by"]]
        before, since = self._refused.get(name, (-1, 0))
        since = since + 1 if wanted == before else 0
        self._refused[name] = wanted, since
        if wanted >= 0 and since == _LASTING:
            by = f", claimed by {own['refused_by']}" if "refused_by" in own else ""
            detail = f"cell ({wanted % self._columns}, {wanted // self._columns}){by}"
            self._tell(topics.EVENTS, time, {"time": time, "kind": "refused", "robot": name, "detail": detail})
        way = way_of(record)
        if way and way[-1:] != self._ways.get(name, [])[-1:]:
            self._ways[name] = way
            points = [(cell % self._columns + 0.5, cell // self._columns + 0.5) for cell in (*own["claims"], *way[1:])]
            self._put(f"/{name}/{topics.PLAN}", topics.PLAN, time, ros.path(self._at(time), points))
        return own

    def _tell(self, topic: str, time: float, values: Mapping[str, Any]) -> None:
        rounded = {**values, "time": round(values["time"], 6)}
        self._put(topic, topic, time, ros.text(json.dumps(rounded, separators=(",", ":"))))

    def _put(self, topic: str, kind: str, time: float, data: bytes) -> None:
        stamp = self._at(time)
        self._writer.add_message(self._channel(topic, kind), stamp, data, stamp)

    def _at(self, time: float) -> int:
        return self._started + round(time * 1e9)

    def _channel(self, topic: str, kind: str) -> int:
        if topic not in self._channels:
            name = topics.TYPES[kind]
            if name not in self._schemas:
                self._schemas[name] = self._writer.register_schema(name, "ros2msg", ros.definition(name))
            self._channels[topic] = self._writer.register_channel(topic, "cdr", self._schemas[name])
        return self._channels[topic]


def _exact(values: NDArray[np.float32]) -> list[float]:
    """Return float32 numbers as the shortest decimals that are read back as the same."""
    return [float(str(value)) for value in values]


def _short(values: NDArray[np.float64]) -> list[float]:
    return [round(value, 4) for value in values.tolist()]
