"""Where in a warehouse something happens: a number for each cell of the map, per robot-hour."""

import csv
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.recordings.reader import Recording
from fleetmix.replay.motion import STANDING, motion_of

DIRECTIONS = ("east", "north", "west", "south")


@dataclass(frozen=True)
class Heat:
    """Numbers for each cell [rows, columns], row 0 the lower edge."""

    waiting: NDArray[np.float64]
    """Seconds that robots stand there, per robot-hour."""
    contacts: NDArray[np.float64]
    """Contacts that begin there, per robot-hour."""
    refused: NDArray[np.float64]
    """Claims refused to robots there, per robot-hour."""
    flow: NDArray[np.float64]
    """How often robots leave the cell to the east, north, west and south, per robot-hour [rows, columns, 4]."""


def heat_of(recording: Recording) -> Heat:
    """Return where things happen in a recording."""
    layout, motion = recording.layout, motion_of(recording)
    shape, robots = (layout.rows, layout.columns), recording.poses.shape[1]
    hours = len(recording.times) * recording.period * robots / 3600
    places = np.nan_to_num(recording.poses[:, :, :2]).astype(int)
    columns = np.clip(places[:, :, 0], 0, layout.columns - 1)
    rows = np.clip(places[:, :, 1], 0, layout.rows - 1)
    waiting, flow = np.zeros(shape), np.zeros((*shape, 4))
    standing = motion.speeds < STANDING
    np.add.at(waiting, (rows[standing], columns[standing]), recording.period)
    moved = np.stack([np.diff(columns, axis=0), np.diff(rows, axis=0)], axis=2)
    moved[np.diff(motion.episode) != 0] = 0
    for direction, step in enumerate(((1, 0), (0, 1), (-1, 0), (0, -1))):
        left = (moved == step).all(axis=2)
        np.add.at(flow, (rows[:-1][left], columns[:-1][left], direction), 1.0)
    counts = {kind: np.zeros(shape) for kind in ("robot_contact", "rack_contact", "refused")}
    for event in recording.events:
        if event.kind in counts and event.robot in recording.about.robots:
            at = min(int(np.searchsorted(recording.times, event.time - 1e-6)), len(recording.times) - 1)
            robot = recording.about.robots.index(event.robot)
            counts[event.kind][rows[at, robot], columns[at, robot]] += 1
    contacts = counts["robot_contact"] + counts["rack_contact"]
    return Heat(waiting / hours, contacts / hours, counts["refused"] / hours, flow / hours)


def as_csv(heat: Heat) -> str:
    """Return a line for each cell: column, row, and each number per robot-hour."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("column", "row", "waiting_s", "contacts", "refused", *DIRECTIONS))
    for row, column in np.ndindex(heat.waiting.shape):
        numbers = (heat.waiting, heat.contacts, heat.refused)
        values = [*(numbers_[row, column] for numbers_ in numbers), *heat.flow[row, column].tolist()]
        writer.writerow((column, row, *(f"{value:.4g}" for value in values)))
    return text.getvalue()
