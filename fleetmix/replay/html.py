"""A recording as one HTML page that plays from a disk, with nothing asked for from outside.

Poses are centimetres and 0.1 mrad in 16 bits, so ten minutes of eight robots stay below a megabyte.
"""

import base64
import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.recordings.reader import Recording
from fleetmix.pages.page import assemble
from fleetmix.replay.incidents import Incident, incidents_of
from fleetmix.replay.motion import motion_of
from fleetmix.replay.reasons import reasons_of
from sim.palette import hex_colour


def replay_page(recording: Recording) -> str:
    """Return the page."""
    reasons = reasons_of(recording, motion_of(recording))
    incidents = incidents_of(recording, reasons)
    about, scene = recording.about, recording.about.scene
    minutes = (recording.times[-1] - recording.times[0]) / 60
    end = "" if recording.whole else "The recording was cut short: this is what there is."
    data = {
        **_floor(recording), **_decisions(recording), **_orders(recording),
        "robots": about.robots,
        "labels": [name.rpartition("_")[2][-3:] for name in about.robots],
        "colours": [hex_colour(i) for i in range(len(about.robots))],
        "radius": scene["robot"]["radius"], "radio": scene["robot"]["radio_range"],
        "ticks": _packed(recording.times - recording.times[0], "<f4"),
        "poses": _packed(_quantized(recording.poses), "<i2"),
        "events": [_event(recording, incident) for incident in incidents],
        "reasons": [[(_time(recording, time), text) for time, text, _ in own] for own in reasons],
    }  # fmt: skip
    return assemble(
        "replay", data,
        title=html.escape(f"{scene['layout']}, {len(about.robots)} robots"),
        subtitle=html.escape(f"{about.policy}; {minutes:.1f} min; {recording.path.name}"), note=html.escape(end),
    )  # fmt: skip


def _time(recording: Recording, time: float) -> float:
    return round(max(time - float(recording.times[0]), 0.0), 2)


def _event(recording: Recording, incident: Incident) -> dict[str, Any]:
    time, kind, robot, text = incident
    return {"t": _time(recording, time), "kind": kind, "robot": robot, "text": text}


def _packed(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode()


def _quantized(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(np.round(np.nan_to_num(poses) * (100.0, 100.0, 10_000.0)), -32768, 32767)


def _floor(recording: Recording) -> dict[str, Any]:
    layout = recording.layout
    return {
        "columns": layout.columns,
        "rows": layout.rows,
        "racks": layout.racks().tolist(),
        "stations": [layout.middle(cell) for cell in layout.stations],
    }


def _decisions(recording: Recording) -> dict[str, Any]:
    """Return choices and Q values, the latter in steps that 16 bits hold."""
    names, decisions = list(recording.about.choices), recording.decisions
    choices = np.array([[names.index(own["choice"]) for own in each["robots"]] for each in decisions])
    values: NDArray[np.float64] = np.zeros(0)
    if decisions and "q_values" in decisions[0]["robots"][0]:
        values = np.array([[own["q_values"] for own in each["robots"]] for each in decisions])
    step = max(float(np.abs(values).max(initial=0.0)) / 32000, 1e-9)
    return {
        "choices_names": names,
        "decisions": _packed(np.array([_time(recording, each["time"]) for each in decisions]), "<f4"),
        "choices": _packed(choices, "u1"),
        "q": _packed(np.round(values / step), "<i2"),
        "q_step": step,
    }


def _orders(recording: Recording) -> dict[str, Any]:
    """Return for each robot where it was sent, whether it carried, which way it meant to go and what it claimed."""
    count = len(recording.about.robots)
    plans: list[list[tuple[float, list[float]]]] = [[] for _ in range(count)]
    for plan in recording.plans:
        plans[plan.robot].append((_time(recording, plan.time), np.round(plan.points, 2).ravel().tolist()))
    return {
        "goals": [_changes(recording, i, lambda own: tuple(own["goal"])) for i in range(count)],
        "carrying": [_changes(recording, i, lambda own: (int(own["carrying"]),)) for i in range(count)],
        "claims": [_changes(recording, i, lambda own: (own.get("claims", []),)) for i in range(count)],
        "plans": plans,
    }


def _changes(recording: Recording, robot: int, of: Any) -> Sequence[Sequence[Any]]:
    found: list[tuple[Any, ...]] = []
    for decision in recording.decisions:
        value = of(decision["robots"][robot])
        if not found or found[-1][1:] != value:
            found.append((_time(recording, decision["time"]), *value))
    return found
