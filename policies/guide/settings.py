"""What `fleetmix guide` searches for, and how long. Loads nothing that is slow, so a mistake is answered at once."""

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from policies.files import require_folder
from policies.planners.names import PolicyName
from sim.errors import InputError, require
from sim.layout import Layout
from sim.scene import SceneConfig, open_scene


@dataclass(frozen=True)
class GuideConfig:
    """A fleet on a map, who drives it meanwhile, and the effort."""

    robots: int | None = None
    """The fleet; by default as many as the map asks for."""
    policy: PolicyName = "pibt"
    """Who drives the fleet while guidance is tried: PIBT is fast, always-go by the rules is what a fleet does."""
    generations: int = 14
    """Generations of the search; the same command with more of them goes on."""
    population: int = 12
    """Guidances that each generation tries."""
    episodes: int = 4
    """Episodes that each of them is tried in, the same ones within a generation."""
    check: int = 60
    """Fresh episodes in which old and new guidance are compared at the end."""
    time_limit: float = 60.0
    """Length of an episode [s]."""
    seed: int = 0
    """Of the search."""
    record: Path | None = None
    """File for what was tried; by default runs/guide-SCENE-ROBOTS-POLICY.json."""
    out: Path | None = None
    """Map file that is written if the new guidance pays; by default the scene's own, for one that ships SCENE.map
    here."""
    processes: int = os.cpu_count() or 1
    """Guidances that are tried side by side; by default one on each core."""

    def __post_init__(self) -> None:
        for name in ("generations", "episodes", "processes"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "a whole number from 1 up")
        require(self.population >= 4, "population", self.population, "a whole number from 4 up")
        require(self.check >= 10, "check", self.check, "a whole number from 10 up: fewer agree by chance")
        require(self.seed >= 0, "seed", self.seed, "a whole number from 0 up")

    def open(self, name: str) -> tuple[SceneConfig, Layout]:
        """Return the scene and its map, with the guidance that it has for the fleet now.

        Raises:
            InputError: no such scene, no room for so many robots, or nothing to be guided.
        """
        scene, layout = open_scene(name, self.robots)
        if not layout.aisles:
            raise InputError(f"layout {layout.name}: it has no aisle that could be guided; valid are maps with some")
        return replace(scene, time_limit=self.time_limit), layout

    def files(self, scene: SceneConfig) -> tuple[Path, Path]:
        """Return the file of what was tried, and the map file that is written.

        Raises:
            InputError: a folder is not there, or can't be written into.
        """
        given, stem = Path(scene.layout), Path(scene.layout).stem.replace(":", "-")
        out = self.out or (given if given.is_file() else Path(f"{stem}.map"))
        record = self.record
        if record is None:
            policy = self.policy.replace(", ", "-").replace(" ", "-")
            record = Path("runs") / f"guide-{stem}-{scene.robots}-{policy}.json"
            with contextlib.suppress(OSError):  # what is wrong is said below
                record.parent.mkdir(exist_ok=True)
        for file in (record, out):
            require_folder(file)
        return record, out
