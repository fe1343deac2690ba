"""Compilation of kernels, which are cached by the sources of all of them.

Numba's own cache compares the file of the cached function alone, so a kernel that calls another file's kernel would run
old code after an edit there. Here every state of this package's sources has a cache folder of its own.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryFile
from typing import Any, TypeVar

import numba
from numba.extending import register_jitable

PACKAGE = Path(__file__).parent
_CONFIG: Any = numba.config

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Return `function` compiled by numba, cached in `cache_folder`."""
    return _compile(function, fastmath=False)


def fastmath_kernel(function: Function) -> Function:
    """Return `function` compiled like `kernel`, its sums in any order, so that its loops can be vectorized."""
    return _compile(function, fastmath=True)


def callable_in_kernels(function: Function) -> Function:
    """Return `function` as it is; from now on kernels can call it, compiled, while others run it in plain Python."""
    register: Any = register_jitable
    result: Function = register(function)
    return result


def _compile(function: Function, fastmath: bool) -> Function:
    folder, given = cache_folder(), _CONFIG.CACHE_DIR
    _CONFIG.CACHE_DIR = str(folder or "")  # read while decorating; the kernels of other packages keep their own
    try:
        compiled: Any = numba.njit(cache=folder is not None, fastmath=fastmath)(function)
    finally:
        _CONFIG.CACHE_DIR = given
    result: Function = compiled
    return result


@cache
def cache_folder() -> Path | None:
    """Return the folder for the kernels of these sources, having removed those of earlier sources.

    It lies in NUMBA_CACHE_DIR, where that is set, else in the package's `__pycache__`, else in the user's cache
    directory: in the first that can be written. None where none can.
    """
    installed = f"fleetmix-{hashlib.sha256(str(PACKAGE).encode()).hexdigest()[:16]}"
    places = [PACKAGE / "__pycache__"]
    with contextlib.suppress(RuntimeError):  # the user has no home, as in a container that runs under any number
        places.append(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / installed)
    if _CONFIG.CACHE_DIR:
        places.insert(0, Path(_CONFIG.CACHE_DIR) / installed)
    for place in places:
        folder = place / f"kernels-{_sources_hash()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=folder).close()
        except OSError:
            continue
        for stale in set(place.glob("kernels-*")) - {folder}:
            rmtree(stale, ignore_errors=True)  # where it fails, another process is removing it
        return folder
    return None


def _sources_hash() -> str:
    """Return a hash of numba's version and of every file of this package: any may hold a constant of a kernel."""
    digest = hashlib.sha256(numba.__version__.encode())
    # Not `rglob`, which fails where another process removes a stale folder meanwhile.
    for path in sorted(Path(folder, name) for folder, _, names in os.walk(PACKAGE) for name in names):
        if path.suffix != ".py":
            continue
        digest.update(f"{path.relative_to(PACKAGE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
