"""A recording as a film, seen from above: a GIF, or an MP4 where ffmpeg is installed."""

import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from export.recordings.reader import Recording
from sim.errors import InputError, RunError
from sim.palette import hex_colour

FRAMES = 10
"""A second of film."""
SPEED_UP = 4
"""How many times faster than it was."""
_WIDTH = 720
_CAPTION = 30
_FLOOR, _RACK, _STATION, _INK, _CRATE = "#fbfcfd", "#aab6c1", "#cfe9dc", "#1c2630", "#b9834a"


def write_gif(recording: Recording, path: Path) -> None:
    """Write a film as a GIF, which a page or a message shows without a player."""
    frames = list(_frames(recording))
    palette = frames[len(frames) // 2].quantize(64)
    images = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    images[0].save(path, save_all=True, append_images=images[1:], duration=1000 // FRAMES, loop=0, optimize=True)


def write_mp4(recording: Recording, path: Path) -> None:
    """Write a film as an MP4.

    Raises:
        InputError: there is no ffmpeg.
        RunError: it fails.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise InputError(f"mp4 is {str(path)!r}, but ffmpeg is not installed; valid is --gif, or --html")
    frames = _frames(recording)
    first = next(frames)
    width, height = (size // 2 * 2 for size in first.size)  # as its coding wants it
    form = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(FRAMES), "-i", "-"]
    command = [program, "-y", "-loglevel", "error", *form, "-pix_fmt", "yuv420p", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        for frame in (first, *frames):
            process.stdin.write(frame.crop((0, 0, width, height)).tobytes())
        process.stdin.close()
        said = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise RunError(f"ffmpeg can't write {str(path)!r}: {said}")


def _frames(recording: Recording) -> Iterator[Image.Image]:
    layout, began = recording.layout, recording.times[0]
    scale = max(6, min(60, _WIDTH // layout.columns))
    floor = _floor(recording, scale)
    moments = np.arange(began, recording.times[-1] + 1e-9, SPEED_UP / FRAMES)
    decisions = [float(decision["time"]) for decision in recording.decisions]
    for moment in moments.tolist():
        at = int(np.searchsorted(recording.times, moment + 1e-9, side="right")) - 1
        orders = int(np.searchsorted(decisions, moment + 1e-9, side="right")) - 1
        yield _frame(recording, floor, scale, max(at, 0), max(orders, 0), moment - began)


def _floor(recording: Recording, scale: int) -> Image.Image:
    layout = recording.layout
    height = layout.rows * scale
    image = Image.new("RGB", (layout.columns * scale, height + _CAPTION), _FLOOR)
    draw = ImageDraw.Draw(image)
    for x, y in (layout.middle(cell) for cell in layout.stations):
        draw.rectangle(_box(x, y, 0.46, scale, height), fill=_STATION)
    for x0, y0, x1, y1 in layout.racks().tolist():
        box = (x0 * scale + 2, height - y1 * scale + 2 + _CAPTION, x1 * scale - 2, height - y0 * scale - 2 + _CAPTION)
        draw.rounded_rectangle(box, 3, fill=_RACK)
    return image


def _box(x: float, y: float, half: float, scale: int, height: int) -> tuple[float, float, float, float]:
    px, py = x * scale, height - y * scale + _CAPTION
    return (px - half * scale, py - half * scale, px + half * scale, py + half * scale)


def _frame(recording: Recording, floor: Image.Image, scale: int, at: int, orders: int, time: float) -> Image.Image:
    image = floor.copy()
    draw, height = ImageDraw.Draw(image), floor.height - _CAPTION
    told = recording.decisions[orders]["robots"] if recording.decisions else []
    for i, own in enumerate(told):
        x, y = own["goal"]
        draw.rectangle(_box(x, y, 0.2, scale, height), outline=hex_colour(i), width=max(2, scale // 14))
    radius = float(recording.about.scene["robot"]["radius"])
    for i, (x, y, heading) in enumerate(np.nan_to_num(recording.poses[at]).tolist()):
        draw.ellipse(_box(x, y, radius, scale, height), fill=hex_colour(i))
        nose_x, nose_y = x + 0.75 * radius * math.cos(heading), y + 0.75 * radius * math.sin(heading)
        draw.ellipse(_box(nose_x, nose_y, 0.2 * radius, scale, height), fill="white")
        if told and told[i]["carrying"]:
            draw.rectangle(_box(x, y, 0.42 * radius, scale, height), fill=_CRATE, outline=_INK)
    delivered = sum(event.kind == "delivery" and event.time <= recording.times[at] for event in recording.events)
    caption = f"{recording.about.policy}   {time:5.1f} s   {delivered} delivered"
    draw.text((8, 7), caption, fill=_INK, font=ImageFont.load_default(15))
    return image
