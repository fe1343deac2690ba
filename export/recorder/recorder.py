"""The flight recorder: copies what happens, and hands it to a process of its own that writes the file.

Whoever records is never kept waiting by a disk: rows are copied into memory, a thread hands them on twice a second, and
the other process (`export.recordings.writer`) makes messages of them, compresses and writes. That process also outlives
a `kill -9` of this one, and then closes the file. When it can't write, a line says so and nothing else changes.
"""

import importlib.util
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from export.recorder.block import pack_block
from sim.errors import InputError, require

VERSION = 1
"""Of what a recording holds; a reader refuses others."""
FLUSH = 0.5
"""How often rows are handed on [s of the clock]; the other process writes as often."""
_ROWS = 64
"""Rows after which they are handed on before that."""
_LARGEST_QUEUE = 64_000_000
"""Bytes that may wait to be written; then a simulation waits, and a robot drops what is new."""
_WRITER = "export.recordings.writer"
_TIME = struct.Struct("<d")
_NEEDS = ("mcap", "rosbags", "zstandard")


@dataclass(frozen=True)
class About:
    """What a recording says about itself, in its metadata."""

    robots: tuple[str, ...]
    """Names, in the order of every array."""
    layout: str
    """The map, from `Layout.text`."""
    scene: Mapping[str, Any]
    """Settings of the scene (`dataclasses.asdict`)."""
    choices: tuple[str, ...]
    """Names of what a policy chooses from."""
    policy: str
    """Who chose: a name from the table, or whose commands these were."""
    bundle: str = ""
    """SHA-256 of the manifest of the bundle that chose; nothing (``) where none did."""


class Recorder:
    """A recording that is being written.

    Args:
        file: where it goes; if it exists, the next free name beside it, and `log` says so.
        about: what is recorded.
        tick: arrays such as every call of `tick` will bring them, by name.
        decision: arrays such as every call of `decide` will bring them, by name.
        wait: whether to wait for the writer where it falls far behind (a simulation), or to drop rows (a robot).
        log: told in a line of another name, and when the file can't be written any more.
        complete: makes what is written of rows of control periods; called for many at once.

    Raises:
        InputError: the folder can't be written into, or what writes is not installed.
    """

    def __init__(
        self,
        file: Path,
        about: About,
        tick: Mapping[str, NDArray[Any]],
        decision: Mapping[str, NDArray[Any]],
        wait: bool,
        log: Callable[[str], None],
        complete: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    ) -> None:
        missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
        if missing:
            raise InputError(f"recording needs {', '.join(missing)}: pip install 'fleetmix[record]'")
        self.path = _free_name(file, log)
        self.dropped = 0
        """Blocks that were not written: the writer fell behind, or ended."""
        self._log, self._wait, self._complete = log, wait, complete
        self._tick, self._decision = _Rows(tick), _Rows(decision)
        self._queue: deque[bytes] = deque()
        self._queued, self._closed, self._failed = 0, False, False
        self._changed = threading.Condition()
        self._handed = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", _WRITER, str(self.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for this process; that one ends when its input does
        )  # fmt: skip
        self._thread = threading.Thread(target=self._feed, name="recorder", daemon=True)
        self._thread.start()
        values = {name: getattr(about, name) for name in About.__dataclass_fields__}
        self._hand("about", {**values, "version": VERSION, "started_ns": time.time_ns()}, {})

    def begin_episode(self, time_s: float, values: Mapping[str, Any]) -> None:
        """Begin an episode at a time of the recording [s]; `values` say which."""
        self._hand_rows()
        self._hand("episode", {"time": time_s, **values}, {})

    def tick(self, time_s: float, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Record a control period that begins at a time of the recording [s]."""
        self._tick.add(time_s, arrays)
        if self._tick.full or time.monotonic() - self._handed > FLUSH:
            self._hand_rows()

    def decide(self, time_s: float, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Record a decision at a time of the recording [s]."""
        self._decision.add(time_s, arrays)
        if self._decision.full:
            self._hand_rows()

    def plan(self, time_s: float, robot: str, points: Sequence[tuple[float, float]]) -> None:
        """Record the way that a robot means to take from now on: x, y [m] of its points."""
        self._hand("plan", {"time": time_s, "robot": robot, "points": list(points)}, {})

    def event(self, time_s: float, kind: str, robot: str, detail: str = "") -> None:
        """Record something that happened to a robot at a time of the recording [s]."""
        self._hand("event", {"time": time_s, "kind": kind, "robot": robot, "detail": detail}, {})

    def _hand_rows(self) -> None:
        self._handed = time.monotonic()
        rows = {"decisions": self._decision.take(), "ticks": self._tick.take()}
        if self._complete is not None and len(rows["ticks"]):
            rows["ticks"] = self._complete(rows["ticks"])
        if any(map(len, rows.values())):
            self._hand("rows", {}, rows)

    def _hand(self, kind: str, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        with self._changed:
            while self._wait and self._queued > _LARGEST_QUEUE and not self._failed:
                self._changed.wait()
            if self._failed or self._closed or self._queued > _LARGEST_QUEUE:
                self.dropped += 1
                return
            data = pack_block(kind, values, arrays)
            self._queue.append(data)
            self._queued += len(data)
            self._changed.notify_all()

    def _feed(self) -> None:
        """Hand blocks to the writer until the end; on its end, tell why."""
        pipe: Any = self._process.stdin
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._queue or self._closed)
                    if not self._queue:
                        break
                    data = self._queue.popleft()
                pipe.write(data)
                pipe.flush()
                with self._changed:
                    self._queued -= len(data)
                    self._changed.notify_all()
            pipe.close()
            self._end(self._process)
        except OSError:  # it ended before its input did
            self._end(self._process)

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait for the writer's end; where it was a failure, say so and drop everything from now on."""
        output: IO[bytes] = process.stdout  # type: ignore[assignment]
        said, code = output.read().decode(errors="replace").strip(), process.wait()
        if code == 0:
            return
        with self._changed:
            self._failed = True
            self._queue.clear()
            self._changed.notify_all()
        why = said or f"its process ended with {code}"
        self._log(f"recording {str(self.path)!r} ends: {why}; everything else goes on")

    def close(self, patience: float | None = None) -> None:
        """Hand on what is left and wait until it is written, `patience` seconds at most; the file is whole then."""
        self._hand_rows()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Rows:
    """Rows of the same arrays, kept as the bytes that they have in memory."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._type = np.dtype([("time", "<f8"), *((name, array.dtype, array.shape) for name, array in arrays.items())])
        self._rows: list[bytes] = []

    @property
    def full(self) -> bool:
        return len(self._rows) >= _ROWS

    def add(self, time_s: float, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._rows.append(b"".join([_TIME.pack(time_s), *[array.tobytes() for array in arrays.values()]]))

    def take(self) -> NDArray[Any]:
        rows, self._rows = self._rows, []
        return np.frombuffer(b"".join(rows), self._type)


def require_record_name(file: Path | None) -> None:
    """Raise InputError unless the file, if there is one, can be told for a recording by its name."""
    require(file is None or file.suffix == ".mcap", "record", str(file), "the name of a file that ends in .mcap")


def _free_name(file: Path, log: Callable[[str], None]) -> Path:
    """Return the file, or where there is one of that name already, the next name that is free."""
    if not file.parent.is_dir():
        raise InputError(f"recording {str(file)!r} would be in {str(file.parent)!r}, which is no folder")
    free, number = file, 0
    while free.is_file():
        number += 1
        free = file.with_name(f"{file.stem}-{number}{file.suffix}")
    try:
        free.open("ab").close()
    except OSError as error:
        raise InputError(f"recording {str(free)!r} can't be written: {error.strerror}") from error
    if free != file:
        log(f"{str(file)!r} is there already; recording into {str(free)!r}")
    return free
