"""Recordings made by hand, of which everything is known."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.recorder.recorder import About
from export.recordings.reader import Event, Plan, Recording
from sim.layout import load_layout

SCENE = {"layout": "crossing", "control_period": 0.1, "robot": {"radius": 0.3, "height": 0.25, "radio_range": 8.0}}
CHOICES = ("stop", "go", "back")


def decision(time: float, *robots: dict[str, Any]) -> dict[str, Any]:
    """A decision of robots that go, unless they say something else."""
    plain = {"choice": "go", "goal": [3.5, 5.5], "carrying": False, "q_values": [0.5, 1.5, 1.0]}
    return {"time": time, "robots": [{"robot": f"robot_{i}", **plain, **own} for i, own in enumerate(robots)]}


def recording(
    poses: NDArray[np.float64],
    decisions: list[dict[str, Any]],
    *events: Event,
    commands: NDArray[np.float64] | None = None,
    wanted: NDArray[np.float64] | None = None,
    whole: bool = True,
) -> Recording:
    """A recording of robots at these poses [ticks, robots, 3]."""
    ticks, robots, _ = poses.shape
    still = np.zeros((ticks, robots, 2))
    layout = load_layout("crossing")
    about = About(tuple(f"robot_{i}" for i in range(robots)), layout.text(), SCENE, CHOICES, "QMIX")
    sent = still if commands is None else commands
    first = Event(0.0, "episode", "", '{"number": 0, "seed": 7}')
    plan = Plan(0.0, 0, np.array([[0.5, 3.5], [3.5, 3.5]]))
    return Recording(
        Path("flight.mcap"), about, layout, whole, np.arange(ticks) / 10, poses, sent,
        sent if wanted is None else wanted, decisions, [first, *events], [plan],
    )  # fmt: skip


def standing(ticks: int, *places: tuple[float, float]) -> NDArray[np.float64]:
    """Poses of robots that stand and look along x."""
    return np.tile(np.array([[(x, y, 0.0) for x, y in places]]), (ticks, 1, 1))


def every_decision(ticks: int, *robots: dict[str, Any]) -> list[dict[str, Any]]:
    return [decision(0.4 * k, *robots) for k in range(ticks // 4)]
