"""From rows to messages, with rows made by hand."""

import io
import json
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.writer import Writer
from mcap_ros2.decoder import DecoderFactory
from numpy.typing import NDArray

from export.recorder.block import Block, pack_block, read_block
from export.recordings.messages import RecordingMessages
from sim.layout import load_layout

TICK = np.dtype(
    [
        ("time", "<f8"), ("pose", "<f8", (2, 3)), ("velocity", "<f8", (2, 2)), ("command", "<f8", (2, 2)),
        ("wanted", "<f8", (2, 2)), ("goal", "<f8", (2, 2)), ("carrying", "?", (2,)), ("robot_contact", "?", (2,)),
        ("rack_contact", "?", (2,)), ("count_deliveries", "<i8", (2,)),
    ]
)  # fmt: skip
ABOUT = {
    "robots": ["robot_0", "robot_1"], "layout": load_layout("crossing").text(), "choices": ["stop", "go"],
    "scene": {"robot": {"radius": 0.3, "height": 0.25, "lidar_range": 4.0}, "control_period": 0.1},
    "policy": "x", "bundle": "", "version": 1, "started_ns": 5_000_000_000,
}  # fmt: skip
NO_DECISIONS = np.zeros(0, [("time", "<f8")])


def told(ticks: NDArray[Any], topic: str) -> list[tuple[float, Any]]:
    """What a topic tells of these control periods: times since the start [s] and messages."""
    file = io.BytesIO()
    writer = Writer(file)
    writer.start(profile="ros2")
    messages = RecordingMessages(writer)
    messages.write(Block("about", ABOUT, {}))
    messages.write(Block("rows", {}, {"decisions": NO_DECISIONS, "ticks": ticks}))
    writer.finish()
    reader = make_reader(io.BytesIO(file.getvalue()), decoder_factories=[DecoderFactory()])
    return [
        ((message.log_time - 5_000_000_000) / 1e9, content)
        for _, channel, message, content in reader.iter_decoded_messages()
        if channel.topic == topic
    ]


def rows(count: int) -> NDArray[Any]:
    ticks = np.zeros(count, TICK)
    ticks["time"] = np.arange(count) / 10
    return ticks


def test_a_contact_is_told_when_it_begins_and_once() -> None:
    ticks = rows(6)
    ticks["robot_contact"][2:4], ticks["rack_contact"][4, 1] = True, True
    events = [json.loads(message.data) for _, message in told(ticks, "/fleet/events")]
    assert [(event["time"], event["kind"], event["robot"]) for event in events] == [
        (0.2, "robot_contact", "robot_0"), (0.2, "robot_contact", "robot_1"), (0.4, "rack_contact", "robot_1"),
    ]  # fmt: skip


def test_a_delivery_is_told_when_it_is_counted() -> None:
    ticks = rows(4)
    ticks["count_deliveries"][:, 0] = [3, 3, 4, 4]  # the first row may begin in the middle of an episode
    events = [json.loads(message.data) for _, message in told(ticks, "/fleet/events")]
    assert [(event["time"], event["kind"]) for event in events if event["time"] > 0] == [(0.2, "delivery")]


def test_a_goal_is_told_when_it_changes() -> None:
    ticks = rows(5)
    ticks["goal"][3:, 1] = 2.5, 3.5
    goals = told(ticks, "/robot_1/goal_pose")
    assert [time for time, _ in goals] == [0.0, 0.3]
    assert (goals[1][1].pose.position.x, goals[1][1].pose.position.y) == (2.5, 3.5)


def test_only_what_the_governor_changed_is_told() -> None:
    ticks = rows(3)
    ticks["wanted"][1, 1], ticks["command"][1, 1] = (1.2, 0.5), (0.7, 0.5)
    (at, message), = told(ticks, "/fleet/control")  # fmt: skip
    assert at == 0.1
    assert json.loads(message.data)["robots"] == [{"robot": "robot_1", "wanted": [1.2, 0.5], "command": [0.7, 0.5]}]


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e300])
def test_bad_sensors_are_recorded_as_they_came(value: float) -> None:
    ticks = rows(2)
    ticks["pose"][1, 0, 0] = value
    (_, message) = told(ticks, "/robot_0/odom")[1]
    assert message.pose.pose.position.x == pytest.approx(value, nan_ok=True)


def test_blocks_cross_a_pipe_unchanged_and_end_where_it_is_cut() -> None:
    ticks = rows(2)
    ticks["pose"] = np.random.default_rng(0).normal(size=(2, 2, 3))
    data = pack_block("rows", {"a": [1, "x"]}, {"ticks": ticks, "decisions": NO_DECISIONS})
    stream = io.BytesIO(data + data[:-1])
    block = read_block(stream)
    assert block is not None
    assert (block.kind, block.values) == ("rows", {"a": [1, "x"]})
    assert block.arrays["ticks"].tobytes() == ticks.tobytes()
    assert block.arrays["ticks"].dtype == ticks.dtype
    assert read_block(stream) is None
