"""The replay on disk, beside the newest checkpoint: every sequence is written once, in the order in which it came.

A save adds one file with the sequences since the last save and removes those whose sequences were all overwritten, so
it costs what is new and not what is there. The checkpoint's JSON names the files with their sizes and hashes; what it
does not name is not part of the run.
"""

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch

from policies.files import write_atomically
from policies.replay import ReplayBuffer
from sim.errors import InputError


@dataclass(frozen=True)
class Segment:
    """One file of sequences, as the checkpoint's JSON names it."""

    file: str
    first: int
    """Number of its first sequence, counted from the start of the run."""
    count: int
    bytes: int
    sha256: str

    @property
    def end(self) -> int:
        """Number of the sequence after its last one."""
        return self.first + self.count


class ExperienceLog:
    """The files of one run's replay.

    Args:
        folder: that of the checkpoints, made if it is not there.
        named: what the checkpoint names that training goes on from.
    """

    def __init__(self, folder: Path, named: list[dict[str, Any]]) -> None:
        self._folder = folder
        self._segments = [Segment(**values) for values in named]

    def save(self, replay: ReplayBuffer) -> list[dict[str, Any]]:
        """Write what is new, and return what the checkpoint is to name.

        Raises:
            InputError: it can't be written, for example because the disk is full.
        """
        oldest = max(0, replay.added - replay.capacity)
        first = max(oldest, self._segments[-1].end if self._segments else 0)
        if first < replay.added:
            data = safetensors.torch.save(replay.read(first, replay.added))
            digest = hashlib.sha256(data).hexdigest()
            name = f"replay_{first:010d}_{digest[:8]}.safetensors"
            self._folder.mkdir(exist_ok=True)
            write_atomically(self._folder / name, data)
            self._segments.append(Segment(name, first, replay.added - first, len(data), digest))
        self._segments = [segment for segment in self._segments if segment.end > oldest]
        return [dataclasses.asdict(segment) for segment in self._segments]

    def load(self, replay: ReplayBuffer) -> None:
        """Put all sequences back where they were.

        Raises:
            InputError: a file is missing, damaged, or of sequences of another size.
        """
        for segment in self._segments:
            path = self._folder / segment.file
            advice = "restore it from a copy, or fill the replay anew with --save-replay 0"
            try:
                data = path.read_bytes()
            except OSError as error:
                raise InputError(f"replay file {str(path)!r} can't be read: {error.strerror}; {advice}") from error
            if len(data) != segment.bytes or hashlib.sha256(data).hexdigest() != segment.sha256:
                raise InputError(f"replay file {str(path)!r} is not as it was written; {advice}")
            try:
                replay.restore(segment.first, safetensors.torch.load(data))
            except ValueError as error:
                raise InputError(f"replay file {str(path)!r} does not fit this run: {error}; {advice}") from error
