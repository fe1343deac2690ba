"""What a benchmark leaves: the tables, read back by programs, and a picture."""

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

from PIL import Image

from policies.benchmark.results import write_results
from policies.benchmark.settings import BenchmarkConfig
from policies.benchmark.tables import as_csv, as_markdown
from policies.results import Row

ROW = Row("pibt", "small", 4, "velocity", 20, 208.26, 9.14, 212.5, 8.0, 0.881, 0.25, 0.0, 3, 0, 11.26, 79.6, 1130.0)
ROWS = [
    replace(ROW, scene=scene, robots=robots, policy=policy, throughput=throughput)
    for scene, robots in (("small", 4), ("small", 8), ("depot", 16))
    for policy, throughput in (("pibt", 208.26), ("rhcr", 226.0), ("solo", 96.34))
]


def test_markdown_shows_throughput_side_by_side_and_all_figures_of_each_row() -> None:
    lines = as_markdown(ROWS, "fleetmix benchmark").splitlines()
    assert "| small 8 | 208 ± 9 | 226 ± 9 | 96.3 ± 9.1 |" in lines
    assert "| depot | 16 | pibt | 208 ± 9 | 212 ± 8 | 0.88 | 0.25 + 0.00 | 3 | 11.3 (80) | 1130 |" in lines
    assert lines[-1] == "`fleetmix benchmark`"
    widths = {line.count("|") for line in lines if line.startswith("|")}
    assert widths == {5, 11}  # four columns, and ten


def test_what_was_not_measured_is_left_empty() -> None:
    nothing = replace(ROW, throughput_ci95=math.nan, decision_us=math.nan, decision_us_p99=math.nan)
    assert "| small | 4 | pibt | 208 | 212 ± 8 | 0.88 | 0.25 + 0.00 | 3 |  | 1130 |" in as_markdown([nothing], "")
    assert next(csv.DictReader(io.StringIO(as_csv([nothing]))))["decision_us"] == ""


def test_csv_and_json_hold_every_field_of_every_row(tmp_path: Path) -> None:
    write_results(ROWS, BenchmarkConfig(out=tmp_path, episodes=20))
    stored = json.loads((tmp_path / "table.json").read_text())
    read = list(csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text())))
    assert [Row(**values) for values in stored] == ROWS
    assert [{name: str(value) for name, value in values.items()} for values in stored] == read


def test_the_picture_has_a_panel_for_each_scene(tmp_path: Path) -> None:
    sizes = []
    for scenes in (1, 2, 5):
        rows = [replace(row, scene=f"scene {k}") for k in range(scenes) for row in ROWS if row.scene == "small"]
        write_results(rows, BenchmarkConfig(out=tmp_path))
        with Image.open(tmp_path / "throughput.png") as picture:
            sizes.append(picture.size)
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 10  # type: ignore[arg-type]
    assert sizes[0][0] < sizes[1][0] < sizes[2][0]  # up to three side by side ...
    assert sizes[0][1] == sizes[1][1] < sizes[2][1]  # ... then a second line
