"""The report as one HTML page: nothing in it is asked for from outside."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from export.recordings.reader import Recording
from fleetmix.pages.page import assemble
from fleetmix.replay.html import replay_page
from fleetmix.replay.incidents import incidents_of
from fleetmix.report import charts
from fleetmix.report.figures import worst_minute, worth_having
from fleetmix.report.heat import heat_of
from fleetmix.report.sources import Sources
from policies.runs.curves import Curve, read_curve
from policies.runs.folder import CONFIG
from sim.errors import InputError

_NUMBERS = {
    "throughput": "deliveries a robot-hour", "efficiency": "of solo", "robot_contacts": "robot contacts",
    "rack_contacts": "rack contacts", "deadlocks": "deadlocks",
}  # fmt: skip
"""The columns of a table."""


def report_page(sources: Sources, recordings: Sequence[Recording], command: str) -> str:
    """Return the page.

    Args:
        sources: what it is about.
        recordings: its recordings, read.
        command: what makes the page again.
    """
    parts = [
        *_curves(sources.runs),
        *(part for title, rows in sources.tables for part in _table(title, rows)),
        *(part for recording in recordings for part in _recording(recording)),
        *_settings(sources.runs),
        _section("Make it again", f"<pre>{html.escape(command)}</pre>"),
    ]
    names = [path.name for path in sources.runs] + [title for title, _ in sources.tables]
    title = ", ".join(dict.fromkeys(names)) or ", ".join(recording.path.name for recording in recordings)
    return assemble("report", None, title=html.escape(title[:120]), body="\n".join(parts))


def _section(title: str, body: str) -> str:
    return f'<section class="panel"><h2>{html.escape(title)}</h2>{body}</section>'


def _curves(runs: Sequence[Path]) -> list[str]:
    """Return the learning curves, the seeds of one environment and algorithm together."""
    groups: dict[str, list[Curve]] = {}
    missing = []
    for run in runs:
        try:
            curve = read_curve(run, "algo")
        except InputError as error:
            missing.append(f'<p class="muted">{html.escape(str(error))}</p>')
        else:
            groups.setdefault(f"{curve.env}, {curve.group.upper()}", []).append(curve)
    parts = [_section("Learning curves", charts.as_svg(charts.learning_curves(groups)))] if groups else []
    return [*parts, *([_section("No curve yet", "".join(missing))] if missing else [])]


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if "throughput" not in rows[0]:
        return [_section(title, _rows(rows, {"team_return": "team return"}))]
    parts = [_section(title, _rows(rows, _NUMBERS))]
    told = worth_having(rows)
    if told:
        lines = "".join(f"<li>{html.escape(line)}</li>" for line in told)
        parts.append(_section("How many robots", charts.as_svg(charts.fleet_sizes(rows)) + f"<ul>{lines}</ul>"))
    return parts


def _rows(rows: Sequence[Mapping[str, Any]], numbers: Mapping[str, str]) -> str:
    texts = [name for name in ("scene", "env", "robots", "drive", "policy", "episodes") if name in rows[0]]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in (*texts, *numbers.values()))
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(str(row[name]))}</td>' for name in texts)}"
        f"{''.join(f'<td class=number>{_number(row, name)}</td>' for name in numbers)}</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _number(row: Mapping[str, Any], name: str) -> str:
    value, half = row.get(name), row.get(f"{name}_ci95")
    if value is None:
        return "-"
    return f"{value:.4g}" + (f" ± {half:.2g}" if half is not None else "")


def _recording(recording: Recording) -> list[str]:
    """Return where things happened, how often, and the minute in which robots stood the most."""
    counts: dict[str, int] = {}
    for incident in incidents_of(recording):
        counts[incident.kind] = counts.get(incident.kind, 0) + 1
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()) if kind != "episode")
    about = f"{recording.path.name}: {recording.about.policy}, {len(recording.about.robots)} robots"
    worst = html.escape(replay_page(worst_minute(recording)), quote=True)
    note = "" if recording.whole else '<p class="note">The recording was cut short.</p>'
    return [
        _section(
            f"Where it happens: {about}",
            f"{note}<p>{html.escape(told)}</p>" + charts.as_svg(charts.heat_maps(recording.layout, heat_of(recording))),
        ),
        _section(f"The worst minute: {about}", f'<iframe title="replay" srcdoc="{worst}"></iframe>'),
    ]


def _settings(runs: Sequence[Path]) -> list[str]:
    parts = []
    for run in runs:
        text = (run / CONFIG).read_text(encoding="utf-8")
        values = yaml.safe_load(text)
        line = f"{values.get('algo', '')}, seed {values.get('seed', '')}"
        parts.append(
            _section(
                f"Settings of {run.name}",
                f"<details><summary>{html.escape(line)}</summary><pre>{html.escape(text)}</pre></details>",
            )
        )
    return parts
