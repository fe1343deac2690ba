"""The folder of a benchmark: what it measures, and every episode that was played, so that it can go on.

benchmark.json   settings, and the episodes up to now; replaced in one step
table.md, table.csv, table.json, throughput.png   once all are played
"""

import hashlib
import json
import math
import shlex
from pathlib import Path
from typing import Any

from policies.benchmark.settings import BenchmarkConfig
from policies.episode import Episode
from policies.files import remove_unfinished, write_atomically
from sim.errors import InputError

FILE = "benchmark.json"
_SOURCES = Path(__file__).parents[2]

_FIELDS = ["scene", "robots", "policy", "seed", "length", "totals", "decision_us", "decision_us_p99"]

Key = tuple[str, int, str, int]
"""An episode's scene, number of robots, policy and seed."""


class Record:
    """The episodes that were played, in a file.

    Args:
        config: the benchmark; its folder is made where it does not exist.

    Raises:
        InputError: the folder holds a benchmark with other settings, of other maps or of other code, or what is no
            benchmark at all; or it can't be written.
    """

    def __init__(self, config: BenchmarkConfig) -> None:
        self._path = config.out / FILE
        self._settings = {**config.deciding(), "maps": _hash_of_maps(config), "code": _hash_of_code()}
        self.episodes: dict[Key, Episode] = {}
        try:
            config.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"out is {str(config.out)!r}, which can't be made a folder: {error.strerror}") from error
        remove_unfinished(config.out)
        if self._path.exists():
            self._load()

    def save(self) -> None:
        """Write all episodes; raise InputError when that is not possible."""
        episodes = [[*key, *_plain(episode)] for key, episode in sorted(self.episodes.items())]
        text = json.dumps({"settings": self._settings, "fields": _FIELDS, "episodes": episodes})
        write_atomically(self._path, text.encode())

    def _load(self) -> None:
        try:
            stored = json.loads(self._path.read_bytes())
            settings = dict(stored["settings"])
            self.episodes = {tuple(values[:4]): _read(*values[4:]) for values in stored["episodes"]}
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{str(self._path)!r} is no record of a benchmark; valid is another --out") from error
        differ = [
            f"{name} {_show(settings.get(name))}, not {_show(value)}"
            for name, value in self._settings.items()
            if settings.get(name) != value
        ]
        if differ:
            raise InputError(
                f"{str(self._path.parent)!r} holds a benchmark with {'; '.join(differ)}; valid is the same again, or "
                "another --out"
            )


def _plain(episode: Episode) -> list[Any]:
    times = (None if math.isnan(value) else value for value in (episode.decision_us, episode.decision_us_p99))
    return [episode.length, episode.totals, *times]


def _read(length: int, totals: dict[str, float], *times: float | None) -> Episode:
    mean, p99 = (math.nan if value is None else value for value in times)
    return Episode(math.nan, length, totals, mean, p99)


def _show(value: Any) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else str(value)


def _hash_of_maps(config: BenchmarkConfig) -> str:
    return hashlib.sha256("\n\n".join(layout.text() for _, layout in config.fleets()).encode()).hexdigest()[:12]


def _hash_of_code() -> str:
    """Return a hash of all that decides what an episode brings: figures of two states of it belong in two tables."""
    digest = hashlib.sha256()
    for folder in ("sim", "policies"):
        for path in sorted((_SOURCES / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(_SOURCES)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]
