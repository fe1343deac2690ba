"""How robots moved in a recording: speeds, and where each stood for a while."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from export.recordings.reader import Recording

STANDING = 0.05
"""Slower than this a robot stands [m/s]."""


@dataclass(frozen=True)
class Motion:
    """What the poses of a recording say about motion."""

    speeds: NDArray[np.float64]
    """In each control period, without direction [ticks, robots], m/s."""
    driven: NDArray[np.float64]
    """Since the recording began, without jumps between episodes [ticks, robots], m."""
    episode: NDArray[np.int64]
    """Number of the episode that each control period belongs to [ticks]."""


def motion_of(recording: Recording) -> Motion:
    """Return how the robots moved."""
    times, poses = recording.times, recording.poses
    episode = np.searchsorted(np.array(recording.episodes), times + 1e-6, side="right") - 1
    steps = np.linalg.norm(np.diff(poses[:, :, :2], axis=0), axis=2)
    steps[np.diff(episode) != 0] = 0.0
    steps = np.nan_to_num(steps)  # what was no pose
    driven = np.vstack([np.zeros((1, steps.shape[1])), np.cumsum(steps, axis=0)])
    speeds = np.vstack([steps, steps[-1:] if len(steps) else np.zeros((1, poses.shape[1]))]) / recording.period
    return Motion(speeds, driven, episode)


def spells(holds: NDArray[np.bool_], episode: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return where something holds without a break, in one episode: first tick and the tick after the last."""
    changed = np.flatnonzero((np.diff(holds.astype(np.int8)) != 0) | (np.diff(episode) != 0)) + 1
    bounds = [0, *changed.tolist(), len(holds)]
    return [(start, end) for start, end in pairwise(bounds) if start < len(holds) and holds[start]]
