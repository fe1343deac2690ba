"""Runs held against each other: tables for the terminal, CSV files, and learning curves with bands."""

import csv
import io
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
from rich.table import Table

from policies.files import write_atomically
from policies.runs.curves import Curve, on_grid, read_curve
from policies.statistics import Estimate, estimate, interquartile_mean, mean, probability_of_improvement
from sim.errors import InputError

FILES = SCORES, IMPROVEMENT, CURVES = ("scores.csv", "improvement.csv", "curves.png")
"""What a comparison writes."""
COLOURS = ("#08519c", "#d94801", "#238b45", "#6a51a3", "#b10026", "#636363")
_BAND_RESAMPLES = 1000

Groups = dict[str, list[Curve]]


def read_groups(runs: Sequence[Path], by: str) -> Groups:
    """Read the validations of runs, grouped by a setting.

    Raises:
        InputError: as `read_curve`, or the runs are of several environments.
    """
    groups: Groups = {}
    for run in runs:
        curve = read_curve(run, by)
        groups.setdefault(curve.group, []).append(curve)
    curves = [curve for group in groups.values() for curve in group]
    other = next((curve for curve in curves if curve.env != curves[0].env), None)
    if other is not None:
        first = curves[0]
        raise InputError(
            f"run {str(first.run)!r} is of env {first.env}, run {str(other.run)!r} of env {other.env}; valid is one env"
        )
    return groups


def compare_groups(groups: Groups, by: str, folder: Path) -> list[Table]:
    """Write the CSV files and the picture into a folder, and return the tables for the terminal."""
    scores = {name: np.array([curve.score for curve in curves]) for name, curves in groups.items()}
    figures = {name: (estimate(x, interquartile_mean), estimate(x, mean)) for name, x in scores.items()}
    pairs = {(a, b): probability_of_improvement(scores[a], scores[b]) for a, b in permutations(scores, 2)}
    curve = next(iter(groups.values()))[0]
    table = Table(by, "runs", "IQM", "mean", "steps", title=f"{curve.env}: {curve.metric} of the last validation")
    for name, (iqm, average) in figures.items():
        least = min(int(each.steps[-1]) for each in groups[name])
        table.add_row(name, str(len(groups[name])), str(iqm), str(average), f"{least:,}")
    table.caption = "with 95% bootstrap intervals over the runs; steps: of the shortest run"
    folder.mkdir(parents=True, exist_ok=True)
    heads = [f"{name}{end}" for name in ("iqm", "mean") for end in ("", "_low", "_high")]
    rows = [[name, len(scores[name]), *_numbers(iqm), *_numbers(average)] for name, (iqm, average) in figures.items()]
    _write_csv(folder / SCORES, [by, "runs", *heads], rows)
    improvement = [[a, b, *_numbers(chance)] for (a, b), chance in pairs.items()]
    _write_csv(folder / IMPROVEMENT, [by, "over", "probability", "low", "high"], improvement)
    plot_curves(groups, by, folder / CURVES)
    if not pairs:
        return [table]
    chances = Table(
        by, "over", "probability of improvement", title="How probably a run of one beats a run of the other"
    )
    for (a, b), chance in pairs.items():
        chances.add_row(a, b, str(chance))
    return [table, chances]


def plot_curves(groups: Groups, by: str, picture: Path) -> None:
    """Draw the interquartile mean of each group's validations over the steps, with its interval as a band."""
    from matplotlib.figure import Figure  # slow to import, needed only here

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for i, (name, curves) in enumerate(groups.items()):
        steps, values = on_grid(curves)
        bands = [estimate(at, interquartile_mean, _BAND_RESAMPLES) for at in values]
        colour = COLOURS[i % len(COLOURS)]
        runs = f"{len(curves)} run{'s' * (len(curves) > 1)}"
        axes.plot(steps, [band.value for band in bands], color=colour, linewidth=2, label=f"{by} {name}, {runs}")
        low, high = [band.low for band in bands], [band.high for band in bands]
        axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
    curve = next(iter(groups.values()))[0]
    unit = "deliveries per robot-hour" if curve.metric == "throughput" else "return of the team"
    axes.set(xlabel="environment steps", ylabel=f"{unit}, greedy", xlim=(0, None), title=curve.env)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(picture, dpi=120)


def _numbers(of: Estimate) -> list[str]:
    return [f"{number:.6g}" if number == number else "" for number in (of.value, of.low, of.high)]


def _write_csv(path: Path, head: list[str], rows: Sequence[Sequence[object]]) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([head, *rows])
    write_atomically(path, out.getvalue().encode())
