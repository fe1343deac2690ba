"""The recorder when something fails: processes that are killed, disks that are full."""

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from export.recorder.recorder import About, Recorder
from export.recordings.reader import read_recording
from sim.errors import InputError
from sim.layout import load_layout
from tests.house import ROOT

ABOUT = About(
    ("robot_0",), load_layout("crossing").text(),
    {"robot": {"radius": 0.3, "height": 0.25, "lidar_range": 4.0}, "control_period": 0.1}, ("go",), "nobody",
)  # fmt: skip
TICK = {"pose": np.zeros((1, 3)), "velocity": np.zeros((1, 2)), "command": np.zeros((1, 2)), "goal": np.zeros((1, 2)),
        "carrying": np.zeros(1, np.bool_)}  # fmt: skip
SCRIPT = """
import time
from pathlib import Path
import sys
from tests.export.recorder.test_recorder import open_recorder, tick
recorder = open_recorder(Path(sys.argv[1]), print)
began = time.monotonic()
while True:
    now = time.monotonic() - began
    tick(recorder, now)
    print(now, flush=True)
    time.sleep(0.05)
"""


def open_recorder(file: Path, log, wait: bool = False) -> Recorder:
    return Recorder(file, ABOUT, TICK, {}, wait, log)


def tick(recorder: Recorder, now: float) -> None:
    """A control period in which the robot is where the clock says."""
    TICK["pose"][0, 0] = now
    recorder.tick(now, TICK)


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has recorded for two seconds."""
    file = tmp_path / "flight.mcap"
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(file)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while float(process.stdout.readline()) < 2.0:
            pass
        yield process, file
        process.kill()


def last_line(process: "subprocess.Popen[str]") -> float:
    """When the process, which was killed, last said that it had recorded [s]."""
    assert process.stdout is not None
    said = [line for line in process.stdout.read().split("\n")[:-1] if line[0].isdecimal()]
    return float(said[-1]) if said else 2.0  # that was read before


def last_recorded(file: Path) -> float:
    return float(read_recording(file).times[-1])


@pytest.mark.slow
def test_a_killed_process_loses_at_most_a_second(recording: tuple[subprocess.Popen[str], Path]) -> None:
    process, file = recording
    assert process.stdout is not None
    (writer,) = psutil.Process(process.pid).children()
    process.kill()
    last = last_line(process)
    writer.wait(10)
    assert last_recorded(file) > last - 1.0
    assert read_recording(file).whole  # the other process has outlived it, and closed the file


@pytest.mark.slow
def test_where_both_are_killed_at_most_a_second_is_lost(recording: tuple[subprocess.Popen[str], Path]) -> None:
    process, file = recording
    assert process.stdout is not None
    (writer,) = psutil.Process(process.pid).children()
    writer.kill()
    process.kill()
    assert last_recorded(file) > last_line(process) - 1.0
    assert not read_recording(file).whole


@pytest.mark.slow
def test_who_records_goes_on_without_a_writer_and_says_so(recording: tuple[subprocess.Popen[str], Path]) -> None:
    process, file = recording
    assert process.stdout is not None
    (writer,) = psutil.Process(process.pid).children()
    writer.send_signal(signal.SIGKILL)
    said = [process.stdout.readline() for _ in range(40)]
    (line,) = (line for line in said if "recording" in line)
    assert str(file) in line
    assert float(said[-1]) > 3.0  # it goes on


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    said: list[str] = []
    recorder = open_recorder(tmp_path / "flight.mcap", said.append)
    (writer,) = psutil.Process().children()
    resource.prlimit(writer.pid, resource.RLIMIT_FSIZE, (400_000, 400_000))  # some chunks, however busy the machine
    now = 0.0
    until = time.monotonic() + 60
    while not said:
        now += 0.1
        TICK["velocity"][0] = np.random.default_rng(round(10 * now)).normal(size=2)
        tick(recorder, now)
        time.sleep(0.0002)
        assert time.monotonic() < until
    for _ in range(200):
        now += 0.1
        tick(recorder, now)
    recorder.close()
    (line,) = said
    assert "File too large" in line
    assert recorder.dropped > 0
    assert 0 < last_recorded(recorder.path) < now - 10


def test_a_device_without_room_is_told_of(tmp_path: Path) -> None:
    file, said = tmp_path / "flight.mcap", list[str]()
    (tmp_path / "flight-1.mcap").symlink_to("/dev/full")
    file.touch()
    with open_recorder(file, said.append) as recorder:
        tick(recorder, 0.0)
    assert recorder.path.name == "flight-1.mcap"
    assert "No space left on device" in said[-1]


def test_no_recording_is_ever_written_over(tmp_path: Path) -> None:
    file, said = tmp_path / "flight.mcap", list[str]()
    names = []
    for _ in range(3):
        with open_recorder(file, said.append, wait=True) as recorder:
            tick(recorder, 0.5)
        names.append(recorder.path.name)
    assert names == ["flight.mcap", "flight-1.mcap", "flight-2.mcap"]
    assert [last_recorded(tmp_path / name) for name in names] == [0.5] * 3
    assert len(said) == 2
    assert "flight-2.mcap" in said[1]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        open_recorder(tmp_path / "nowhere" / "flight.mcap", print)
