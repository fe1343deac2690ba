import sys
import threading
from types import FrameType
from typing import Any, cast

from export.protocol.stop_latch import StopLatch
from export.robot.gate import Gate
from export.robot.inbox import SensorInbox
from export.robot.loop import RobotLoop
from export.robot.pilot import Pilot
from tests.export.robot_bench import ME, NAME, WIRE


def test_a_second_signal_while_the_first_is_handled_does_not_hang() -> None:
    inbox, latch, sent = SensorInbox(WIRE, ME, True), StopLatch(NAME), list[bytes]()
    gate = Gate(WIRE, ME, WIRE.robot, 0.1, latch, sent.append)
    pilot = cast("Pilot", None)  # there are no sensors to decide about
    loop = RobotLoop(pilot, inbox, latch, gate, 0.1, True, lambda reason, detail: None, lambda text: None)
    lines = 0

    def interrupt(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += 1
        sys.settrace(None)
        loop.end()  # as the handler of another signal would, before each line of the first one's
        sys.settrace(interrupt)
        return interrupt

    def handle() -> None:
        sys.settrace(interrupt)
        loop.end()
        sys.settrace(None)

    handler = threading.Thread(target=handle, daemon=True)
    handler.start()
    handler.join(10.0)
    assert not handler.is_alive()
    assert lines > 5
    loop.run()
    assert len(sent) == 1
