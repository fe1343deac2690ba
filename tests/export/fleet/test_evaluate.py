import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

import fleetmix
from export.protocol import transport
from tests.export.conftest import SCENE


@pytest.mark.slow
def test_drive_with_processes_prints_the_table_of_drive(mlp_bundle: Path, tmp_path: Path) -> None:
    tables = []
    for name, more in (("one", []), ("many", ["--processes"])):
        file = tmp_path / name
        fleetmix.main(["drive", str(mlp_bundle), "--episodes", "2", "--json", str(file), *more])
        tables.append(json.loads(file.read_text()))
    assert [row["policy"] for row in tables[1]] == [tables[0][0]["policy"], "QMIX, ONNX, processes", "solo"]
    for here, there in zip(*tables, strict=True):
        unlike = dict.fromkeys(("policy", "decision_us", "decision_us_p99"))
        assert {**here, **unlike} == {**there, **unlike}


def wait_for_robots(pid: int) -> list[psutil.Process]:
    """The processes of the robots that the process with this number starts."""
    end = time.monotonic() + 30
    while len(robots := psutil.Process(pid).children(recursive=True)) < SCENE.robots:
        assert time.monotonic() < end
        time.sleep(0.05)
    return robots


def wait_for_sensors(robot: psutil.Process) -> None:
    """Returns when a robot's base sends sensors: the episodes have begun."""
    command, sent = robot.cmdline(), threading.Event()
    endpoint, name = (command[command.index(option) + 1] for option in ("--connect", "--id"))
    with transport.open_session(connect=endpoint) as session:
        subscriber = transport.subscribe(session, transport.sensors_key(name), lambda _: sent.set())
        assert sent.wait(30)
        subscriber.undeclare()


@pytest.mark.slow
def test_ctrl_c_ends_a_drive_with_processes_and_leaves_none_behind(mlp_bundle: Path) -> None:
    arguments = [sys.executable, "-m", "fleetmix", "drive", str(mlp_bundle), "--processes", "--episodes", "1000"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            robots = wait_for_robots(process.pid)
            wait_for_sensors(robots[0])
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)[0]
        finally:
            process.kill()  # the context would wait for its thousand episodes
    assert process.returncode == 130
    assert said == "fleetmix: interrupted\n"
    assert not any(robot.is_running() for robot in robots)
