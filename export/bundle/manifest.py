"""A bundle: a folder whose manifest pins every file by its hash, perhaps signed.

It holds one `robot_<i>.onnx` a robot, `controller.onnx` for a warehouse, `manifest.json`, and `manifest.sig` if it was
signed. Robots open it, so this file needs the standard library and numpy alone. The manifest is read once, and what
is read afterwards is held against exactly that manifest: nobody can change it in between.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from export.bundle.files import (
    LARGEST_FILE,
    LARGEST_MANIFEST,
    MANIFEST,
    SCHEMA_VERSION,
    SIGNATURE,
    WRONG_STRUCTURE,
    is_bundle,
    listed,
    read_file,
    read_object,
    require_version,
)
from sim.errors import InputError


@dataclass(frozen=True)
class FileEntry:
    """What the manifest says about a file."""

    sha256: str
    """Hash of its bytes, in lower-case hexadecimal."""
    size: int
    """Length [bytes]."""


@dataclass(frozen=True)
class Manifest:
    """The files of a bundle, and which robot runs which."""

    files: Mapping[str, FileEntry]
    """Every file but the manifest itself, by name."""
    robots: Mapping[str, str]
    """Name of a robot (robot_0, ...) -> name of its file."""
    controller: str | None
    """Name of the controller's file; none when the environment has no controller."""
    shared: bool
    """Whether all robots learned one set of parameters, so that further robots may run them too."""
    layout: str | None
    """The map as text."""

    def to_json(self) -> str:
        """Return the manifest as JSON."""
        return json.dumps({"schema_version": SCHEMA_VERSION, **asdict(self)}, indent=2, allow_nan=False) + "\n"

    def file_of(self, robot: str) -> str:
        """Return the name of the file that a robot runs; robots that are not listed may run a shared network.

        Raises:
            InputError: the robot is not listed, and the network is not shared.
        """
        if robot in self.robots:
            return self.robots[robot]
        if not self.shared:
            raise InputError(f"robot {robot!r} is not in the bundle; valid are {', '.join(self.robots)}")
        return next(iter(self.robots.values()))

    def entry(self, name: str, source: str) -> FileEntry:
        """Return what it says about the file `name`.

        Raises:
            InputError: it does not list the file.
        """
        if name not in self.files:
            raise InputError(f"{source}: {MANIFEST} does not list {name}; it lists {listed(self.files)}")
        return self.files[name]


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk, with its manifest as it was when it was written, or when its signature was checked."""

    path: Path
    """Its folder."""
    manifest: Manifest
    """What it holds."""
    manifest_bytes: bytes
    """The same as it stands in the file."""

    def __str__(self) -> str:
        """Return how errors name the bundle."""
        return f"bundle {str(self.path)!r}"

    def read(self, name: str) -> bytes:
        """Return the bytes of a file that the manifest lists.

        Raises:
            InputError: it is not listed, can't be read, or its bytes are not those that were written.
        """
        path = self.path / name
        entry = self.manifest.entry(name, str(path))
        data = read_file(path, LARGEST_FILE)
        if len(data) != entry.size:
            raise InputError(
                f"{path}: it has {len(data)} bytes, but {MANIFEST} says {entry.size}; copy the bundle again"
            )
        found = hashlib.sha256(data).hexdigest()
        if found != entry.sha256:
            raise InputError(f"{path}: its bytes were changed: sha256 is {found}, but {MANIFEST} says {entry.sha256}")
        return data

    def require_whole(self) -> None:
        """Raise InputError unless every file that the manifest lists is as it was written."""
        for name in self.manifest.files:
            self.read(name)


def open_bundle(folder: Path, trust: Path | None = None) -> Bundle:
    """Return the bundle in a folder.

    Args:
        folder: where it is.
        trust: Ed25519 public key (PEM file) that must have signed the manifest; without it, signatures don't matter.

    Raises:
        InputError: the manifest can't be read or contradicts itself; or it isn't signed by that key.
    """
    try:
        data = read_file(folder / MANIFEST, LARGEST_MANIFEST)
    except InputError as error:
        raise InputError(f"bundle {str(folder)!r}: can't read its {MANIFEST} ({error})") from error
    if trust is not None:
        try:
            # needs cryptography, which only robots that trust a key have
            from export.bundle.signature import require_signed
        except ModuleNotFoundError as error:
            raise InputError(f"{error}; checking signatures needs the extra: pip install 'fleetmix[sign]'") from error

        require_signed(data, folder / SIGNATURE, trust)
    return Bundle(folder, parse_manifest(data, str(folder / MANIFEST)), data)


def parse_manifest(data: bytes, source: str) -> Manifest:
    """Return the manifest that `Manifest.to_json` wrote; `source` names the file in errors.

    Raises:
        InputError: it is no JSON, of another schema version, or contradicts itself.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{source} is no text: {error.reason} at byte {error.start}") from error
    values = read_object(text, source)
    require_version(values, source)
    try:
        files = {name: FileEntry(**entry) for name, entry in values.pop("files").items()}
        manifest = Manifest(files=files, **values)
        named = [*manifest.robots.values(), *([] if manifest.controller is None else [manifest.controller])]
    except WRONG_STRUCTURE as error:
        raise InputError(f"{source}: the manifest is not readable ({error!r})") from error
    for name, entry in files.items():
        plain = bool(name) and name not in (".", "..", MANIFEST) and not re.search(r"[/\\\0]", name)
        pinned = re.fullmatch("[0-9a-f]{64}", str(entry.sha256)) and type(entry.size) is int
        if not (plain and pinned):
            raise InputError(f"{source}: the entry of {name!r} is not valid; needed: a plain name, sha256 and size")
    for name in named:
        if not isinstance(name, str) or name not in files:
            raise InputError(f"{source}: {name!r} is used but not listed; listed are {listed(files)}")
    if not manifest.robots:
        raise InputError(f"{source}: it lists no robot; valid is at least one")
    if type(manifest.shared) is not bool or not isinstance(manifest.layout, str | None):
        raise InputError(
            f"{source}: shared is {manifest.shared!r} (true or false), layout {type(manifest.layout).__name__}"
        )
    return manifest


def read_pinned(path: Path, sha256: str | None = None) -> bytes:
    """Return the bytes of a file, checked against `sha256`, and against the manifest beside it when there is one.

    Raises:
        InputError: the file can't be read, is not listed, or its bytes are not those that were written.
    """
    beside = is_bundle(path.parent)
    data = open_bundle(path.parent).read(path.name) if beside else read_file(path, LARGEST_FILE)
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise InputError(f"{path}: its sha256 is {found}, but {sha256} was asked for")
    return data
