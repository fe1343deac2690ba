"""What the validations of a run showed: the greedy policy, over the length of the training."""

import csv
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.runs.folder import load_run
from sim.errors import InputError


@dataclass(frozen=True)
class Curve:
    """The validations of a run."""

    run: Path
    env: str
    """What messages call its environment."""
    group: str
    """The value of the setting by which runs are grouped."""
    metric: str
    """throughput [deliveries per robot-hour] in a warehouse, else return."""
    steps: NDArray[np.float64]
    """When they were [env steps], rising."""
    values: NDArray[np.float64]
    """What they showed."""

    @property
    def score(self) -> float:
        """What the last one showed."""
        return float(self.values[-1])


def read_curve(run: Path, by: str) -> Curve:
    """Read the validations of a run.

    Args:
        run: its folder.
        by: the setting by which it is grouped, such as `algo` or `learner.gamma`.

    Raises:
        InputError: there is no such run or setting, or the run was never validated.
    """
    opened = load_run(run)
    value: Any = dataclasses.asdict(opened.config)
    for name in by.split("."):
        if not isinstance(value, dict) or name not in value:
            raise InputError(f"by is {by!r}; valid is a setting of config.yaml, such as algo or learner.gamma")
        value = value[name]
    metric = "return" if opened.config.env else "throughput"
    try:
        with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row.get(f"validation_{metric}")]
    except OSError as error:
        raise InputError(f"the metrics of run {str(run)!r} can't be read: {error.strerror}") from error
    if not rows:
        raise InputError(f"run {str(run)!r} has no validation yet; valid is one that has")
    steps, values = (np.array([float(row[name]) for row in rows]) for name in ("steps", f"validation_{metric}"))
    return Curve(run, opened.source.name, str(value), metric, steps, values)


def on_grid(curves: list[Curve], points: int = 100) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interpolate curves onto common steps, as far as all of them go.

    Args:
        curves: one a training seed.
        points: how many steps.

    Returns:
        steps [points] and values [points, curves].
    """
    first, last = max(curve.steps[0] for curve in curves), min(curve.steps[-1] for curve in curves)
    steps = np.linspace(min(first, last), last, points)
    return steps, np.stack([np.interp(steps, curve.steps, curve.values) for curve in curves], 1)
