"""The commands that show what a fleet did.

A command imports what it runs, so that help and mistakes come at once.
"""

from pathlib import Path
from typing import Annotated

import tyro

from fleetmix.output import log
from policies.files import require_folder, write_atomically

Place = Annotated[Path, tyro.conf.Positional]


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
