"""Pictures of a run: the learning curve, and a film of two fleets side by side."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from policies.evaluate import play
from policies.fleet_policies import FleetPolicy
from policies.results import Row
from sim.env import Controller, WarehouseEnv
from sim.layout import Layout
from sim.scene import SceneConfig

SPEED_UP = 4
"""How many times faster than real time the film runs."""
_CAPTION = 34  # height of the line of text above each fleet, pixels


def plot_learning_curve(metrics: Path, rows: Sequence[Row], picture: Path) -> None:
    """Draw the throughput of a training over its environment steps, beside what others reach on the same scene.

    Args:
        metrics: the run's metrics.csv.
        rows: always-go and the robots alone among them, drawn as level lines.
        picture: the PNG that is written.
    """
    from matplotlib.figure import Figure  # slow to import, needed only here

    with metrics.open(newline="") as file:
        records = [record for record in csv.DictReader(file) if record["throughput"]]
    steps = np.array([float(record["steps"]) for record in records])
    throughput = np.array([float(record["throughput"]) for record in records])
    width = max(1, len(throughput) // 50)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(steps, throughput, color="#9ecae1", linewidth=0.8, label="training, with exploration")
    if len(throughput) >= width:
        smooth = np.convolve(throughput, np.ones(width) / width, mode="valid")
        axes.plot(steps[width - 1 :], smooth, color="#08519c", linewidth=2, label=f"mean of {width} points")
    for row, colour, style in zip(
        rows, ("#d94801", "#08519c", "#238b45", "#555555"), ("-.", ":", ":", "--"), strict=False
    ):
        axes.axhline(row.throughput, color=colour, linestyle=style, linewidth=1.2, label=row.policy)
    axes.set(xlabel="environment steps", ylabel="deliveries per robot-hour", xlim=(0, None), ylim=(0, None))
    axes.set_title(f"{rows[0].scene}, {rows[0].robots} robots")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right", fontsize=8, frameon=False)
    figure.savefig(picture, dpi=120)


def film(
    fleets: Sequence[tuple[FleetPolicy, Controller | None]], scene: SceneConfig, layout: Layout, seed: int, path: Path
) -> None:
    """Write a GIF of one episode of each fleet, side by side: same starts, same streams of orders.

    Args:
        fleets: policies, each with what replaces the built-in controller.
        scene: the scene.
        layout: its map.
        seed: the episode.
        path: the GIF that is written.
    """
    takes = [_take(policy, controller, scene, layout, seed) for policy, controller in fleets]
    frames = [Image.fromarray(np.concatenate(pictures, axis=1)) for pictures in zip(*takes, strict=True)]
    palette = frames[len(frames) // 2].quantize(128)
    images = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    duration = round(1000 * scene.decision_period / SPEED_UP)
    images[0].save(path, save_all=True, append_images=images[1:], duration=duration, loop=0, optimize=True)


def _take(
    policy: FleetPolicy, controller: Controller | None, scene: SceneConfig, layout: Layout, seed: int
) -> list[NDArray[np.uint8]]:
    env = WarehouseEnv(scene, layout=layout, render_mode="rgb_array", controller=controller)
    policy.reset(scene.robots)
    frames: list[NDArray[np.uint8]] = []
    for infos in play(env, seed, policy.act):
        picture = env.render()
        assert picture is not None
        frames.append(_with_caption(picture, policy.name, sum(info["deliveries"] for info in infos), len(frames)))
    env.close()
    return frames


def _with_caption(picture: NDArray[np.uint8], name: str, deliveries: int, frame: int) -> NDArray[np.uint8]:
    height, width, _ = picture.shape
    image = Image.new("RGB", (width + 8, height + _CAPTION), "white")
    image.paste(Image.fromarray(picture), (4, _CAPTION))
    draw = ImageDraw.Draw(image)
    draw.text((8, 8), f"{name}: {deliveries} delivered", fill="black", font=ImageFont.load_default(18))
    return np.asarray(image)
