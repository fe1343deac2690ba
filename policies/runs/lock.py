"""One training at a time in a run folder, held by the kernel, so that a process that was killed holds nothing."""

import fcntl
import os
from pathlib import Path
from typing import Self

from policies.files import remove_unfinished
from sim.errors import InputError

LOCK = "training.lock"
"""A file in the run folder, locked while a training runs there; it stays, and holds the number of its process."""


class RunLock:
    """A run folder for this process alone, from `take` to the end of the `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = -1

    def take(self) -> None:
        """Take the folder, and remove what a process that was killed there did not finish; again does nothing.

        Raises:
            InputError: another training runs there, or the folder can't be made or written.
        """
        if self._descriptor >= 0:
            return
        path = self._folder / LOCK
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise InputError(f"can't make the run folder {str(self._folder)!r}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 20).decode() or "unknown"
            os.close(descriptor)
            raise InputError(
                f"run folder {str(self._folder)!r} is in use by another training (process {holder}); valid is to let "
                "it end, or another folder with --run"
            ) from error
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        for folder in (self._folder, self._folder / "checkpoints"):
            remove_unfinished(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
