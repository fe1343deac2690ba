"""What a training run tells about itself: rows of a CSV file, the same for TensorBoard, and the metrics in them."""

import csv
import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from policies.environments import EnvSource
from policies.episode import Episode, per_robot_hour, throughput
from policies.files import write_atomically
from policies.results import mean_and_ci95
from sim.errors import InputError

COLUMNS = (
    "iteration", "steps", "updates", "seconds", "epsilon", "steps_per_second", "updates_per_second", "episodes",
    "return", "length", "throughput", "efficiency", "robot_contacts", "rack_contacts", "loss", "td_error_abs", "q_mean",
    "q_lowest", "q_highest", "return_mean", "gradient_norm", "validation_return", "validation_return_ci95",
    "validation_length", "validation_throughput", "validation_efficiency", "validation_robot_contacts",
    "validation_rack_contacts",
)  # fmt: skip
"""Columns of metrics.csv; steps are env steps, throughput and contacts per robot-hour of simulated time, and between
q_lowest and q_highest lies every value that the rewards seen so far allow. loss and td_error_abs are in units of the
spread of the discounted sums of rewards, the values in those of the rewards."""


def episode_metrics(episodes: Sequence[Episode], source: EnvSource, solo_throughput: float | None) -> dict[str, float]:
    """Return the means over some episodes.

    Args:
        episodes: any number; none give no metrics.
        source: their environment; only a warehouse has more than return and length.
        solo_throughput: deliveries per robot-hour of robots that are alone, for the efficiency.

    Returns:
        return, length [env steps], and in a warehouse throughput, robot_contacts and rack_contacts, all three per
        robot-hour, and efficiency [1].
    """
    if not episodes:
        return {}
    metrics = {
        "return": float(np.mean([episode.team_return for episode in episodes])),
        "length": float(np.mean([episode.length for episode in episodes])),
    }
    if source.scene is not None:
        metrics["throughput"] = throughput(episodes, source.scene)
        for name in ("robot_contacts", "rack_contacts"):
            metrics[name] = per_robot_hour(name, episodes, source.scene)
        if solo_throughput:
            metrics["efficiency"] = metrics["throughput"] / solo_throughput
    return metrics


def validation_metrics(
    episodes: Sequence[Episode], source: EnvSource, solo_throughput: float | None
) -> dict[str, float]:
    """Return the metrics of a validation: those of `episode_metrics`, and of several episodes return_ci95, half the
    width of the return's 95% interval."""
    metrics = episode_metrics(episodes, source, solo_throughput)
    if len(episodes) > 1:
        _, metrics["return_ci95"] = mean_and_ci95([episode.team_return for episode in episodes])
    return metrics


class MetricsWriter:
    """Writes rows to `metrics.csv` and to `tensorboard/` in a run folder.

    Args:
        run: the folder.
        steps: env steps to go on from; later rows of an earlier start, which no checkpoint remembers, are dropped.

    Raises:
        InputError: the folder can't be written; so does every method.
    """

    def __init__(self, run: Path, steps: int) -> None:
        self._path = run / "metrics.csv"
        write_atomically(self._path, _kept_rows(self._path, steps).encode())
        try:
            self._file: TextIO = self._path.open("a", newline="", encoding="utf-8")
            self._board = SummaryWriter(run / "tensorboard", purge_step=steps + 1 if steps else None)
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, row: dict[str, float]) -> None:
        """Add a row; a metric that is missing or no finite number leaves its cell empty."""
        known = {name: value for name, value in row.items() if math.isfinite(value)}
        try:
            csv.DictWriter(self._file, COLUMNS).writerow({k: f"{v:.9g}" for k, v in known.items()})
            self._file.flush()
            for name, value in known.items():
                self._board.add_scalar(f"train/{name}", value, int(row["steps"]))
        except OSError as error:
            raise self._unwritable(error) from error

    def flush(self) -> None:
        """Put all rows on the disk, for a checkpoint that counts them as written."""
        try:
            os.fsync(self._file.fileno())
            self._board.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Write what is left."""
        try:
            self._board.close()
            self._file.close()
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> InputError:
        folder = self._path.parent
        saved = any((folder / "checkpoints").glob("*.json"))
        kept = "the last checkpoint is kept, go on with --resume" if saved else "nothing was saved yet, begin again"
        return InputError(f"can't write the metrics in {str(folder)!r}: {error.strerror}; {kept} when there is room")


def _kept_rows(path: Path, steps: int) -> str:
    """Return the CSV file as it stood after that many env steps, with its head."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    if steps and path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            writer.writerows(
                {k: row.get(k) for k in COLUMNS} for row in rows if int(row["steps"] or steps + 1) <= steps
            )
    return out.getvalue()
