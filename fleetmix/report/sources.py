"""What a report is made of: runs, tables and recordings, found in the folders and files that it is asked about."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export.fleet.recording import FleetRecording
from policies.evaluate import run_episode
from policies.files import remove_unfinished
from policies.fleet_policies import GreedyPolicy
from policies.runs.folder import CONFIG, EVALUATION, load_agent, load_run
from sim.env import WarehouseEnv
from sim.errors import InputError

TABLE, RECORDING = "table.json", "report.mcap"
"""The table of a benchmark or a demo; what a report records of a run that has no recording."""


@dataclass
class Sources:
    """Everything that was found."""

    runs: list[Path] = field(default_factory=list)
    tables: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    """Titles and rows."""
    recordings: list[Path] = field(default_factory=list)


def find_sources(paths: Sequence[Path], episodes: int, log: Callable[[str], None]) -> Sources:
    """Return what lies in folders of runs and benchmarks, and files of rows and recordings.

    Args:
        paths: where to look.
        episodes: how many to record of a run without any recording; none with 0.
        log: told what is recorded.

    Raises:
        InputError: one of them is none of these.
    """
    found = Sources()
    for path in paths:
        if path.suffix == ".mcap":
            found.recordings.append(path)
        elif path.is_file():
            found.tables.append((path.name, read_rows(path)))
        elif path.is_dir() and any((path / name).is_file() for name in (CONFIG, TABLE)):
            _look_into(path, episodes, log, found)
        else:
            raise InputError(
                f"{str(path)!r} is nothing to report on; valid is a run folder (with {CONFIG}), a benchmark's "
                f"(with {TABLE}), a file of rows (JSON), or a recording (.mcap)"
            )
    return found


def _look_into(folder: Path, episodes: int, log: Callable[[str], None], found: Sources) -> None:
    for name in (TABLE, EVALUATION):
        if (folder / name).is_file():
            found.tables.append((f"{folder.name}: {name.partition('.')[0]}", read_rows(folder / name)))
            break
    recordings = sorted(folder.glob("*.mcap"))
    if (folder / CONFIG).is_file():
        found.runs.append(folder)
        if not recordings and episodes:
            recordings = record_run(folder, episodes, log)
    found.recordings += recordings


def record_run(folder: Path, episodes: int, log: Callable[[str], None]) -> list[Path]:
    """Record greedy episodes of a run where it was trained; nothing of one that was trained elsewhere."""
    run = load_run(folder)
    if run.source.scene is None:
        return []
    log(f"recording {episodes} episodes of {folder}")
    agent, _ = load_agent(run)
    policy, file = GreedyPolicy(agent, run.config.algo.upper()), folder / RECORDING
    with (
        WarehouseEnv(run.config.scene, layout=run.source.parsed_layout()) as env,
        FleetRecording(env.warehouse, file, policy.name, log, q_values=policy.last_q_values),
    ):
        for seed in range(episodes):
            run_episode(env, policy, seed)
    remove_unfinished(folder)
    return [file]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows that --json, a benchmark or a demo wrote.

    Raises:
        InputError: it holds something else.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        valid = isinstance(rows, list) and rows and all(isinstance(row, dict) and "policy" in row for row in rows)
    except ValueError as error:
        raise InputError(f"{str(path)!r} is not readable as JSON ({error})") from error
    if not valid:
        raise InputError(f"{str(path)!r} holds no rows; valid is what --json or a benchmark writes")
    return list(rows)
