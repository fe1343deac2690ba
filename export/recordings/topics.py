"""The topics of a recording, their types, and the JSON schemas of those that hold what ROS has no message for.

Those are `std_msgs/msg/String` with JSON in them and not channels of another encoding: `ros2 bag play` of every release
before the end of 2026 refuses files that mix encodings. Their schemas lie in the file as attachments.
"""

from typing import Any

TF, MAP, MARKERS = "/tf", "/map", "/markers"
DECISIONS, CONTROL, EVENTS = "/fleet/decisions", "/fleet/control", "/fleet/events"
ODOMETRY, COMMAND, GOAL, PLAN, SCAN = "odom", "cmd_vel", "goal_pose", "plan", "scan"
"""Below each robot's name."""

TYPES = {
    TF: "tf2_msgs/msg/TFMessage",
    MAP: "nav_msgs/msg/OccupancyGrid",
    MARKERS: "visualization_msgs/msg/MarkerArray",
    ODOMETRY: "nav_msgs/msg/Odometry",
    COMMAND: "geometry_msgs/msg/TwistStamped",
    GOAL: "geometry_msgs/msg/PoseStamped",
    PLAN: "nav_msgs/msg/Path",
    SCAN: "sensor_msgs/msg/LaserScan",
    DECISIONS: "std_msgs/msg/String",
    CONTROL: "std_msgs/msg/String",
    EVENTS: "std_msgs/msg/String",
}
"""ROS 2 type of each topic."""


def _object(title: str, description: str, properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    return {
        "title": title,
        "description": description,
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


_NUMBER: dict[str, Any] = {"type": "number"}
_PAIR: dict[str, Any] = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}
_NUMBERS: dict[str, Any] = {"type": "array", "items": _NUMBER}
_TEXT: dict[str, Any] = {"type": "string"}

SCHEMAS: dict[str, dict[str, Any]] = {
    DECISIONS: _object(
        "Decisions",
        "What every robot knew and chose when a decision was due.",
        {
            "time": {**_NUMBER, "description": "since the recording began [s]"},
            "robots": {
                "type": "array",
                "items": _object(
                    "Decision",
                    "One robot's.",
                    {
                        "robot": _TEXT,
                        "choice": {**_TEXT, "description": "the maneuver that it follows from now on"},
                        "goal": {**_PAIR, "description": "of its order, x, y [m]"},
                        "carrying": {"type": "boolean", "description": "on the way to a station"},
                        "remaining_path": {**_NUMBER, "description": "to the goal [m]"},
                        "q_values": {**_NUMBERS, "description": "of each choice, where a network chose"},
                        "observation": {**_NUMBERS, "description": "float32, as the network was given it"},
                        "claims": {**_NUMBERS, "description": "cells of the map, row by row, that it may enter"},
                        "priority": {**_NUMBER, "description": "higher goes first"},
                        "wanted_cell": {**_NUMBER, "description": "the cell that it waits for, where there is one"},
                        "refused_by": {**_TEXT, "description": "who claims or asks for that cell"},
                        "fresh": {"type": "boolean", "description": "whether the network forgot the past before it"},
                    },
                    "q_values", "observation", "fresh", "remaining_path",
                    "claims", "priority", "wanted_cell", "refused_by",
                ),
            },
        },
    ),
    CONTROL: _object(
        "Control",
        "The commands that the governor changed; robots that got what tracking asked for are left out.",
        {
            "time": {**_NUMBER, "description": "since the recording began [s]"},
            "robots": {
                "type": "array",
                "items": _object(
                    "Changed command",
                    "One robot's: speed [m/s], turn rate [rad/s].",
                    {"robot": _TEXT, "wanted": _PAIR, "command": _PAIR},
                ),
            },
        },
    ),
    EVENTS: _object(
        "Event",
        "Something that happened.",
        {
            "time": {**_NUMBER, "description": "since the recording began [s]"},
            "kind": {
                **_TEXT,
                "description": "episode (it begins), pick, delivery (or what else the orders count), robot_contact, "
                "rack_contact (it begins), refused (a claim), drives, stops (why), dropped (messages, why), "
                "process (another is obeyed)",
            },
            "robot": {**_TEXT, "description": "whom it concerns; nothing where it is the whole fleet"},
            "detail": _TEXT,
        },
    ),
}  # fmt: skip
"""JSON schema of each topic that holds JSON."""
