"""Checkpoints that are whole or not there: `newest` to go on from, `best` to drive with.

A checkpoint is a safetensors file and a JSON file that points to it with its size and SHA-256. The tensors are written
first under a name of their own, the JSON replaces the old one last, and only then the tensors that no JSON names any
more are removed. So whatever happens in between, each JSON names complete files. The newest one names the replay's
files too (`policies.runs.experience`).
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from policies.files import write_atomically
from sim.errors import InputError

Which = Literal["newest", "best"]
WHICH: tuple[Which, ...] = ("newest", "best")
FORMAT = 3
"""Goes up when the tensors of a checkpoint get other names or meanings."""


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint's JSON holds besides the file it names."""

    algo: str
    seed: int
    n_agents: int
    n_actions: int
    iterations: int = 0
    """Iterations of collecting so far."""
    steps: int = 0
    """Training length so far [env steps]."""
    updates: int = 0
    """Updates so far."""
    seconds: float = 0.0
    """Training time so far [s]."""
    best_return: float | None = None
    """Best mean team return of a validation so far; None before the first."""
    validation: dict[str, float] = field(default_factory=dict)
    """Metrics of the validation of these very parameters; empty where there was none."""
    validated_steps: int | None = None
    """When the last validation was [env steps]."""
    validation_steps: int = 0
    """How long it took [env steps]."""
    validation_seconds: float = 0.0
    """How long it took [s]."""
    random: list[dict[str, Any]] = field(default_factory=list)
    """State of each environment's random numbers (numpy's `bit_generator.state`)."""
    row: dict[str, Any] = field(default_factory=dict)
    """The row of the metrics that was filling (`MetricsRow.to_plain`)."""
    replay: list[dict[str, Any]] = field(default_factory=list)
    """The replay's files, oldest first (`experience.Segment`); none where it was not saved."""

    def next_validation(self, share: float, every: int = 0) -> float:
        """Return when the next validation is due [env steps].

        Args:
            share: env steps of validation for each of training.
            every: env steps from one validation to the next, in place of the share; 0 goes by that.
        """
        return 0.0 if self.validated_steps is None else self.validated_steps + (every or self.validation_steps / share)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory."""

    tensors: dict[str, Tensor]
    """The learner's `state_dict`; `random.replay`, the state of the generator that draws from the replay; and the
    arrays of a `CollectorState`, their names behind `collector.`."""
    info: CheckpointInfo


def save_checkpoint(folder: Path, which: Which, checkpoint: Checkpoint) -> None:
    """Put a checkpoint in the place of the one of that name.

    Args:
        folder: made if it is not there.
        which: newest or best.
        checkpoint: what to save.

    Raises:
        InputError: it can't be written, for example because the disk is full; the checkpoint before it stays whole.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"can't make the folder {str(folder)!r}: {error.strerror}") from error
    data = safetensors.torch.save(checkpoint.tensors)
    digest = hashlib.sha256(data).hexdigest()
    tensors = folder / f"step_{checkpoint.info.steps:09d}_{digest[:8]}.safetensors"
    if not tensors.exists() or tensors.read_bytes() != data:
        write_atomically(tensors, data)
    entry = {"format": FORMAT, "file": tensors.name, "bytes": len(data), "sha256": digest}
    values = {**entry, **dataclasses.asdict(checkpoint.info)}
    write_atomically(folder / f"{which}.json", (json.dumps(values, indent=2) + "\n").encode())
    _remove_unnamed(folder)


def _remove_unnamed(folder: Path) -> None:
    named = "".join((folder / f"{which}.json").read_text() for which in WHICH if has_checkpoint(folder, which))
    for path in folder.glob("*.safetensors"):
        if path.name not in named:
            path.unlink()


def has_checkpoint(folder: Path, which: Which) -> bool:
    """Return whether there is a checkpoint of that name, whole or not."""
    return (folder / f"{which}.json").exists()


def load_checkpoint(folder: Path, which: Which) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        InputError: it is missing, cut short, changed, not readable, or of another version's format.
    """
    pointer = folder / f"{which}.json"
    other = WHICH[1 - WHICH.index(which)]
    advice = f"valid is a whole checkpoint: restore the file from a copy, use {other!r} instead, or train anew"
    values = _read_pointer(pointer, advice)
    try:
        name, size, digest = (values.pop(key) for key in ("file", "bytes", "sha256"))
        info = CheckpointInfo(**values)
    except (KeyError, TypeError) as error:
        raise InputError(f"checkpoint {str(pointer)!r} is not readable ({error}); {advice}") from error
    path = folder / str(name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"checkpoint file {str(path)!r} can't be read: {error.strerror}; {advice}") from error
    if len(data) != size:
        raise InputError(f"checkpoint file {str(path)!r} has {len(data)} of its {size} bytes; {advice}")
    if hashlib.sha256(data).hexdigest() != digest:
        raise InputError(
            f"checkpoint file {str(path)!r} was changed: its SHA-256 is not {str(digest)[:12]}...; {advice}"
        )
    try:
        return Checkpoint(safetensors.torch.load(data), info)
    except SafetensorError as error:
        raise InputError(f"checkpoint file {str(path)!r} holds no tensors ({error}); {advice}") from error


def _read_pointer(pointer: Path, advice: str) -> dict[str, Any]:
    """Return the values of a checkpoint's JSON, without its format, which must be this version's."""
    try:
        values = json.loads(pointer.read_text(encoding="utf-8"))
        written = values.pop("format", 1)  # the first format did not name itself
    except FileNotFoundError as error:
        raise InputError(f"checkpoint {str(pointer)!r} is missing; valid is a run that saved one") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"checkpoint {str(pointer)!r} is not readable ({error}); {advice}") from error
    if written != FORMAT:
        raise InputError(
            f"checkpoint {str(pointer)!r} has format {written!r}; valid is {FORMAT}: train anew, or use the version of "
            "fleetmix that wrote it"
        )
    return dict(values)
