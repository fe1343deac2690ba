"""Options that several commands share. Nothing here loads torch, so `--help` and a mistake are answered at once."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from export.recorder.recorder import require_record_name
from policies.config import AgentKind
from policies.files import require_folder
from policies.runs.config import TrainConfig
from sim.errors import require
from sim.scene import DriveModel, open_scene


@dataclass(frozen=True)
class TrainShortcuts:
    """Short forms of settings that are needed often."""

    scene: str | None = None
    """Short for --scene.layout."""
    robots: str | None = None
    """Short for --scene.robots, and with --scenes for --mix.robots, as LOW..HIGH; by default as many as the scene's map
    asks for."""
    scenes: str | None = None
    """Short for --mix.scenes: names apart by commas, such as small,narrow,depot,generated."""
    agent: AgentKind | None = None
    """Short for --agent.kind."""

    def __post_init__(self) -> None:
        self._fleet()

    def resolve(self, settings: TrainConfig) -> TrainConfig:
        """Return the settings with the short forms put in their places.

        Raises:
            InputError: there is no such scene, or it has no room for the robots.
        """
        fleet = self._fleet()
        mix = settings.mix if self.scenes is None else replace(settings.mix, scenes=tuple(self.scenes.split(",")))
        agent = settings.agent if self.agent is None else replace(settings.agent, kind=self.agent)
        if mix.scenes:
            require(self.scene is None, "scene", self.scene, "none with --scenes, which are many")
            return replace(settings, mix=replace(mix, robots=fleet or mix.robots), agent=agent)
        low, high = fleet or (None, None)
        require(low == high, "robots", self.robots, "a whole number from 1 up; LOW..HIGH is for --scenes")
        scene = settings.scene if self.scene is None else open_scene(self.scene, low)[0]
        scene = replace(settings.scene, layout=scene.layout, robots=scene.robots)
        if low is not None:
            scene = replace(scene, robots=low)
        return replace(settings, scene=scene, agent=agent)

    def _fleet(self) -> tuple[int, int] | None:
        """Return the smallest and the largest fleet; None where nothing is said."""
        if self.robots is None:
            return None
        bounds = re.fullmatch(r"([0-9]{1,9})(?:\.\.([0-9]{1,9}))?", self.robots, re.ASCII)
        low, high = (int(bounds[1]), int(bounds[2] or bounds[1])) if bounds else (0, 0)
        require(1 <= low <= high, "robots", self.robots, "a whole number from 1 up, or LOW..HIGH with --scenes")
        return low, high


@dataclass(frozen=True)
class EvalConfig:
    """Where, how often and with which drive model a policy is evaluated."""

    scene: str | None = None
    """Another scene than that of the training: a name or a map file."""
    robots: int | None = None
    """Another number of robots."""
    episodes: int = 20
    """Number of episodes."""
    seed: int = 0
    """Seed of the first episode; the others follow."""
    drive: DriveModel = "velocity"
    """Drive model: velocity, or wheels with motors, casters and friction."""
    json: Path | None = None
    """File for the rows as JSON."""
    record: Path | None = None
    """File (.mcap) for a recording of everything that happens while the policy drives."""
    record_scans: bool = False
    """Record every robot's lidar, too."""

    def __post_init__(self) -> None:
        require(self.episodes >= 1, "episodes", self.episodes, "a whole number from 1 up")
        require(0 <= self.seed < 2**31, "seed", self.seed, "0 to 2147483647")
        require_record_name(self.record)
        if self.json is not None:  # better found out before the evaluation than afterwards
            require_folder(self.json)

    @property
    def seeds(self) -> range:
        """The seeds of all episodes."""
        return range(self.seed, self.seed + self.episodes)
