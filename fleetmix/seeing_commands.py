"""The commands that show what a fleet did.

A command imports what it runs, so that help and mistakes come at once.
"""

import importlib.util
import shlex
from pathlib import Path
from typing import Annotated

import tyro

from fleetmix.output import log
from policies.files import require_folder, write_atomically
from policies.planners.names import PolicyName
from sim.errors import InputError, require
from sim.scene import DriveModel

Place = Annotated[Path, tyro.conf.Positional]


def view(
    path: Annotated[Path | None, tyro.conf.Positional] = None,
    policy: PolicyName = "always-go",
    scene: str | None = None,
    robots: int | None = None,
    drive: DriveModel = "velocity",
    processes: bool = False,
    host: str = "127.0.0.1",
    port: int = 8080,
) -> None:
    """Show a fleet in the browser while it drives, in three dimensions.

    Args:
        path: a run folder or a bundle whose policy drives; without one, --policy does.
        policy: a policy that needs no run.
        scene: another scene than that of the training: a name or a map file.
        robots: how many.
        drive: drive model, velocity or wheels.
        processes: start a process for every robot of the bundle, in real time; they can be stopped and killed there.
        host: whom the page is served to: this machine alone by default, 0.0.0.0 for everybody who reaches it.
        port: where; the next free one if it is taken.
    """
    require(1 <= port < 2**16, "port", port, "1 to 65535")
    if importlib.util.find_spec("viser") is None:
        raise InputError("the view needs viser: pip install 'fleetmix[view]'")
    if processes:
        from export.pipeline import bundle_of
        from fleetmix.view.processes import view_processes

        if path is None:
            raise InputError("--processes need a bundle; valid is a run folder or a bundle as the first argument")
        view_processes(bundle_of(path), scene, robots, drive, host, port, log)
        return
    from fleetmix.view.command import view_simulated

    view_simulated(path, policy, scene, robots, drive, host, port, log)


def report(
    paths: Annotated[tuple[Path, ...], tyro.conf.Positional],
    out: Path = Path("report.html"),
    maps: Path | None = None,
    episodes: int = 5,
) -> None:
    """Put curves, tables, heat maps and the worst minute on one page.

    Args:
        paths: run folders, folders of benchmarks, files of rows (JSON), recordings.
        out: the page.
        maps: folder for the heat maps as PNG and CSV.
        episodes: how many to record of a run that has no recording; none with 0.
    """
    if not paths:
        raise InputError("nothing to report on is given; valid is a run folder, a benchmark's, or a recording")
    require(episodes >= 0, "episodes", episodes, "a whole number from 0 up")
    require_folder(out)
    from fleetmix.report.write import write_report

    command = shlex.join(["fleetmix", "report", *map(str, paths), "--out", str(out), "--episodes", str(episodes)])
    write_report(paths, out, maps, episodes, command, log)


def replay(
    file: Place, html: Path | None = None, gif: Path | None = None, mp4: Path | None = None, csv: Path | None = None
) -> None:
    """List what happened in a recording, and make a page or a film of it.

    Args:
        file: the recording, as --record wrote it.
        html: one page that plays in a browser from a disk, with the reasons of each robot.
        gif: a film from above.
        mp4: the same, where ffmpeg is installed.
        csv: the list as a file.
    """
    for out in filter(None, (html, gif, mp4, csv)):
        require_folder(out)
    from export.recordings.reader import read_recording
    from fleetmix.replay.incidents import as_csv, incidents_of

    recording = read_recording(file)
    if not recording.whole:
        log("the recording was cut short: this is what there is")
    incidents = incidents_of(recording)
    for time, kind, _, text in incidents:
        log(f"{time:8.1f} s  {kind:<9} {text}")
    if csv is not None:
        write_atomically(csv, as_csv(recording, incidents).encode())
    if html is not None:
        from fleetmix.replay.html import replay_page

        write_atomically(html, replay_page(recording).encode())
        log(f"page: {html}")
    if gif is not None or mp4 is not None:
        from fleetmix.replay.film import write_gif, write_mp4

        for film, write in ((gif, write_gif), (mp4, write_mp4)):
            if film is not None:
                write(recording, film)
                log(f"film: {film}")
