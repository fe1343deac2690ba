"""The processes of a fleet's robots on this machine: started, watched, and ended without leaving one behind."""

import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from sim.errors import InputError

PYTHON = sys.executable
"""What runs them."""


def free_endpoint() -> str:
    """Return an endpoint of this machine at a port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"tcp/127.0.0.1:{server.getsockname()[1]}"


class RobotProcesses:
    """A process for every robot; leaving the context ends them all.

    Args:
        bundle: the bundle that they all have.
        robots: their names.
        connect: the fleet's endpoint.
        options: further options of `fleetmix robot`.
    """

    def __init__(self, bundle: Path, robots: list[str], connect: str, *options: str) -> None:
        self._command = [
            PYTHON, "-m", "fleetmix", "robot", "--bundle", str(bundle), "--connect", connect, *options,
        ]  # fmt: skip
        self.endpoint = connect
        """What they connect to."""
        self._names = robots
        self._folder = tempfile.TemporaryDirectory(prefix="fleetmix-robots-")
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        """Each robot's process."""

    def __enter__(self) -> Self:
        try:
            for name in self._names:
                self.start(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self, name: str) -> None:
        """Start a robot's process, or start it again; it connects by itself."""
        with self._log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*self._command, "--id", name], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self, name: str) -> None:
        """End a robot's process at once, as a crash would."""
        self.running[name].kill()
        self.running[name].wait()

    def require_running(self) -> None:
        """Raise if a process has ended.

        Raises:
            InputError: one has; with the last line that it wrote.
        """
        for name, process in self.running.items():
            if process.poll() is not None:
                lines = self.output(name).splitlines() or ["it wrote nothing"]
                raise InputError(f"the process of {name} ended with {process.returncode}: {lines[-1]}")

    def output(self, name: str) -> str:
        """Return what a robot's process has written."""
        return self._log(name).read_text(encoding="utf-8", errors="replace")

    def _log(self, name: str) -> Path:
        return Path(self._folder.name) / f"{name}.log"

    def close(self) -> None:
        """End all processes."""
        for process in self.running.values():
            process.terminate()
            process.send_signal(signal.SIGCONT)  # a paused process ends only when it goes on
        for process in self.running.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._folder.cleanup()
