"""What a robot's process reports about itself: a log for people, and its state once a second for programs.

Neither may ever keep the robot waiting: the log is written by a thread of its own, and a line that can't be written,
because the disk is full or slow, is counted and dropped.
"""

import json
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from typing import Literal

import numpy as np

from export.protocol.messages import Reason
from export.protocol.stop_latch import StopLatch
from export.robot.gate import Gate
from export.robot.hearing import Hearing
from export.robot.inbox import SensorInbox
from export.robot.loop import RobotLoop
from sim.errors import InputError

Level = Literal["info", "warning"]
_LINES = 1000
"""Lines that may wait to be written."""
_LOG_SIZE = 10_000_000
"""Bytes after which a log file is put aside; two old ones are kept."""


class RobotLog:
    """A log with one line whenever what the robot does changes.

    Args:
        robot: its name, in each line.
        file: where the lines go besides stderr.
        level: of the least serious lines that are written; stops are warnings.
        as_json: write JSON, an object a line, in place of text.

    Raises:
        InputError: the file can't be opened.
    """

    def __init__(self, robot: str, file: Path | None, level: Level = "info", as_json: bool = False) -> None:
        self.lost = 0
        """Lines that could not be written."""
        handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
        if file is not None:
            try:
                handlers.append(RotatingFileHandler(file, maxBytes=_LOG_SIZE, backupCount=2, encoding="utf-8"))
            except OSError as error:
                raise InputError(f"log {str(file)!r} can't be opened: {error.strerror}") from error
        waiting: queue.Queue[logging.LogRecord] = queue.Queue(_LINES)
        enter = QueueHandler(waiting)
        for handler in (enter, *handlers):
            handler.setFormatter(_JsonFormatter() if as_json else logging.Formatter("%(asctime)s %(name)s %(message)s"))
            handler.handleError = self._lose  # type: ignore[method-assign]
        enter.setFormatter(None)
        self._logger = logging.Logger(robot, level.upper())
        self._logger.addHandler(enter)
        self._listener = QueueListener(waiting, *handlers)
        self._listener.start()
        self._reason: Reason | None = None

    def _lose(self, record: logging.LogRecord) -> None:
        self.lost += 1

    def write(self, text: str, level: int = logging.INFO) -> None:
        """Write a line."""
        self._logger.log(level, "%s", text)

    def report(self, reason: Reason, detail: str) -> None:
        """Write a line if the reason is another one than before."""
        if reason is self._reason:
            return
        self._reason = reason
        if reason is Reason.NONE:
            self.write("drives")
        else:
            self.write(f"stops: {reason.name.lower()}: {detail}", logging.WARNING)

    def close(self) -> None:
        """Write what waits, but wait no longer than a second for a disk or a terminal that hangs."""
        end = threading.Thread(target=self._end, daemon=True)
        end.start()
        end.join(1.0)

    def _end(self) -> None:
        while True:
            try:
                self._listener.stop()
            except queue.Full:  # it writes as fast as it can
                time.sleep(0.01)
            else:
                return


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time_of_day = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        values = {"time": time_of_day, "level": record.levelname.lower(), "robot": record.name}
        return json.dumps({**values, "message": record.getMessage()})


class StateReport:
    """The robot's state, published as JSON once a second by a thread of its own."""

    def __init__(
        self,
        robot: str,
        loop: RobotLoop,
        inbox: SensorInbox,
        hearing: Hearing,
        latch: StopLatch,
        gate: Gate,
        log: RobotLog,
        send: Callable[[bytes], None],
    ) -> None:
        self._robot, self._loop, self._inbox, self._latch, self._gate, self._log = robot, loop, inbox, latch, gate, log
        self._hearing = hearing
        self._send = send
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(1.0):
            self._send(json.dumps(self.state()).encode())

    def state(self) -> dict[str, object]:
        """Return the state; counts are since the start, latencies since the last report."""
        latencies = [self._loop.latencies.pop() for _ in range(len(self._loop.latencies))]
        p50, p99, worst = np.percentile(latencies, [50, 99, 100]) / 1e6 if latencies else (None, None, None)
        return {
            "robot": self._robot,
            "session": f"{self._gate.session:016x}",
            "monotonic_s": time.monotonic(),
            "obeyed": self._loop.obeyed,
            "reason": self._gate.reason.name.lower(),
            "emergency_stop": self._latch.stopped or self._gate.reason is Reason.EMERGENCY_STOP,
            "stops_that_hold": [f"{number:016x}" for number in self._latch.holding],
            "drives": self._gate.sent,
            "stops": dict(self._gate.stops),
            "dropped": {name: count for name, count in dict(self._inbox.dropped).items() if count},
            "refused_broadcasts": dict(self._hearing.refused),
            "dropped_stops": dict(self._latch.dropped),
            "lost": self._inbox.lost,
            "lost_log_lines": self._log.lost,
            "latency_ms": {"p50": p50, "p99": p99, "max": worst, "count": len(latencies)},
        }

    def close(self) -> None:
        """End the reports."""
        self._ended.set()
        self._thread.join()
