"""Writes a report, and its heat maps as pictures and tables."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

from export.recordings.reader import read_recording
from fleetmix.report.charts import heat_maps
from fleetmix.report.heat import as_csv, heat_of
from fleetmix.report.html import report_page
from fleetmix.report.sources import find_sources
from policies.files import write_atomically


def write_report(
    paths: Sequence[Path], out: Path, maps: Path | None, episodes: int, command: str, log: Callable[[str], None]
) -> None:
    """Write the report.

    Args:
        paths: runs, benchmarks, files of rows, recordings.
        out: the page.
        maps: folder for the heat maps, a PNG and a CSV for each recording.
        episodes: how many to record of a run that has no recording.
        command: what makes the page again.
        log: told what is recorded and written.

    Raises:
        InputError: a path is none of these, or a file can't be read or written.
    """
    sources = find_sources(paths, episodes, log)
    recordings = [read_recording(path) for path in sources.recordings]
    write_atomically(out, report_page(sources, recordings, command).encode())
    log(f"report: {out}")
    if maps is None:
        return
    maps.mkdir(parents=True, exist_ok=True)
    for recording in recordings:
        heat, picture = heat_of(recording), io.BytesIO()
        heat_maps(recording.layout, heat).savefig(picture, format="png", dpi=110)
        write_atomically(maps / f"{recording.path.stem}.png", picture.getvalue())
        write_atomically(maps / f"{recording.path.stem}.csv", as_csv(heat).encode())
        log(f"heat maps: {maps / recording.path.stem}.png, .csv")
