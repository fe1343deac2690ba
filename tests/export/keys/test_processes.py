"""Keys with the real commands: a simulated fleet, a process for each robot, and people who stop and release."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import fleetmix
from export.fleet.processes import RobotProcesses, free_endpoint
from export.protocol.transport import choose_endpoint

pytestmark = pytest.mark.slow


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Keys of two robots, whose base is at a free port."""
    fleetmix.main(["keys", str(tmp_path / "keys"), "--robots", "2", "--port", free_endpoint().rpartition(":")[2]])
    return tmp_path / "keys"


class Site:
    """Real processes of `fleetmix fleet` and `fleetmix robot`."""

    def __init__(self, bundle: Path, folder: Path, stack: ExitStack) -> None:
        self._bundle, self._log, self._stack = bundle, folder / "fleet.log", stack

    def host(self, *options: str) -> subprocess.Popen[bytes]:
        """The warehouse, once robots can connect."""
        arguments = ["fleet", "--bundle", str(self._bundle), "--drive", "velocity", *options]
        with self._log.open("wb") as file:
            process = subprocess.Popen([sys.executable, "-m", "fleetmix", *arguments], stdout=file, stderr=file)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        until(lambda: "robots connect to" in self.said(), self.said)
        return process

    def said(self) -> str:
        return self._log.read_text()

    def robot(self, name: str, zenoh: Path, endpoint: str) -> Callable[[], str]:
        """A robot's process; returns what asks for its log."""
        robots = RobotProcesses(self._bundle, [name], endpoint, "--zenoh", str(zenoh))
        self._stack.enter_context(robots)
        return lambda: robots.output(name)


@pytest.fixture
def site(mlp_bundle: Path, tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(mlp_bundle, tmp_path, stack)


def until(condition: Callable[[], bool], said: Callable[[], str], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, said()
        time.sleep(0.05)


def last(said: Callable[[], str]) -> str:
    return said().splitlines()[-1]


def stop(zenoh: Path, *options: str) -> tuple[int, str]:
    """`fleetmix stop`, with the endpoint of the configuration file."""
    command = [sys.executable, "-m", "fleetmix", "stop", "--zenoh", str(zenoh), *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return result.returncode, result.stdout + result.stderr


def test_a_fleet_with_keys_drives_stops_and_is_released(site: Site, keys: Path) -> None:
    endpoint = choose_endpoint("connect", None, keys / "robot_0.json")
    old = keys / "old.json"
    old.write_bytes((keys / "robot_1.json").read_bytes())
    fleetmix.main(["keys", str(keys), "--revoke", "robot_1"])
    fleet = site.host("--zenoh", str(keys / "base.json"))
    first = site.robot("robot_0", keys / "robot_0.json", endpoint)
    until(lambda: "drives" in first(), first)
    for thief in (keys / "robot_0.json", old):  # another robot's key, and a revoked one
        said = site.robot("robot_1", thief, endpoint)
        until(lambda said=said: "no_sensors" in said(), said)  # type: ignore[misc]
        time.sleep(2.0)
        assert "drives" not in said()
    second = site.robot("robot_1", keys / "robot_1.json", endpoint)
    until(lambda: "drives" in second(), second)
    assert "no keys" not in site.said() + first() + second()

    assert stop(keys / "robot_1.json", "robot_0") == (0, "robot_0: stopped (its base)\n")
    until(lambda: "emergency_stop" in last(first), first)
    status, said_ = stop(keys / "robot_0.json", "robot_0", "--release")
    assert (status, "valid is a key that may: the operator's" in said_) == (2, True), said_
    assert "emergency_stop" in last(first)
    status, said_ = stop(old)
    assert (status, "nobody at" in said_) == (2, True), said_
    assert stop(keys / "operator.json") == (0, "robot_0: stopped (its base)\nrobot_1: stopped (its base)\n")
    until(lambda: "emergency_stop" in last(second), second)
    assert stop(keys / "operator.json", "--release") == (
        0,
        "robot_0: released (its base)\nrobot_1: released (its base)\n",
    )
    until(lambda: "drives" in last(first), first)
    until(lambda: "drives" in last(second), second)
    fleet.send_signal(signal.SIGINT)
    assert fleet.wait(60) == 0


def test_who_runs_without_keys_is_told_so_in_a_line(site: Site, keys: Path, tmp_path: Path) -> None:
    endpoint = free_endpoint()
    empty = tmp_path / "empty.json5"
    empty.write_text("{}")
    site.host("--listen", endpoint)
    robot = site.robot("robot_0", empty, endpoint)
    until(lambda: "drives" in robot(), robot)
    for said in (site.said(), robot()):
        (line,) = [line for line in said.splitlines() if "no keys: " in line]
        assert endpoint in line
        assert "fleetmix keys" in line


def test_keys_are_not_used_without_tls(keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fleetmix.main(["fleet", "--listen", free_endpoint(), "--zenoh", str(keys / "base.json")])
    assert "Unsupported protocol: tcp" in capsys.readouterr().err
