import os
import sys
import time

import pytest

from export.robot.report import RobotLog


@pytest.mark.parametrize(("lines", "least", "most"), [(600, 0, 0), (3000, 1900, 2000)])  # a thousand may wait
def test_a_terminal_that_hangs_does_not_keep_the_robot(
    monkeypatch: pytest.MonkeyPatch, lines: int, least: int, most: int
) -> None:
    reader, writer = os.pipe()  # nobody reads it, so it takes 64 KiB and no more
    stuck = os.fdopen(writer, "w")
    monkeypatch.setattr(sys, "stderr", stuck)
    log = RobotLog("robot_0", None)
    begin = time.monotonic()
    for _ in range(lines):
        log.write("x" * 1000)
    assert least <= log.lost <= most
    log.close()
    assert time.monotonic() - begin < 5
    os.close(reader)  # the thread that writes ends
