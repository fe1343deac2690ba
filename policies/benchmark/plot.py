"""The picture of a benchmark: a panel for each scene, throughput over the size of the fleet."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from policies.planners.names import SOLO
from policies.results import Row

_ACROSS = 3
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999")
"""Told apart by people who are colour-blind too (Okabe and Ito)."""
_MARKERS = "osD^vPX"
_APART = 0.09
"""How far policies are drawn beside each other, in distances of two fleets."""


def plot(rows: Sequence[Row]) -> bytes:
    """Return a PNG of the rows, with their 95% intervals."""
    from matplotlib.figure import Figure  # slow to import, needed only here

    scenes = list(dict.fromkeys(row.scene for row in rows))
    names = [name for name in dict.fromkeys(row.policy for row in rows) if name != SOLO]
    across = min(_ACROSS, len(scenes))
    down = -(-len(scenes) // across)
    figure = Figure(figsize=(1.0 + 3.6 * across, 0.9 + 3.0 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for panel in panels[len(scenes) :]:
        panel.set_visible(False)
    for panel, scene in zip(panels, scenes, strict=False):
        _draw([row for row in rows if row.scene == scene], names, panel)
        panel.set_title(scene)
    figure.supxlabel("robots", fontsize=10)
    figure.supylabel("deliveries a robot-hour", fontsize=10)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=9)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()


def _draw(rows: Sequence[Row], names: Sequence[str], panel: Any) -> None:
    """Draw one scene's rows: policies beside each other over each fleet, and the robots alone as a level line."""
    sizes = sorted({row.robots for row in rows})
    for k, name in enumerate(names):
        of = sorted((row for row in rows if row.policy == name), key=lambda row: row.robots)
        at = [sizes.index(row.robots) + _APART * (k - (len(names) - 1) / 2) for row in of]
        middles, intervals = [row.throughput for row in of], [np.nan_to_num(row.throughput_ci95) for row in of]
        style = {"color": _COLOURS[k % 7], "marker": _MARKERS[k % 7], "markersize": 5, "linewidth": 1.0, "capsize": 2}
        panel.errorbar(at, middles, intervals, label=name, **style)
    for row in rows:
        if row.policy == SOLO:
            at_size = sizes.index(row.robots)
            label = SOLO if at_size == 0 else None
            panel.hlines(row.throughput, at_size - 0.35, at_size + 0.35, "#555555", "dotted", label=label)
    top = 1.2 * max(row.throughput for row in rows) or 1.0
    panel.set(xticks=range(len(sizes)), xticklabels=sizes, ylim=(0, top), xlim=(-0.5, len(sizes) - 0.5))
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", alpha=0.25)
