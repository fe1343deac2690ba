import os
import sys
import time

import pytest

from export.robot.report import RobotLog


@pytest.mark.parametrize("lines", [600, 3000])
def test_a_terminal_that_hangs_does_not_keep_the_robot(monkeypatch: pytest.MonkeyPatch, lines: int) -> None:
    reader, writer = os.pipe()  # nobody reads it, so it takes 64 KiB and no more
    stuck = os.fdopen(writer, "w")
    monkeypatch.setattr(sys, "stderr", stuck)
    log = RobotLog("robot_0", None)
    begin = time.monotonic()
    for _ in range(lines):
        log.write("x" * 1000)
    assert log.lost >= lines - 1100
    log.close()
    assert time.monotonic() - begin < 5
    os.close(reader)  # the thread that writes ends
