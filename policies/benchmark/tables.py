"""The table of a benchmark, to be read by people and by programs."""

import csv
import dataclasses
import io
import math
from collections.abc import Sequence

from policies.results import Row

_COLUMNS = (
    "scene", "robots", "policy", "deliveries a robot-hour", "by legs", "of solo", "contacts: robots + racks",
    "deadlocks", "us a decision (99%)", "bytes/s",
)  # fmt: skip


def as_markdown(rows: Sequence[Row], command: str) -> str:
    """Return throughput side by side, and a line for each row.

    Args:
        rows: of all fleets and policies.
        command: what made them, told below the tables.
    """
    first = rows[0]
    names = list(dict.fromkeys(row.policy for row in rows))
    fleets = list(dict.fromkeys((row.scene, row.robots) for row in rows))
    of = {(row.scene, row.robots, row.policy): row for row in rows}
    overview = [
        [f"{scene} {robots}", *(_throughput(of[scene, robots, name]) for name in names)] for scene, robots in fleets
    ]
    return "\n".join(
        (
            f"Deliveries a robot-hour, {first.episodes} episodes, drive {first.drive}, mean and 95% interval:",
            "",
            *_lines(["scene, robots", *names], overview),
            "",
            "By legs: picks and deliveries, each half an order. Contacts a robot-hour; deadlocks in all episodes.",
            "A decision: us of processor time for each robot in each control period, mean and 99%;",
            "of always-go, what right of way takes. Bytes: what a robot sends, and is sent by a planner.",
            "",
            *_lines(_COLUMNS, [_cells(row) for row in rows]),
            "",
            f"`{command}`",
            "",
        )
    )


def as_csv(rows: Sequence[Row]) -> str:
    """Return a line for each row, with all of its fields; what is no number is empty."""
    out = io.StringIO()
    names = [field.name for field in dataclasses.fields(Row)]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: "" if v != v else v for k, v in dataclasses.asdict(row).items()})
    return out.getvalue()


def _lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _cells(row: Row) -> list[str]:
    return [
        row.scene,
        str(row.robots),
        row.policy,
        _throughput(row),
        _with_interval(row.throughput_by_legs, row.throughput_by_legs_ci95),
        f"{row.efficiency:.2f}",
        f"{row.robot_contacts:.2f} + {row.rack_contacts:.2f}",
        str(row.deadlocks),
        "" if math.isnan(row.decision_us) else f"{row.decision_us:.1f} ({row.decision_us_p99:.0f})",
        f"{row.radio_bytes:.0f}",
    ]


def _throughput(row: Row) -> str:
    return _with_interval(row.throughput, row.throughput_ci95)


def _with_interval(mean: float, ci95: float) -> str:
    """Return a mean with its interval, if it has one, to three digits or the point."""
    digits = 0 if mean >= 100.0 else 1
    return f"{mean:.{digits}f}" + ("" if math.isnan(ci95) else f" ± {ci95:.{digits}f}")
