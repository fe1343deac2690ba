"""The report from real runs, in a real browser."""

import json
import shutil
from pathlib import Path

import pytest

import fleetmix
from tests.fleetmix.conftest import fail
from tests.fleetmix.pages.browser import NEEDS_BROWSER, open_page

ROWS = [
    {
        "policy": policy, "scene": "small", "robots": robots, "drive": "velocity", "episodes": 20, "throughput": rate,
        "throughput_ci95": 3.0, "efficiency": rate / 240, "robot_contacts": 0.0, "rack_contacts": 0.0, "deadlocks": 0,
    }
    for policy in ("pibt", "<b>mine</b>") for robots, rate in ((4, 220.0), (8, 190.0), (16, 80.0))
]  # fmt: skip


@pytest.fixture(scope="module")
def report(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on a run, which has no recording, and on a benchmark."""
    folder = tmp_path_factory.mktemp("report")
    shutil.copytree(trained, folder / "run")
    (folder / "rows.json").write_text(json.dumps(ROWS))
    page = folder / "report.html"
    paths = [str(folder / "run"), str(folder / "rows.json")]
    fleetmix.main(["report", *paths, "--out", str(page), "--maps", str(folder / "maps"), "--episodes", "2"])
    return page


def test_it_holds_curves_tables_maps_and_how_to_make_it_again(report: Path) -> None:
    text = report.read_text()
    for part in ("Learning curves", "How many robots", "up to 8 robots are worth having", "Where it happens",
                 "The worst minute", "Settings of run", "fleetmix report", "220 ± 3"):  # fmt: skip
        assert part in text
    assert text.count("<svg") == 3
    assert "<b>mine" not in text
    assert "{{" not in text


def test_the_maps_are_a_picture_and_a_table(report: Path) -> None:
    assert {path.name for path in (report.parent / "maps").iterdir()} == {"report.png", "report.csv"}
    assert (report.parent / "run" / "report.mcap").is_file()


@NEEDS_BROWSER
@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (900, 700), (400, 800)])
def test_a_browser_shows_its_plots_and_plays_the_worst_minute(report: Path, width: int, height: int) -> None:
    with open_page(report.as_uri(), width, height) as (page, seen):
        for chart in page.locator("svg").all():
            box = chart.bounding_box()
            assert box is not None
            assert box["width"] > 250
            assert box["height"] > 100
        frame = page.frame_locator("iframe").first
        first = frame.locator("#clock").inner_text()
        page.wait_for_timeout(1500)
        assert frame.locator("#clock").inner_text() != first
        page.click("#theme")
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert not seen.errors
    assert not seen.outside


def test_mistakes_are_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing to report on" in fail(["report", str(tmp_path)], capsys)
    (tmp_path / "x.json").write_text("[1]")
    assert "holds no rows" in fail(["report", str(tmp_path / "x.json")], capsys)
    assert "missing.mcap" in fail(["report", str(tmp_path / "missing.mcap")], capsys)
