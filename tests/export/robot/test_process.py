"""What a real robot process does when something fails: over a real transport, timed."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from export.protocol.framing import Header
from export.protocol.messages import Mode, Reason, Wire, map_hash
from export.protocol.transport import open_session, publisher, sensors_key
from sim.traffic.broadcast import RECORD
from tests.export.conftest import SCENE
from tests.export.robot_bench import LAYOUT, ME, NAME, START, WIRE, Bench, robot_bench, some_broadcast, some_sensors

pytestmark = pytest.mark.slow
STALE = 0.3


@pytest.fixture
def bench(mlp_bundle: Path):
    with robot_bench(mlp_bundle) as bench:
        yield bench


@pytest.fixture
def gru_bench(gru_bundle: Path):
    with robot_bench(gru_bundle) as bench:
        yield bench


def test_it_drives_and_is_small(bench: Bench) -> None:
    command = bench.drives()
    assert command.broadcast is not None
    assert command.broadcast[[RECORD.x, RECORD.y]].tolist() == list(START)
    process = psutil.Process(bench.processes.running[NAME].pid)
    assert process.memory_info().rss < 100e6


def test_without_sensors_it_only_ever_says_stop(bench: Bench) -> None:
    bench.wait(lambda: len(bench.commands) > 5)
    assert {(c.mode, c.reason, c.speed, c.turn_rate) for _, c in bench.commands} == {
        (Mode.STOP, Reason.NO_SENSORS, 0.0, 0.0)
    }


def test_stale_sensors_stop_it_in_time_and_it_goes_on_with_a_fresh_memory(gru_bench: Bench) -> None:
    bench = gru_bench
    first = bench.ask()
    bench.drives(8)
    sent = time.monotonic()
    stopped = bench.stops(Reason.STALE_SENSORS)
    print(f"stop {stopped - sent:.3f} s after the last sensors")
    assert stopped - sent < STALE + 0.1
    # The same sensors as at the very start bring the same decision as at the very start: nothing is remembered.
    again = bench.ask()
    assert (again.mode, again.maneuver, again.speed, again.turn_rate) == (
        Mode.DRIVE, first.maneuver, first.speed, first.turn_rate,
    )  # fmt: skip


def test_late_doubled_reordered_and_foreign_messages_are_dropped_and_counted(bench: Bench) -> None:
    bench.drives(3)
    newest = Header(bench.epoch, bench.sequence, time.monotonic_ns())
    bench.send_raw(WIRE.pack_sensors(ME, some_sensors(newest)))  # doubled
    bench.send_raw(WIRE.pack_sensors(ME, some_sensors(newest._replace(sequence=newest.sequence - 1))))
    good = WIRE.pack_sensors(ME, some_sensors(newest._replace(sequence=newest.sequence + 1)))
    bench.send_raw(good[:-1])
    bench.send_raw(good[:12] + b"\x63\x00" + good[14:])
    bench.send_raw(good[:-9] + b"\x01" + good[-8:])
    bench.send_raw(Wire(replace(SCENE.robot, max_speed=1.0), 0.1).pack_sensors(ME, some_sensors()))
    bench.send_raw(WIRE.pack_sensors(ME + 1, some_sensors()))
    bench.sequence += 1
    bench.send(stamp=time.monotonic_ns() - 500_000_000)  # half a second under way... and behind the last one's stamp
    bench.drives(2)
    for name in ("doubled", "out_of_order", "length", "version", "checksum", "schema", "robot", "clock_jumped_back"):
        bench.counted("dropped", name)
    answered = [c.answers for _, c in bench.commands if c.mode is Mode.DRIVE]
    assert len(answered) == len(set(answered))  # one command for each sensor message at most
    assert bench.said().count("stops") <= 3


@pytest.mark.parametrize("field", ["pose", "velocity", "goal", "lidar"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_sensors_that_are_not_finite_stop_it_at_once(bench: Bench, field: str, value: float) -> None:
    bench.drives()
    good = getattr(some_sensors(), field)
    bad = np.array(good, np.float64)
    bad[-1] = value
    bench.refuses(Reason.BAD_SENSORS, **{field: bad.astype(np.float32) if field == "lidar" else bad})
    bench.drives()
    bench.says(f"{field}[")


@pytest.mark.parametrize(
    "changes",
    [
        {"lidar": np.full(SCENE.robot.lidar_rays, 4.1, np.float32)},
        {"lidar": np.full(SCENE.robot.lidar_rays, -0.1, np.float32)},
        {"lidar": np.full(SCENE.robot.lidar_rays, 0.0, np.float32)},  # what many scanners say for: nothing seen
        {"lidar": np.array([0.1] + [2.0] * (SCENE.robot.lidar_rays - 1), np.float32)},  # inside the robot itself
        {"velocity": (2.0, 0.0)},
        {"velocity": (0.0, -9.0)},
        {"pose": (*some_sensors().pose[:2], 1e300)},
        {"pose": (-0.1, 0.5, 0.0)},
        {"goal": (1e300, 0.5)},
        {"goal": tuple(float(v) + 0.5 for v in np.argwhere(LAYOUT.blocked)[0][::-1])},
    ],
)
def test_sensors_that_can_not_be_stop_it(bench: Bench, changes: dict[str, Any]) -> None:
    bench.drives()
    bench.refuses(Reason.BAD_SENSORS, **changes)


def test_a_broadcast_that_can_not_be_is_left_out_and_it_drives_on(bench: Bench) -> None:
    """Else a robot that is broken, or lies, stops all others."""
    bench.drives()
    lies = np.array([some_broadcast(x=np.nan), some_broadcast(x=-1.0), some_broadcast(speed=9.0)])
    bench.drives(2, broadcasts=lies, ages=np.full(len(lies), 0.1))
    for fault in ("not_finite", "pose", "speed"):
        bench.counted("refused_broadcasts", fault)


def test_another_map_stops_it(bench: Bench) -> None:
    bench.drives()
    bench.refuses(Reason.OTHER_MAP, map=map_hash("another"))


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_clock_that_jumps_costs_a_message_at_most(bench: Bench, jump: int) -> None:
    bench.drives()
    times = []
    for _ in range(5):
        time.sleep(0.1)
        header = bench.send(stamp=time.monotonic_ns() + jump * 10**9)
        times.append(header)
    bench.wait(lambda: bench.answer(times[-1]) is not None)
    answers = [bench.answer(header) for header in times]
    assert [a is not None and a.mode is Mode.DRIVE for a in answers] == [jump > 0, True, True, True, True]


def test_a_paused_process_sends_nothing_old_when_it_wakes(bench: Bench) -> None:
    bench.drives()
    pid = bench.processes.running[NAME].pid
    os.kill(pid, signal.SIGSTOP)
    sent = {}
    for _ in range(15):
        time.sleep(0.1)
        sent[bench.send()] = time.monotonic()
    os.kill(pid, signal.SIGCONT)
    woke = time.monotonic()
    bench.drives(2)
    for at, command in bench.commands:
        if command.mode is Mode.DRIVE and command.answers in sent:
            assert at - sent[command.answers] < STALE, at - woke
    bench.counted("dropped", "late")


def test_a_full_disk_for_the_log_does_not_stop_it(mlp_bundle: Path) -> None:
    with robot_bench(mlp_bundle, "--log", "/dev/full") as bench:
        bench.drives()
        bench.wait(lambda: bench.state.get("lost_log_lines", 0) > 0)
        bench.drives()


def test_the_transport_can_go_and_come_back(mlp_bundle: Path) -> None:
    with robot_bench(mlp_bundle) as bench:
        bench.drives()
        endpoint = bench.processes.endpoint
        bench.session.close()
        closed = time.monotonic()
        time.sleep(1.0)
        assert bench.processes.running[NAME].poll() is None
        with open_session(listen=endpoint) as session:
            again = Bench(session, bench.processes)
            again.epoch, again.sequence = 2, -1
            again.wait(lambda: again.commands, 10)  # it says stop until it gets sensors
            print(f"connected again {time.monotonic() - closed - 1.0:.3f} s after the other side was back")
            again.drives()
        bench.says("stale_sensors")


def test_it_ends_with_a_stop(bench: Bench) -> None:
    bench.drives()
    bench.processes.running[NAME].terminate()
    bench.stops(Reason.SHUTDOWN)
    assert bench.processes.running[NAME].wait(5) == 0


def test_random_bytes_do_not_move_it(bench: Bench) -> None:
    bench.drives()
    rng = np.random.default_rng(0)
    good = WIRE.pack_sensors(ME, some_sensors(Header(bench.epoch, bench.sequence + 1, time.monotonic_ns())))
    sent = publisher(bench.session, sensors_key(NAME))
    begin = len(bench.commands)
    for _ in range(5000):
        data = bytearray(good)
        for _ in range(rng.integers(1, 8)):
            data[rng.integers(len(data))] = rng.integers(256)
        if bytes(data) != good:
            sent.put(bytes(data[: rng.integers(len(data) + 1)] if rng.random() < 0.3 else data))
    bench.stops(Reason.STALE_SENSORS)
    assert not any(c.mode is Mode.DRIVE for _, c in bench.commands[begin + 1 :])
    bench.drives()


def test_a_stranger_on_its_key_silences_it_for_no_longer_than_a_second(bench: Bench) -> None:
    bench.drives(2)
    time.sleep(0.4)  # its base is paused
    bench.send_raw(WIRE.pack_sensors(ME, some_sensors(Header(4321, 0, time.monotonic_ns()))))
    bench.counted("stops", "stale_sensors")
    begin = time.monotonic()
    while bench.send() and bench.commands[-1][1].mode is not Mode.DRIVE:
        time.sleep(SCENE.control_period)
        assert time.monotonic() - begin < 1.0, bench.said()
    bench.drives(2)


def test_a_process_that_its_base_does_not_obey_goes_on_in_a_new_session_and_says_so(bench: Bench) -> None:
    first = bench.drives(2).header.session
    for _ in range(5):
        bench.ask(process=999)
    bench.says("the base obeys another process, 00000000000003e7")
    assert bench.drives(2).header.session != first
    bench.says("the base obeys this process again")
