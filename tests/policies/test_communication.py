"""What goes over the radio: the bytes that a robot's process really sends."""

from dataclasses import replace

from export.protocol.broadcasts import BROADCAST_BYTES
from policies.communication import BROADCAST, PLANNED, SEEN, bytes_per_second
from sim.scene import SceneConfig


def test_a_broadcast_is_as_long_as_the_protocol_makes_it() -> None:
    assert BROADCAST_BYTES.itemsize == BROADCAST
    # x, y, heading, speed and the waypoint's x and y as the protocol holds them, and a byte for carrying.
    assert BROADCAST_BYTES["x"].base.itemsize * 6 + BROADCAST_BYTES["carrying"].base.itemsize == SEEN
    assert PLANNED == 8 * (5 + 3)


def test_ten_messages_a_second() -> None:
    scene = SceneConfig(right_of_way="none")
    assert bytes_per_second("always-go, no rules", scene) == bytes_per_second("QMIX", scene) == 490.0
    assert bytes_per_second("always-go", replace(scene, right_of_way="plans")) == 4880.0
    assert bytes_per_second("rhcr", scene) == 490.0 + 640.0
    assert bytes_per_second("solo", scene) == 0.0
