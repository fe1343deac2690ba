"""What a benchmark measures. Loads nothing that is slow, so that a mistake is answered at once."""

import os
import shlex
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from policies.planners.names import POLICIES, PolicyName
from sim.errors import require
from sim.layout import Layout
from sim.scene import DriveModel, SceneConfig, open_scene

FLEETS = {"small": (4, 8), "narrow": (4, 6), "crossing": (2,), "aisle": (2,), "depot": (8, 16, 32)}
"""The scenes that are measured by default, and with how many robots each."""


@dataclass(frozen=True)
class BenchmarkConfig:
    """Scenes, fleets, policies and seeds: every policy plays every seed with every fleet in every scene."""

    out: Path = Path("runs/benchmark")
    """Folder for episodes, tables and picture; the same command goes on there with what it had begun."""
    scenes: tuple[str, ...] = tuple(FLEETS)
    """Scenes: names or map files."""
    robots: tuple[int, ...] = ()
    """Fleet sizes, all in each scene; by default small 4 and 8, narrow 4 and 6, crossing and aisle 2, depot 8, 16 and
    32, and elsewhere as many as the map asks for."""
    policies: tuple[PolicyName, ...] = POLICIES
    """What is measured; the robots alone always are."""
    episodes: int = 20
    """Number of episodes of each policy with each fleet."""
    seed: int = 0
    """Seed of the first episode; the others follow."""
    drive: DriveModel = "velocity"
    """Drive model: velocity, or wheels with motors, casters and friction."""
    time_limit: float = 60.0
    """Length of an episode [s]."""
    processes: int = os.cpu_count() or 1
    """Episodes that are played side by side; by default one on each core."""

    def __post_init__(self) -> None:
        require(len(self.scenes) > 0, "scenes", "empty", "at least one scene")
        require(len(self.policies) > 0, "policies", "empty", f"at least one of {', '.join(map(repr, POLICIES))}")
        require(self.episodes >= 1, "episodes", self.episodes, "a whole number from 1 up")
        require(0 <= self.seed < 2**31, "seed", self.seed, "0 to 2147483647")
        require(self.processes >= 1, "processes", self.processes, "a whole number from 1 up")
        require(self.out != Path(), "out", str(self.out), "a folder of its own")

    def fleets(self) -> list[tuple[SceneConfig, Layout]]:
        """Return every scene with every fleet, and its map.

        Raises:
            InputError: no such scene, or no room in it for so many robots.
        """
        opened = []
        for scene in dict.fromkeys(self.scenes):
            for robots in dict.fromkeys(self.robots or FLEETS.get(scene, ())) or (None,):
                settings, layout = open_scene(scene, robots, self.drive)
                opened.append((replace(settings, time_limit=self.time_limit), layout))
        return opened

    def deciding(self) -> dict[str, Any]:
        """Return by name, as plain values, what the figures depend on: all but where they go and what works on them."""
        fleets = [(scene.layout, scene.robots) for scene, _ in self.fleets()]
        return {
            "scenes": list(dict.fromkeys(self.scenes)),
            "robots": [robots for _, robots in fleets],
            "policies": list(dict.fromkeys(self.policies)),
            "episodes": self.episodes,
            "seed": self.seed,
            "drive": self.drive,
            "time_limit": self.time_limit,
        }

    @property
    def command(self) -> str:
        """The command that measures the same."""
        words = ["fleetmix", "benchmark"]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in ("out", "processes") and value != field.default:
                words.append(f"--{field.name.replace('_', '-')}")
                words += map(str, value if isinstance(value, tuple) else (value,))
        return shlex.join(words)
