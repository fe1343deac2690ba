"""The warehouse and its robots as viser draws them."""

import math
from collections.abc import Sequence

import numpy as np
import viser
from numpy.typing import NDArray

from fleetmix.view.moment import Moment
from sim.layout import Layout
from sim.palette import colour
from sim.scene import SceneConfig
from sim.traffic.broadcast import MOST_CLAIMS

Rgb = tuple[int, int, int]
_RACK, _STATION, _CRATE = (118, 132, 147), (72, 160, 118), (185, 131, 74)
_RADIO = (120, 140, 160)
_FRONT, _FLASH = (255, 255, 255), (255, 60, 40)
_FLOOR = {False: (238, 241, 244), True: (30, 36, 43)}
"""By whether it is dark."""
_RACK_HEIGHT = 0.45
"""Low enough that robots are seen behind it [m]."""
_LIGHT = 0.35
"""Of the surroundings: more washes the colours out."""
_FLASHES = 1.0
"""For how long a contact is seen [s]."""
_CIRCLE = 72


def rgb(robot: int) -> Rgb:
    """Return a robot's colour, 0 to 255."""
    red, green, blue = colour(robot)
    return round(255 * red), round(255 * green), round(255 * blue)


class Stage:
    """Everything that is drawn.

    Args:
        server: where.
        scene: the fleet.
        layout: its map.
    """

    def __init__(self, server: viser.ViserServer, scene: SceneConfig, layout: Layout) -> None:
        self._server, self._layout, self._robot = server, layout, scene.robot
        self._away = np.array([layout.columns / 2, layout.rows / 2, -0.5], np.float32)
        """Under the floor, where what isn't needed is not seen."""
        self._touched = np.full(scene.robots, -np.inf)
        self._seen: list[tuple[object, ...]] = [()] * scene.robots
        server.scene.configure_default_lights(cast_shadow=False)
        server.scene.configure_environment_map(environment_intensity=_LIGHT)
        self._floor = server.scene.add_box(
            "/floor", _FLOOR[False], (layout.columns, layout.rows, 0.02), cast_shadow=False,
            position=(layout.columns / 2, layout.rows / 2, -0.02),
        )  # fmt: skip
        self._build(layout)
        self._frames = [self._add_robot(i) for i in range(scene.robots)]
        self._goals = [
            server.scene.add_box(f"/goals/{i}", rgb(i), (0.44, 0.44, 0.03), opacity=0.85, cast_shadow=False)
            for i in range(scene.robots)
        ]
        nothing = np.zeros((1, 2, 3), np.float32)
        self._ways = [server.scene.add_line_segments(f"/ways/{i}", nothing, rgb(i)) for i in range(scene.robots)]
        self._rays = server.scene.add_line_segments("/lidar", nothing, (230, 160, 0), thickness=0.02)
        self._radio = server.scene.add_line_segments("/radio", _circle(scene.robot.radio_range), _RADIO, thickness=0.03)
        self._claims = self._add_claims(scene.robots)

    def _build(self, layout: Layout) -> None:
        """Draw racks and stations, as one mesh each: a browser without a graphics card draws few of them faster."""
        gap, half = 0.03, 0.47
        racks = layout.racks() + np.array([gap, gap, -gap, -gap])
        stations = [(x - half, y - half, x + half, y + half) for x, y in map(layout.middle, layout.stations)]
        add = self._server.scene.add_mesh_simple
        add("/racks", *_boxes(racks, _RACK_HEIGHT), color=_RACK, flat_shading=True)
        add("/stations", *_boxes(np.array(stations), 0.01), color=_STATION, flat_shading=True, cast_shadow=False)

    def _add_robot(self, number: int) -> viser.FrameHandle:
        scene, radius, height = self._server.scene, self._robot.radius, self._robot.height
        place = f"/robots/{number}"
        frame = scene.add_frame(place, show_axes=False)
        scene.add_cylinder(f"{place}/body", radius, height, rgb(number), position=(0, 0, height / 2))
        front = (0.35 * radius, 0.16, 0.04)
        scene.add_box(f"{place}/front", _FRONT, front, position=(0.7 * radius, 0, height), cast_shadow=False)
        scene.add_label(f"{place}/number", str(number), position=(0, 0, height + 0.45), anchor="center-center")
        return frame

    def _add_claims(self, robots: int) -> viser.BatchedMeshHandle:
        half, many = 0.48, robots * MOST_CLAIMS
        corners = np.array([(-half, -half, 0), (half, -half, 0), (half, half, 0), (-half, half, 0)], np.float32)
        faces = np.array([(0, 1, 2), (0, 2, 3)], np.uint32)
        colours = np.repeat(np.array([rgb(i) for i in range(robots)], np.uint8), MOST_CLAIMS, axis=0)
        turns, below = np.tile(np.array([1, 0, 0, 0], np.float32), (many, 1)), np.tile(self._away, (many, 1))
        return self._server.scene.add_batched_meshes_simple(
            "/claims", corners, faces, turns, below, batched_colors=colours, opacity=0.35, side="double", lod="off",
            cast_shadow=False, receive_shadow=False,
        )  # fmt: skip

    def dark(self, dark: bool) -> None:
        """Draw the floor for a dark page, or for a light one."""
        self._floor.color = _FLOOR[dark]

    def show(self, moment: Moment, now: float, chosen: int) -> None:
        """Draw a moment, at a time of the clock [s], with the lidar and the radio circle of the chosen robot."""
        with self._server.atomic():
            for i, (x, y, heading) in enumerate(moment.poses.tolist()):
                self._frames[i].position = (x, y, 0.0)
                self._frames[i].wxyz = (math.cos(heading / 2), 0.0, 0.0, math.sin(heading / 2))
            self._touched[moment.touching] = now
            for i in range(len(self._frames)):
                self._show_order(moment, i, now - float(self._touched[i]) < _FLASHES, i == chosen)
            self._show_claims(moment)
            x, y, heading = moment.poses[chosen].tolist()
            self._radio.position = (x, y, 0.03)
            self._rays.points = _rays(x, y, heading, moment.lidar[chosen])

    def _show_order(self, moment: Moment, robot: int, flashes: bool, chosen: bool) -> None:
        """Draw what changes rarely, when it does: goal, crate, flash, and the way."""
        goal, carries = tuple(moment.goals[robot].tolist()), bool(moment.carrying[robot])
        cell = tuple(int(part) for part in moment.poses[robot, :2])
        is_now = goal, carries, flashes, chosen, cell
        if is_now == self._seen[robot]:
            return
        self._seen[robot] = is_now
        scene, radius, height, place = self._server.scene, self._robot.radius, self._robot.height, f"/robots/{robot}"
        self._goals[robot].position = (*goal, 0.02)
        side = 1.1 * radius
        scene.add_box(
            f"{place}/crate", _CRATE, (side, side, 0.7 * side), position=(0, 0, height + 0.35 * side), visible=carries
        )
        scene.add_cylinder(
            f"{place}/body", radius, height, _FLASH if flashes else rgb(robot), position=(0, 0, height / 2)
        )
        way = np.array([(x, y, 0.04) for x, y in moment.ways[robot]], np.float32)
        self._ways[robot].points = np.stack([way[:-1], way[1:]], axis=1)
        self._ways[robot].thickness = 0.09 if chosen else 0.03

    def _show_claims(self, moment: Moment) -> None:
        places = np.tile(self._away, (len(moment.claims) * MOST_CLAIMS, 1))
        for i, cells in enumerate(moment.claims):
            for k, cell in enumerate(cells):
                places[i * MOST_CLAIMS + k] = (*self._layout.middle(cell), 0.015)
        if not np.array_equal(places, self._claims.batched_positions):
            self._claims.batched_positions = places


def _boxes(rectangles: NDArray[np.float64], height: float) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Return the corners and the triangles of boxes on the floor over rectangles x0, y0, x1, y1 [count, 4], m."""
    # Corners counter-clockwise, first below and then above; the bottom is not seen.
    sides = [
        (0, 1, 5),
        (0, 5, 4),
        (1, 2, 6),
        (1, 6, 5),
        (2, 3, 7),
        (2, 7, 6),
        (3, 0, 4),
        (3, 4, 7),
        (4, 5, 6),
        (4, 6, 7),
    ]
    corners, faces = [], []
    for number, (x0, y0, x1, y1) in enumerate(rectangles.tolist()):
        corners += [(x, y, z) for z in (0.0, height) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
        faces += [tuple(8 * number + corner for corner in side) for side in sides]
    return np.array(corners, np.float32), np.array(faces, np.uint32)


def _circle(radius: float) -> NDArray[np.float32]:
    angles = np.linspace(0, 2 * np.pi, _CIRCLE + 1)
    ring = np.stack([radius * np.cos(angles), radius * np.sin(angles), np.zeros_like(angles)], 1).astype(np.float32)
    return np.stack([ring[:-1:2], ring[1::2]], axis=1)


def _rays(x: float, y: float, heading: float, ranges: NDArray[np.float32]) -> NDArray[np.float32]:
    angles = heading + np.arange(len(ranges)) * (2 * np.pi / len(ranges))
    ends = np.stack([x + ranges * np.cos(angles), y + ranges * np.sin(angles), np.full(len(ranges), 0.15)], 1)
    starts = np.tile(np.array([[x, y, 0.15]]), (len(ranges), 1))
    return np.stack([starts, ends], axis=1).astype(np.float32)


def bars(choices: Sequence[str], values: Sequence[float], taken: str) -> str:
    """Return values as bars in HTML, the taken one marked."""
    low, high = min(values), max(values)
    rows = []
    for name, value in zip(choices, values, strict=True):
        share = 8 + 92 * ((value - low) / (high - low) if high > low else 1.0)
        weight, shade = ("700", "#0b8bd8") if name == taken else ("400", "#9aa7b4")
        rows.append(
            f'<span style="font-weight:{weight}">{name}</span>'
            f'<i style="display:block;height:9px;border-radius:3px;width:{share:.0f}%;background:{shade}"></i>'
            f'<span style="text-align:right">{value:.2f}</span>'
        )
    grid = "display:grid;grid-template-columns:auto 1fr auto;gap:3px 8px;align-items:center;font-size:12px"
    return f'<div style="{grid}">{"".join(rows)}</div>'
