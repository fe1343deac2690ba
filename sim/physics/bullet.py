"""PyBullet, imported without output and connected: the only file that imports it."""

import os
import sys
from pathlib import Path
from types import ModuleType


def _import_quietly() -> ModuleType:
    """Return the module, imported without the line that it writes to stderr each time."""
    sys.stderr.flush()
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import pybullet as module

        loaded: ModuleType = module
        return loaded
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


pybullet = _import_quietly()


def connect() -> int:
    """Return a new physics client.

    Raises:
        RuntimeError: too many are open in this process.
    """
    client = int(pybullet.connect(pybullet.DIRECT))
    if client < 0:
        raise RuntimeError("PyBullet gave no physics client: too many worlds are open in this process; close() some")
    return client
