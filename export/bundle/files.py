"""How the files of a bundle are read: bytes within a limit, and JSON objects of this release's schema."""

import json
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sim.errors import InputError

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
CONTROLLER = "controller.onnx"
LARGEST_MANIFEST = 2**20
"""Larger manifests are not read [bytes]."""
LARGEST_FILE = 2**26
"""Larger files are not read [bytes]."""
SCHEMA_VERSION = 3
"""Goes up when an older robot could misread a newer file."""
WRONG_STRUCTURE = (TypeError, KeyError, AttributeError, ValueError, ArithmeticError)
"""What reading values of the wrong type from JSON raises."""


def is_bundle(folder: Path) -> bool:
    """Return whether the folder holds a manifest."""
    return (folder / MANIFEST).is_file()


def read_file(path: Path, largest: int) -> bytes:
    """Return the bytes of a file that is not larger than `largest` [bytes].

    Raises:
        InputError: it can't be read, or is larger.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would keep its reader waiting
            raise InputError(f"{path}: it is no file")
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror or error})") from error
    if len(data) > largest:
        raise InputError(f"{path}: it has more than {largest} bytes; valid is at most that")
    return data


def read_object(text: str, source: str) -> dict[str, Any]:
    """Return the JSON object that a text holds; `source` names it in errors.

    Raises:
        InputError: the text is something else.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source} is no JSON ({error})") from error
    if not isinstance(values, dict):
        raise InputError(f"{source} is a {type(values).__name__}; valid is a JSON object")
    return values


def require_version(values: dict[str, Any], source: str) -> None:
    """Take the schema version out of an object.

    Raises:
        InputError: it is another than this release reads.
    """
    version = values.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{source}: its schema version is {version!r}; this release reads {SCHEMA_VERSION}: export it again"
        )


def listed(names: Iterable[str]) -> str:
    """Return names as an error message lists them."""
    return ", ".join(map(repr, sorted(names)))
