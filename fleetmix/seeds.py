"""Several seeds of one training side by side: a process for each, within the cores, and one table of progress."""

import csv
import dataclasses
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from policies.files import write_atomically
from policies.runs.config import TrainConfig
from policies.runs.folder import require_free
from sim.errors import InputError, RunError
from sim.interrupt import Interrupt

LOG = "train.log"
"""What a training says, in its run folder."""
_PERIOD, _PLAIN_PERIOD = 1.0, 30.0
"""Between two looks at the processes, and between two tables where nobody sees them change [s]."""


@dataclass
class SeedRun:
    """One seed's training."""

    seed: int
    folder: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def state(self) -> str:
        """waiting, running, done, stopped (saved after a signal) or failed."""
        if self.process is None:
            return "waiting"
        code = self.process.poll()
        return "running" if code is None else {0: "done", 130: "stopped"}.get(code, "failed")

    def last_row(self) -> dict[str, str]:
        """Return the newest cell of each column of its metrics; empty before there is any."""
        try:
            with (self.folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        except OSError:
            return {}
        return {name: value for row in rows for name, value in row.items() if name and value}


def train_seeds(config: TrainConfig, seeds: int, folder: Path, resume: bool) -> list[Path]:
    """Train with the seeds `config.seed`, `config.seed + 1`, ..., each in its own run folder, and show how it goes.

    Args:
        config: settings of all of them.
        seeds: how many.
        folder: holds the run folders seed-0, seed-1, ...
        resume: go on with those that are there.

    Returns:
        The run folders.

    Raises:
        InputError: a run folder already holds a run, or the folder can't be written.
        RunError: a training failed; the others have ended, or were saved.
        KeyboardInterrupt: a signal; all were saved.
    """
    runs = [SeedRun(seed, folder / f"seed-{seed}") for seed in range(config.seed, config.seed + seeds)]
    for run in runs:
        if not resume:
            require_free(run.folder)
        try:
            run.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"can't make the run folder {str(run.folder)!r}: {error.strerror}") from error
    settings = folder / "settings.yaml"
    _write_settings(config, settings)
    side_by_side = max(1, len(os.sched_getaffinity(0)) // (1 + config.rollout.workers))
    with Interrupt() as interrupt:
        try:
            _train_all(runs, settings, side_by_side, resume, config, interrupt)
        finally:
            _end(runs)
        interrupt.check()
    failed = [run for run in runs if run.state == "failed"]
    if failed:
        log = failed[0].folder / LOG
        said = log.read_text(errors="replace").strip()[-1000:]
        raise RunError(f"seed {failed[0].seed} failed, as {len(failed)} of {seeds} did; {log} ends with\n{said}")
    return [run.folder for run in runs]


def _train_all(
    runs: list[SeedRun], settings: Path, side_by_side: int, resume: bool, config: TrainConfig, interrupt: Interrupt
) -> None:
    """Keep so many trainings running until all have ended or there is an interrupt."""
    console, told = Console(), time.monotonic()
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while not interrupt.requested:
            free = side_by_side - sum(run.state == "running" for run in runs)
            waiting = [run for run in runs if run.state == "waiting"]
            for run in waiting[: max(0, free)]:
                _begin(run, settings, resume)
            if console.is_terminal:
                live.update(progress_table(runs, config), refresh=True)
            elif time.monotonic() - told >= _PLAIN_PERIOD:
                told = time.monotonic()
                console.print(progress_table(runs, config))
            if not waiting and all(run.state != "running" for run in runs):
                break
            time.sleep(_PERIOD)
    if not console.is_terminal:
        console.print(progress_table(runs, config))


def _begin(run: SeedRun, settings: Path, resume: bool) -> None:
    command = [sys.executable, "-m", "fleetmix", "train", "--run", str(run.folder)]
    if resume and (run.folder / "config.yaml").exists():
        command += ["--resume"]
    else:
        command += ["--config", str(settings), "--seed", str(run.seed)]
    with (run.folder / LOG).open("ab") as log:  # a session of its own: a signal reaches it once, from here
        run.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def _end(runs: list[SeedRun]) -> None:
    """Let the trainings that still run save and end."""
    for run in runs:
        if run.process is not None and run.process.poll() is None:
            run.process.send_signal(signal.SIGINT)
    for run in runs:
        if run.process is not None:
            run.process.wait()


def _write_settings(config: TrainConfig, path: Path) -> None:
    import yaml

    write_atomically(path, yaml.safe_dump(dataclasses.asdict(config), sort_keys=False).encode())


def progress_table(runs: list[SeedRun], config: TrainConfig) -> Table:
    """Return how far each training is and how well it does."""
    table = Table("seed", "", "done", "steps", "steps/s", "return", "greedy")
    for run in runs:
        row = run.last_row()
        total, now = (config.steps, "steps") if config.steps else (config.minutes * 60, "seconds")
        done = min(1.0, float(row.get(now, 0)) / total)
        greedy = row.get("validation_throughput") or row.get("validation_return", "")
        cells = [row.get("throughput") or row.get("return", ""), greedy]
        shown = [f"{float(cell):.4g}" if cell else "" for cell in (row.get("steps_per_second", ""), *cells)]
        table.add_row(str(run.seed), run.state, f"{done:.0%}", f"{int(row.get('steps', 0)):,}", *shown)
    return table
