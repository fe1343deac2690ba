"""A recording as other people's tools read it: `mcap` and `mcap-ros2-support`, which know nothing of this project."""

import json
import math
from collections import Counter
from typing import Any

import jsonschema
import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from export.recordings import topics
from tests.export.recordings.conftest import SECONDS, SEEDS, Driven

Decoded = dict[str, list[tuple[int, Any]]]
TICKS = round(10 * SECONDS) * len(SEEDS)


@pytest.fixture(scope="module")
def decoded(driven: Driven) -> Decoded:
    """Each topic's messages, with their times."""
    found: Decoded = {}
    with driven.file.open("rb") as file:
        for _, channel, message, content in make_reader(
            file, decoder_factories=[DecoderFactory()]
        ).iter_decoded_messages():
            found.setdefault(channel.topic, []).append((message.log_time, content))
    return found


def test_every_topic_has_the_type_that_ros_2_knows(driven: Driven) -> None:
    with driven.file.open("rb") as file:
        reader = make_reader(file)
        assert reader.get_header().profile == "ros2"
        summary = reader.get_summary()
    assert summary is not None
    for channel in summary.channels.values():
        schema = summary.schemas[channel.schema_id]
        kind = channel.topic if channel.topic in topics.TYPES else channel.topic.rpartition("/")[2]
        assert (schema.name, schema.encoding, channel.message_encoding) == (topics.TYPES[kind], "ros2msg", "cdr")
    per_robot = {f"/robot_{i}/{kind}" for i in range(3) for kind in ("odom", "cmd_vel", "goal_pose", "plan", "scan")}
    whole = {"/tf", "/map", "/markers", "/fleet/decisions", "/fleet/control", "/fleet/events"}
    assert {channel.topic for channel in summary.channels.values()} == per_robot | whole


def test_every_control_period_is_there(decoded: Decoded) -> None:
    for topic in ("/tf", "/robot_0/odom", "/robot_2/cmd_vel", "/robot_1/scan"):
        stamps = [stamp for stamp, _ in decoded[topic]]
        assert len(stamps) == TICKS
        assert np.diff(stamps).tolist() == [100_000_000] * (TICKS - 1)


def test_poses_are_where_the_robots_were(driven: Driven, decoded: Decoded) -> None:
    for decision in (0, 7, 120):
        _, tf = decoded["/tf"][4 * decision]
        for i, (x, y, heading) in enumerate(driven.poses[decision].tolist()):
            frame = tf.transforms[i]
            _, odometry = decoded[f"/robot_{i}/odom"][4 * decision]
            assert (frame.header.frame_id, frame.child_frame_id) == ("map", f"robot_{i}/base_link")
            for place in (frame.transform.translation, odometry.pose.pose.position):
                assert (place.x, place.y) == pytest.approx((x, y), abs=1e-4)
            for turn in (frame.transform.rotation, odometry.pose.pose.orientation):
                assert math.cos(2 * math.atan2(turn.z, turn.w) - heading) == pytest.approx(1, abs=1e-6)


def test_scans_have_a_ray_ahead_first(driven: Driven, decoded: Decoded) -> None:
    _, scan = decoded["/robot_1/scan"][4 * 50]
    assert list(scan.ranges) == driven.observations[50, 1, :24].tolist()
    assert (scan.angle_min, scan.angle_increment, scan.range_max) == pytest.approx((0, 2 * math.pi / 24, 4))


def test_json_follows_its_schemas(driven: Driven, decoded: Decoded) -> None:
    with driven.file.open("rb") as file:
        attached = {each.name: json.loads(each.data) for each in make_reader(file).iter_attachments()}
    for topic in (topics.DECISIONS, topics.CONTROL, topics.EVENTS):
        schema = attached[f"{topic.rpartition('/')[2]}.schema.json"]
        checker = jsonschema.Draft202012Validator(schema)
        for _, message in decoded[topic]:
            checker.validate(json.loads(message.data))


def test_decisions_hold_what_the_network_was_given_bit_for_bit(driven: Driven, decoded: Decoded) -> None:
    told = [json.loads(message.data)["robots"] for _, message in decoded["/fleet/decisions"]]
    assert len(told) == len(driven.maneuvers)
    for name, expected in (("observation", driven.observations), ("q_values", driven.q_values)):
        recorded = np.array([[robot[name] for robot in robots] for robots in told], np.float32)
        assert recorded.tobytes() == expected.tobytes()
    assert [[robot["choice"] for robot in robots] for robots in told] == [["go"] * 3] * len(told)
    fresh = [index for index, robots in enumerate(told) if robots[0]["fresh"]]
    assert fresh == [0, len(told) // 2]


def test_events_count_what_the_orders_counted(driven: Driven, decoded: Decoded) -> None:
    events = [json.loads(message.data) for _, message in decoded["/fleet/events"]]
    kinds = Counter(event["kind"] for event in events)
    assert (kinds["episode"], kinds["delivery"], kinds["pick"]) == (len(SEEDS), driven.deliveries, driven.picks)
    assert driven.picks > 2
    assert [json.loads(event["detail"])["seed"] for event in events if event["kind"] == "episode"] == list(SEEDS)


def test_the_governor_only_ever_takes_speed_away_on_a_straight_way(decoded: Decoded) -> None:
    changed = [robot for _, message in decoded["/fleet/control"] for robot in json.loads(message.data)["robots"]]
    assert changed
    assert all(robot["wanted"] != robot["command"] for robot in changed)


def test_plans_lead_to_the_goal(decoded: Decoded) -> None:
    for i in range(3):
        (_, goal), (_, plan) = decoded[f"/robot_{i}/goal_pose"][0], decoded[f"/robot_{i}/plan"][0]
        last = plan.poses[-1].pose.position
        assert (last.x, last.y) == (goal.pose.position.x, goal.pose.position.y)
        steps = np.diff([(each.pose.position.x, each.pose.position.y) for each in plan.poses[1:]], axis=0)
        assert (np.abs(steps) <= 1).all()  # from cell to cell
