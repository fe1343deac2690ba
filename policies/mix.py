"""Training in many warehouses: which there are, how large the fleets, and what each episode draws of them."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from sim.errors import InputError
from sim.generator import is_generated, read_ranges, with_seed
from sim.layout import Layout, load_layout, parse_layout

ROOM = 6
"""Free cells for each robot, at least, where a warehouse draws its fleet; 32 robots on `depot` have 6.75."""
TRAINING_WAREHOUSES = 1_000_000_000
"""Seed of the first generated warehouse that training draws from; all below are for measuring the never seen."""
_MIX_STREAM = 7
"""Joined with the seed of an episode, so that its warehouse is not drawn from the same numbers as its orders."""


@dataclass(frozen=True)
class MixConfig:
    """Many warehouses to train in, in place of one: each episode draws one of them, and a fleet for it."""

    scenes: tuple[str, ...] = ()
    """Names, map files, or `generated` with settings; none trains in the one scene."""
    robots: tuple[int, int] = (2, 32)
    """Smallest and largest fleet [robots]; a warehouse draws up to as many as it has 6 free cells each for."""
    generated: int = 64
    """How many warehouses `generated` stands for; they lie apart from those of any other command."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "scenes", tuple(self.scenes))  # settings in a file have lists
        object.__setattr__(self, "robots", tuple(self.robots))
        if len(self.robots) != 2 or not 1 <= self.robots[0] <= self.robots[-1]:
            raise InputError(f"mix.robots is {self.robots}; valid is the smallest and the largest fleet, from 1 up")
        if not 1 <= self.generated <= TRAINING_WAREHOUSES:
            raise InputError(f"mix.generated is {self.generated}; valid is 1 to {TRAINING_WAREHOUSES}")


@dataclass(frozen=True)
class Mix:
    """The warehouses of a training, with their maps, so that another process needs no other file.

    Raises:
        InputError: a scene is drawn with a seed of its own, or has no room for the smallest fleet.
    """

    config: MixConfig
    layouts: tuple[str, ...]
    """The map of each scene as text; empty for a generated one."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "layouts", tuple(self.layouts))
        least = self.config.robots[0]
        for scene, text in zip(self.config.scenes, self.layouts, strict=True):
            if text and self._most(scene, text) < least:
                raise InputError(
                    f"mix.robots begins with {least}, but scene {scene!r} has room for {self._most(scene, text)}, with "
                    f"{ROOM} free cells each; valid is a smaller fleet, or to leave out the scene"
                )
            if not text and (read_ranges(scene)[0] is not None or "robots=" in scene):
                raise InputError(
                    f"mix.scenes has {scene!r}; valid is 'generated' without a seed and without robots: each episode "
                    "draws them (mix.robots)"
                )

    @classmethod
    def of(cls, config: MixConfig) -> "Mix":
        """Read the maps of a mix's scenes; raise InputError where there is no such scene."""
        return cls(config, tuple("" if is_generated(name) else load_layout(name).text() for name in config.scenes))

    def draw(self, seed: int) -> tuple[str, Layout, int]:
        """Return the scene of the episode with that seed, its map, and the number of robots."""
        random = np.random.default_rng((seed, _MIX_STREAM))
        place = int(random.integers(len(self.layouts)))
        scene, text = self.config.scenes[place], self.layouts[place]
        low, high = self.config.robots
        if not text:
            number = TRAINING_WAREHOUSES + int(random.integers(self.config.generated))
            layout = _generated(with_seed(scene, number, (low, high)))
            return layout.name, layout, layout.robots
        return scene, _parsed(text, scene), int(random.integers(low, min(high, self._most(scene, text)) + 1))

    def side(self) -> int:
        """Return the longest side of any of the floors [m]."""
        return max(
            max(_parsed(text, scene).blocked.shape) if text else read_ranges(scene)[1].size[1]
            for scene, text in zip(self.config.scenes, self.layouts, strict=True)
        )

    @staticmethod
    def _most(scene: str, text: str) -> int:
        return len(_parsed(text, scene).free) // ROOM


@lru_cache(maxsize=64)
def _parsed(text: str, scene: str) -> Layout:
    return parse_layout(text, Path(scene).stem)


@lru_cache(maxsize=256)
def _generated(scene: str) -> Layout:
    """Return a generated warehouse; the shortest ways that one environment finds in it serve all of them."""
    return load_layout(scene)
