"""The settings of a simulated fleet, apart from what runs it: a command line can show them before it loads."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

from export.bundle.manifest import open_bundle
from export.recorder.recorder import require_record_name
from sim.errors import require
from sim.layout import Layout
from sim.scene import DriveModel, SceneConfig, open_scene, robot_names


@dataclass(frozen=True)
class RadioConfig:
    """What goes wrong between the radios of simulated robots."""

    radio_loss: float | None = None
    """Share of the broadcasts that get lost, for each receiver apart; by default what the scene says."""
    radio_delay: float | None = None
    """How much longer a broadcast is on its way at most, for each receiver apart [s]; by default as the scene says."""
    radio_off: tuple[str, ...] = ()
    """Names of robots without a radio."""

    def __post_init__(self) -> None:
        loss, delay = self.radio_loss, self.radio_delay
        require(loss is None or 0 <= loss <= 1, "radio-loss", loss, "a share from 0 to 1")
        require(delay is None or 0 <= delay <= 1, "radio-delay", delay, "a time from 0 to 1 s")

    def applied_to(self, scene: SceneConfig) -> SceneConfig:
        """Return a scene with what gets lost and late.

        Raises:
            InputError: it has no robot of a name in `radio_off`.
        """
        for name in self.radio_off:
            require(name in robot_names(scene.robots), "radio-off", name, f"robot_0 to robot_{scene.robots - 1}")
        return replace(
            scene,
            radio_loss=scene.radio_loss if self.radio_loss is None else self.radio_loss,
            radio_delay=scene.radio_delay if self.radio_delay is None else self.radio_delay,
        )


SOUND = RadioConfig()
"""The radio as the scene says, for all robots."""


@dataclass(frozen=True)
class FleetConfig:
    """The simulated warehouse, its pace and its network."""

    scene: str = "small"
    """A shipped scene's name or a map file."""
    robots: int | None = None
    """How many; by default as many as the map asks for."""
    bundle: Path | None = None
    """Take scene, map and robot from a bundle in place of --scene: needed where its robot is another one."""
    drive: DriveModel = "wheels"
    """Drive model: velocity, or wheels with motors, casters and friction."""
    listen: str | None = None
    """Endpoint that robots connect to, such as tcp/0.0.0.0:7447; default: that of --zenoh, else tcp/127.0.0.1:7447."""
    zenoh: Path | None = None
    """Zenoh configuration file, such as the base's of fleetmix keys."""
    seed: int = 0
    """Of the starts and the orders."""
    minutes: float | None = None
    """Simulated time after which it ends; by default it goes on."""
    lock_step: bool = False
    """Wait for every answer, as fast as they come, in place of real time; robots need --lock-step too."""
    record: Path | None = None
    """File (.mcap) for a recording of everything that happens."""
    record_scans: bool = False
    """Record every robot's lidar, too."""

    def __post_init__(self) -> None:
        valid = self.minutes is None or 0 < self.minutes < math.inf
        require(valid, "minutes", self.minutes, "a finite time above 0")
        require_record_name(self.record)
        require(self.seed >= 0, "seed", self.seed, "a whole number from 0 up")

    def resolve(self) -> tuple[SceneConfig, Layout]:
        """Return the scene and the map.

        Raises:
            InputError: there is no such scene or bundle, or a value is not valid.
        """
        if self.bundle is None:
            return open_scene(self.scene, self.robots, self.drive)
        from export.runtime import OnnxPolicy  # onnxruntime takes a while to load

        bundle = open_bundle(self.bundle)
        robots = list(bundle.manifest.robots)
        scene, layout = OnnxPolicy.from_bundle(bundle, robots[0]).metadata.trained_in(bundle)
        return open_scene(scene, self.robots or len(robots), self.drive, layout)
