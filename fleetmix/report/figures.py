"""What rows and recordings say in figures: how many robots are worth having, and which minute was worst."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from export.recordings.reader import Plan, Recording
from fleetmix.replay.motion import STANDING, motion_of
from policies.planners.names import SOLO

_WORTH = 0.5
"""A robot is worth having that adds this share of what one of the smallest fleet brings."""


def worth_having(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each scene and policy that was measured with several sizes of fleets.

    From one size to the next, each robot adds (N2 T2 - N1 T1) / (N2 - N1), for fleets of N robots that deliver T each.
    """
    told = []
    for scene, policy in dict.fromkeys((row["scene"], row["policy"]) for row in rows if row["policy"] != SOLO):
        own = sorted((r for r in rows if (r["scene"], r["policy"]) == (scene, policy)), key=lambda r: r["robots"])
        if len(own) < 2:
            continue
        best, enough = own[0], _WORTH * own[0]["throughput"]
        added = enough
        for one, more in pairwise(own):
            gain = more["robots"] * more["throughput"] - one["robots"] * one["throughput"]
            added = gain / (more["robots"] - one["robots"])
            if added < enough:
                break
            best = more
        beyond = f"; beyond, each adds {added:.0f}" if best is not own[-1] else ", the most that was measured"
        told.append(
            f"{scene}, {policy}: up to {best['robots']} robots are worth having{beyond} "
            f"(one of {own[0]['robots']} brings {own[0]['throughput']:.0f} deliveries an hour)"
        )
    return told


def worst_minute(recording: Recording, seconds: float = 60.0) -> Recording:
    """Return the minute of a recording in which robots stood the most."""
    ticks = min(round(seconds / recording.period), len(recording.times))
    standing = (motion_of(recording).speeds < STANDING).sum(axis=1)
    sums = np.convolve(standing, np.ones(ticks), "valid")
    first = int(sums.argmax())
    return cut(recording, first, first + ticks)


def cut(recording: Recording, first: int, end: int) -> Recording:
    """Return the control periods from `first` up to before `end`, with what counts at their beginning."""
    begins, ends = recording.times[first], recording.times[end - 1]
    before = [decision for decision in recording.decisions if decision["time"] <= begins + 1e-6][-1:]
    within = [decision for decision in recording.decisions if begins + 1e-6 < decision["time"] <= ends]
    plans: dict[int, Plan] = {plan.robot: plan for plan in recording.plans if plan.time <= begins}
    later = [plan for plan in recording.plans if begins < plan.time <= ends]
    return replace(
        recording,
        times=recording.times[first:end],
        poses=recording.poses[first:end],
        commands=recording.commands[first:end],
        wanted=recording.wanted[first:end],
        decisions=[*before, *within],
        events=[event for event in recording.events if begins <= event.time <= ends],
        plans=[*plans.values(), *later],
    )
