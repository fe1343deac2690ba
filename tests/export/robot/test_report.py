import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from export.protocol.messages import Reason
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


def test_a_log_for_programs_holds_an_object_a_line_of_the_level_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "robot.log"
    log = RobotLog("robot_3", file, "warning", as_json=True)
    log.write("waits")
    log.report(Reason.OVERRUN, "no command\nwithin 0.1 s")
    log.close()
    (line,) = file.read_text().splitlines()
    values = json.loads(line)
    assert datetime.fromisoformat(values.pop("time")).tzinfo is not None
    assert values == {
        "level": "warning", "robot": "robot_3", "message": "stops: overrun: no command\nwithin 0.1 s",
    }  # fmt: skip
