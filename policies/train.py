"""The front door of training: checks what can be checked first, then opens everything that must be closed again."""

import contextlib
import ctypes
import os
import sys
import time
from pathlib import Path

import torch

from policies.evaluate import solo_throughput
from policies.loop import TrainingLoop
from policies.memory import require_memory
from policies.rollout.interface import RolloutStoppedError
from policies.rollout.setup import RolloutSetup
from policies.rollout.workers import open_rollout
from policies.runs.checkpoint import CheckpointInfo, load_checkpoint
from policies.runs.config import TrainConfig
from policies.runs.folder import TrainResult, new_run, require_free, resume_run
from policies.runs.lock import RunLock
from sim.errors import InputError
from sim.interrupt import Interrupt

__all__ = ["TrainConfig", "TrainResult", "train"]

SOLO_SEEDS = range(20_000_000, 20_000_008)
"""Episodes of robots that are alone, by which training shows its efficiency."""


def train(config: TrainConfig, run: Path, resume: bool = False) -> TrainResult:
    """Train a fleet.

    With `config.steps` the run is bit-reproducible, in the conditions that `policies.rollout` states. The time limit
    counts everything: starting the worker, validating and saving. Ctrl-C, SIGTERM and SIGHUP save a checkpoint and end
    the run cleanly, whatever the worker does; a second Ctrl-C ends it at once. Without a worker, an environment that
    hangs holds the learner up too: the first signal waits for it, and the second ends without saving.

    Args:
        config: the settings.
        run: the run folder, made if it is not there.
        resume: go on with the run that is there; environment, algorithm and agent network must be its own. It goes on
            exactly where it was saved, episodes included, which are played again from their seeds and actions. A
            replay that was too large to be saved is filled anew up to the warmup before learning goes on. A run that
            ended before it saved anything begins anew.

    Raises:
        InputError: a setting, the environment or the run folder is not valid, another training runs in that folder, the
            disk is full, or training diverged.
        RolloutError: the worker died; what was learned until then is saved.
        KeyboardInterrupt: a signal came before training began, or a second one.
    """
    with RunLock(run) as lock:
        return _train(config, run, resume, lock)


def _train(config: TrainConfig, run: Path, resume: bool, lock: RunLock) -> TrainResult:
    started = time.monotonic()
    opened = resume_run(run, config) if resume else new_run(run, config)
    if resume:
        lock.take()
    checkpoint = load_checkpoint(opened.checkpoints, "newest") if resume and opened.saved else None
    if checkpoint is not None:
        _require_rest(config, checkpoint.info, run)
    settings = config.rollout
    setup = RolloutSetup(opened.source, config.agent, settings.envs, settings.sequence, config.seed)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    _keep_freed_memory()
    try:
        with Interrupt(_saving) as interrupt:
            try:
                rollout = open_rollout(setup, settings.workers, settings.patience, lambda: interrupt.requested)
            except RolloutStoppedError as error:  # nothing was learned that could be saved
                raise KeyboardInterrupt from error
            try:
                require_memory(config, rollout.team, opened.source.neighbours)
                lock.take()
                if not resume:  # a whole training may have passed since the first look
                    require_free(run)
                opened.write()
                scene = opened.source.scene
                solo = (
                    None
                    if scene is None or opened.source.mix is not None
                    else solo_throughput(scene, opened.source.parsed_layout(), SOLO_SEEDS)
                )
                loop = TrainingLoop(opened, rollout, checkpoint, solo, started, lambda: interrupt.requested)
                return loop.run()
            finally:
                rollout.close()
    finally:
        torch.set_num_threads(threads)


def _saving() -> None:
    # Written past Python's buffer: the signal may have come in the middle of a print, which can't be entered twice.
    with contextlib.suppress(OSError):
        os.write(2, b"\nsaving, which may take some seconds; a second Ctrl-C ends at once and saves nothing\n")


def _keep_freed_memory() -> None:
    """Tell glibc to keep what an update frees for the next one, which makes updates a quarter faster."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        mallopt = getattr(libc, "mallopt", None)  # other C libraries have none
        trim_threshold, mmap_threshold = -1, -3  # names of <malloc.h>
        if mallopt is not None:
            mallopt(trim_threshold, 1 << 30)
            mallopt(mmap_threshold, 1 << 30)


def _require_rest(config: TrainConfig, info: CheckpointInfo, run: Path) -> None:
    if config.steps and info.steps >= config.steps:
        raise InputError(f"steps is {config.steps}, but run {str(run)!r} already has {info.steps}; valid is more")
    if not config.steps and info.seconds >= config.minutes * 60:
        had = info.seconds / 60
        raise InputError(f"minutes is {config.minutes:g}, but run {str(run)!r} already had {had:.2f}; valid is more")
