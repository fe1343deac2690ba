"""What a warehouse is made of: frozen, validated settings for the robot, the reward and the scene.

Everything is in SI units, angles in radians. A scene's settings travel into the run folder and into the ONNX metadata,
so each can be written as plain JSON (`dataclasses.asdict`) and read back with `sim.settings.read_settings`.
"""

import math
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Literal, get_args

from sim.errors import InputError, require
from sim.layout import Layout, load_layout

DriveModel = Literal["velocity", "wheels"]
DRIVE_MODELS: tuple[str, ...] = get_args(DriveModel)
RightOfWayMode = Literal["plans", "claims", "none"]
RIGHT_OF_WAY_MODES: tuple[str, ...] = get_args(RightOfWayMode)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _require_positive(owner: str, settings: object, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        require(_is_number(value) and value > 0, f"{owner}.{name}", value, "a finite number above 0")


@dataclass(frozen=True)
class RobotConfig:
    """A differential-drive robot, its lidar, its radio and its controller."""

    radius: float = 0.30
    """Radius of the round body [m]; below 0.5, so that a robot fits into a 1 m aisle."""
    height: float = 0.25
    """Height of the body [m]."""
    mass: float = 50.0
    """Mass of the body [kg]."""
    max_speed: float = 1.2
    """Largest forward or backward speed [m/s]."""
    max_turn_rate: float = 2.0
    """Largest turn rate [rad/s]."""
    max_acceleration: float = 2.0
    """Largest change of the speed [m/s^2]; braking too."""
    max_turn_acceleration: float = 10.0
    """Largest change of the turn rate [rad/s^2]."""
    lidar_rays: int = 24
    """Rays of the lidar, spread evenly over the full circle, the first straight ahead, counter-clockwise."""
    lidar_range: float = 4.0
    """Reach of the lidar [m]; what is farther reads as this."""
    radio_range: float = 8.0
    """Reach of the broadcasts between robots [m]."""
    neighbours: int = 3
    """How many of the nearest broadcasts a robot observes."""
    heading_gain: float = 6.0
    """Turn rate commanded for each radian of heading error [1/s]."""
    safety_margin: float = 0.05
    """Distance that the governor keeps from everything it would approach [m]."""

    def __post_init__(self) -> None:
        margin, rays = self.safety_margin, self.lidar_rays
        counts = ("lidar_rays", "neighbours")
        _require_positive("robot", self, *(f.name for f in fields(self) if f.name not in ("safety_margin", *counts)))
        for name, most in _MOST.items():
            require(getattr(self, name) <= most, f"robot.{name}", getattr(self, name), f"above 0, at most {most:g}")
        require(self.radius < 0.5, "robot.radius", self.radius, "below 0.5 m, so that it fits into a 1 m aisle")
        require(_is_number(margin) and 0 <= margin < 0.2, "robot.safety_margin", margin, "at least 0 and below 0.2 m")
        require(_is_count(rays) and 8 <= rays <= 1440, "robot.lidar_rays", rays, "a whole number from 8 to 1440")
        near = self.neighbours
        require(_is_count(near) and near <= 64, "robot.neighbours", near, "a whole number from 1 to 64")


_MOST = {"max_speed": 5.0, "max_turn_rate": 20.0, "max_acceleration": 50.0, "max_turn_acceleration": 500.0}
"""More than such robots do [m/s, rad/s and their changes]; steps of 25 ms (0.13 m at most) still resolve a contact."""


@dataclass(frozen=True)
class RewardConfig:
    """The weights of the team's reward; each term is averaged over the robots."""

    delivery: float = 1.0
    """For an order brought to its station."""
    pick: float = 0.5
    """For an order picked up at its rack."""
    progress: float = 0.1
    """For each metre that the remaining path got shorter [1/m]."""
    new_contact: float = -0.2
    """For each contact that begins."""
    in_contact: float = -0.05
    """For each decision in contact."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            require(_is_number(value), f"reward.{name}", value, "a finite number")


@dataclass(frozen=True)
class SceneConfig:
    """One warehouse scene: its layout, its fleet, its clock and its physics."""

    layout: str = "small"
    """Name of a shipped layout, or the path of a map file."""
    robots: int = 4
    """Number of robots."""
    drive: DriveModel = "velocity"
    """Drive model: velocity (fast, for training) or wheels (wheel motors, casters, friction)."""
    time_limit: float = 60.0
    """Length of an episode [s]."""
    decision_period: float = 0.4
    """Time between two decisions of the policy [s]."""
    control_period: float = 0.1
    """Time between two commands of the controller [s]; divides the decision period."""
    reach_distance: float = 0.35
    """Distance from the middle of a goal cell at which it counts as reached [m]."""
    right_of_way: RightOfWayMode = "none"
    """Who goes first, by radio: plans (claims, and ways planned around what is heard), claims (alone), or none."""
    radio_loss: float = 0.0
    """Share of the broadcasts that are lost, for each that would hear them by itself; with right of way alone."""
    radio_delay: float = 0.0
    """Broadcasts are heard up to so much later than they are sent, by chance [s]; with right of way alone."""
    robot: RobotConfig = field(default_factory=RobotConfig)
    """The robot, the same for the whole fleet."""
    reward: RewardConfig = field(default_factory=RewardConfig)
    """The team's reward."""

    def __post_init__(self) -> None:
        require(isinstance(self.layout, str), "layout", self.layout, "a scene's name or the path of a map")
        require(_is_count(self.robots), "robots", self.robots, "a whole number from 1 up")
        require(self.drive in DRIVE_MODELS, "drive", self.drive, " or ".join(DRIVE_MODELS))
        rules = self.right_of_way
        require(rules in RIGHT_OF_WAY_MODES, "scene.right_of_way", rules, " or ".join(RIGHT_OF_WAY_MODES))
        _require_positive("scene", self, "time_limit", "decision_period", "control_period", "reach_distance")
        require(self.reach_distance <= 0.5, "scene.reach_distance", self.reach_distance, "at most 0.5 m, half a cell")
        loss, delay = self.radio_loss, self.radio_delay
        require(_is_number(loss) and 0 <= loss <= 1, "scene.radio_loss", loss, "a share from 0 to 1")
        require(_is_number(delay) and 0 <= delay <= 1, "scene.radio_delay", delay, "from 0 to 1 s")
        ratio = self.decision_period / self.control_period
        require(
            abs(ratio - round(ratio)) < 1e-6 and ratio >= 1,
            "scene.decision_period",
            self.decision_period,
            f"a multiple of the control period, {self.control_period} s",
        )
        require(
            self.decision_period <= self.time_limit <= 86_400,
            "scene.time_limit",
            self.time_limit,
            f"at least one decision, {self.decision_period} s, and at most a day, 86400 s",
        )

    @property
    def ticks(self) -> int:
        """Control periods in a decision."""
        return round(self.decision_period / self.control_period)

    @property
    def decisions(self) -> int:
        """Decisions in an episode."""
        return math.floor(self.time_limit / self.decision_period + 1e-9)


def robot_names(count: int) -> list[str]:
    """Return the names of the robots of a fleet, which environments, bundles and processes share."""
    return [f"robot_{index}" for index in range(count)]


def open_scene(
    scene: str | Path | SceneConfig,
    robots: int | None = None,
    drive: DriveModel | None = None,
    layout: Layout | None = None,
) -> tuple[SceneConfig, Layout]:
    """Return the settings of a scene with everything decided, and its map with the path costs for such a fleet.

    Args:
        scene: a shipped scene's name, a map file, or settings.
        robots: how many; by default what the settings say, else what the map says.
        drive: the drive model; by default what the settings say.
        layout: the map; by default the one that the settings name.

    Raises:
        InputError: no such scene, a map or a setting that is not valid, or more robots than free cells.
    """
    if not isinstance(scene, SceneConfig):
        layout = layout or load_layout(scene)
        scene = SceneConfig(layout=str(scene), robots=layout.robots)
    layout = layout or load_layout(scene.layout)
    scene = replace(
        scene, robots=scene.robots if robots is None else robots, drive=scene.drive if drive is None else drive
    )
    if scene.robots > len(layout.free):
        raise InputError(
            f"robots is {scene.robots}, but layout {layout.name} has room for {len(layout.free)}, one on each free cell"
        )
    return scene, layout.guided(scene.robots)
