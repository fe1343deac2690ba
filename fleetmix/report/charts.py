"""The charts of a report, as SVG that takes the page's colours, so that they are read on dark and on light."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fleetmix.report.heat import DIRECTIONS, Heat
from policies.planners.names import SOLO
from policies.runs.curves import Curve, on_grid
from policies.statistics import estimate, interquartile_mean
from sim.layout import Layout
from sim.palette import hex_colour

_INK = "#123456"
"""Stands for the page's own ink until the SVG is written."""
_HEAT = "cividis"
"""Reads the same to people who are colour-blind."""

_RESAMPLES = 500
"""Bootstrap samples of a band."""
Row = Mapping[str, Any]
"""A row of `policies.results`, as JSON has it."""


def as_svg(figure: Figure) -> str:
    """Return a figure as an SVG element."""
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :].replace(_INK, "currentColor")


def _figure(width: float, height: float, across: int = 1, down: int = 1) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = list(figure.subplots(down, across, squeeze=False).ravel())
    for panel in axes:
        panel.tick_params(colors=_INK)
        for side in ("left", "bottom"):
            panel.spines[side].set_color(_INK)
        panel.spines[["top", "right"]].set_visible(False)
        for part in (panel.xaxis.label, panel.yaxis.label, panel.title):
            part.set_color(_INK)
    return figure, axes


def learning_curves(groups: Mapping[str, list[Curve]]) -> Figure:
    """Draw the interquartile mean of each group's validations over the steps, with its 95% interval as a band."""
    figure, (panel,) = _figure(8.5, 4.2)
    for number, (name, curves) in enumerate(groups.items()):
        steps, values = on_grid(curves)
        bands = [estimate(at, interquartile_mean, _RESAMPLES) for at in values]
        seeds = f", {len(curves)} seeds" if len(curves) > 1 else ""
        own = hex_colour(number)
        panel.plot(steps, [band.value for band in bands], color=own, linewidth=2, label=f"{name}{seeds}")
        low, high = [band.low for band in bands], [band.high for band in bands]
        panel.fill_between(steps, low, high, color=own, alpha=0.22, linewidth=0)
    unit = {"throughput": "deliveries a robot-hour, greedy"}.get(next(iter(groups.values()))[0].metric, "team return")
    panel.set(xlabel="environment steps", ylabel=unit, xlim=(0, None))
    panel.grid(alpha=0.2)
    panel.legend(frameon=False, labelcolor=_INK)
    return figure


def fleet_sizes(rows: Sequence[Row]) -> Figure:
    """Draw what a whole fleet delivers in an hour over its size, a panel for each scene."""
    scenes = list(dict.fromkeys(row["scene"] for row in rows))
    figure, panels = _figure(4.6 * len(scenes) + 0.4, 3.8, len(scenes))
    names = [name for name in dict.fromkeys(row["policy"] for row in rows) if name != SOLO]
    for panel, scene in zip(panels, scenes, strict=True):
        for number, name in enumerate(names):
            own = sorted(
                (row for row in rows if (row["scene"], row["policy"]) == (scene, name)), key=lambda row: row["robots"]
            )
            sizes = np.array([row["robots"] for row in own], np.float64)
            totals = sizes * [row["throughput"] for row in own]
            bars = sizes * [row["throughput_ci95"] or 0.0 for row in own]
            panel.errorbar(sizes, totals, bars, color=hex_colour(number), marker="o", capsize=3, label=name)
        panel.set(title=scene, xlabel="robots", ylabel="deliveries an hour", xlim=(0, None), ylim=(0, None))
        panel.grid(alpha=0.2)
    panels[0].legend(frameon=False, labelcolor=_INK, fontsize=8)
    return figure


def heat_maps(layout: Layout, heat: Heat) -> Figure:
    """Draw where robots wait, where claims are refused, where contacts begin, and how often each cell is left."""
    panels_of = (
        ("waiting [s]", heat.waiting), ("claims refused", heat.refused), ("contacts", heat.contacts),
        ("passes", heat.flow.sum(axis=2)),
    )  # fmt: skip
    figure, panels = _figure(10.0, 1.0 + 8.4 * layout.rows / layout.columns, 2, 2)
    for panel, (title, values) in zip(panels, panels_of, strict=True):
        shown = np.ma.masked_where(layout.blocked, values)
        picture = panel.imshow(shown, cmap=_HEAT, origin="lower", vmin=0, vmax=max(float(values.max()), 1.0))
        panel.set(title=f"{title} per robot-hour", xticks=[], yticks=[])
        panel.spines[["left", "bottom"]].set_visible(False)
        bar = figure.colorbar(picture, ax=panel, shrink=0.9)
        bar.ax.tick_params(colors=_INK)
        bar.outline.set_edgecolor(_INK)
    _draw_flow(panels[3], heat)
    return figure


def _draw_flow(panel: Any, heat: Heat) -> None:
    """Point into the direction in which more robots leave a cell."""
    east, north, west, south = (heat.flow[:, :, k] for k in range(len(DIRECTIONS)))
    across, up = east - west, north - south
    total = np.maximum(heat.flow.sum(axis=2), 1e-9)
    rows, columns = np.nonzero(np.hypot(across, up) > 0.25 * total)
    panel.quiver(
        columns,
        rows,
        (across / total)[rows, columns],
        (up / total)[rows, columns],
        color="white",
        scale=24,
        width=0.006,
    )
