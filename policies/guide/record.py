"""What a search for guidance has tried, in a file that is replaced in one step: a search that was stopped goes on.

The search draws the same guidances again from its seed, so the values that it was told are all that has to be kept.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from policies.files import write_atomically
from policies.guide.settings import GuideConfig
from sim.errors import InputError
from sim.layout import Layout
from sim.scene import SceneConfig

_DECIDING = ("policy", "population", "episodes", "time_limit", "seed")


class Record:
    """The values of all generations, in a file.

    Args:
        path: the file.
        config: the search.
        scene: the fleet.
        layout: its map.

    Raises:
        InputError: the file holds another search, or none.
    """

    def __init__(self, path: Path, config: GuideConfig, scene: SceneConfig, layout: Layout) -> None:
        self._path = path
        self._settings: dict[str, Any] = {name: getattr(config, name) for name in _DECIDING}
        self._settings |= {"robots": scene.robots, "map": hashlib.sha256(layout.text().encode()).hexdigest()[:12]}
        self.generations: list[list[float]] = []
        """Throughput by legs of each guidance of each generation, deliveries a robot-hour."""
        if path.exists():
            self._load()

    def add(self, values: list[float]) -> None:
        """Keep a generation; raise InputError when the file can't be written."""
        self.generations.append(values)
        write_atomically(self._path, json.dumps({"settings": self._settings, "generations": self.generations}).encode())

    def _load(self) -> None:
        try:
            stored = json.loads(self._path.read_bytes())
            settings = dict(stored["settings"])
            self.generations = [[float(value) for value in values] for values in stored["generations"]]
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{str(self._path)!r} is no record of a search; valid is another --record") from error
        differ = [
            f"{name} {settings.get(name)}, not {value}"
            for name, value in self._settings.items()
            if settings.get(name) != value
        ]
        if differ or any(len(values) != self._settings["population"] for values in self.generations):
            raise InputError(
                f"{str(self._path)!r} holds a search with {'; '.join(differ) or 'another population'}; valid is the "
                "same again, or another --record"
            )
