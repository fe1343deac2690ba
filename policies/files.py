"""Writing files so that a crash, a full disk or a pulled plug leaves the old content or the new, never half of it."""

import os
from pathlib import Path

from sim.errors import InputError


def write_atomically(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Replace the content of a file in one step.

    Args:
        path: the file; its folder must exist.
        data: all of its new content.
        mode: who may read and write it, from the first byte on; less what the process's umask takes away.

    Raises:
        InputError: it can't be written, for example because the disk is full; the old content is then still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)  # of an earlier process of this number that was killed, as in a container
        temporary.touch(mode, exist_ok=False)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"can't write {str(path)!r}: {error.strerror}; what was there before is kept") from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what `write_atomically` left in a folder where its process was killed: files of no other running one."""
    for path in folder.glob(".*.*.tmp"):
        pid = path.name.split(".")[-2]
        if pid.isdecimal() and (int(pid) == os.getpid() or not Path("/proc", pid).exists()):
            path.unlink(missing_ok=True)


def require_folder(path: Path) -> None:
    """Require a folder that a file can be written into.

    Raises:
        InputError: there is none, it can't be written into, or the file is a folder itself.
    """
    folder = path.parent
    if path.is_dir():
        raise InputError(f"file {str(path)!r} is a folder; valid is a file's name")
    if not folder.is_dir():
        raise InputError(
            f"file {str(path)!r} would be in {str(folder)!r}, which is no folder; valid is one that exists"
        )
    if not os.access(folder, os.W_OK):
        raise InputError(f"file {str(path)!r} can't be written: its folder is read-only; valid is another folder")


def _sync_folder(folder: Path) -> None:
    """Make a rename itself survive a pulled plug."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
