"""The exported page, from a disk and in a real browser."""

from pathlib import Path

import numpy as np
import pytest

from export.recordings.reader import Event
from fleetmix.replay.html import replay_page
from tests.fleetmix.pages.browser import NEEDS_BROWSER, open_page
from tests.fleetmix.replay.scenes import every_decision, recording, standing

SIZES = [(1440, 900), (1024, 720), (400, 800)]


def page_of(folder: Path, whole: bool = True) -> str:
    """The address of a page of 30 s in which robot_1 is touched at 20 s."""
    poses = standing(300, (0.5, 3.5), (3.5, 3.5))
    poses[:50, 0, 0] += np.arange(50) * 0.05
    poses[50:, 0, 0] += 2.5
    touch = Event(20.0, "robot_contact", "robot_1", "")
    record = recording(poses, every_decision(300, {"choice": "stop"}, {}), touch, whole=whole)
    file = folder / "replay.html"
    file.write_text(replay_page(record))
    return file.as_uri()


def seconds(text: str) -> float:
    """A clock's m:ss.s."""
    minutes, _, rest = text.split(" ")[0].partition(":")
    return 60 * float(minutes) + float(rest)


@NEEDS_BROWSER
@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_plays_from_a_disk(tmp_path: Path, width: int, height: int) -> None:
    with open_page(page_of(tmp_path), width, height) as (page, seen):
        page.wait_for_timeout(300)
        first = seconds(page.inner_text("#clock"))
        page.wait_for_timeout(1500)
        assert seconds(page.inner_text("#clock")) > first + 0.5
        painted = page.evaluate(
            "() => { const c = document.querySelector('#floor canvas'); "
            "return new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size }"
        )
        assert painted > 50
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert not seen.errors
    assert not seen.outside


@NEEDS_BROWSER
@pytest.mark.slow
def test_a_click_on_an_event_goes_there_and_says_why(tmp_path: Path) -> None:
    with open_page(page_of(tmp_path)) as (page, seen):
        page.click("#play")
        page.click("li[data-kind=contact]")
        assert seconds(page.inner_text("#clock")) == 18.0  # two seconds before
        assert page.input_value("#robot select") == "1"
        page.select_option("#robot select", "0")
        assert "it chose stop (Q 0.50, of go 1.50)" in page.inner_text("#why")
        page.keyboard.press("Tab")
        assert page.locator("#bars span").all_inner_texts() == ["stop", "go", "back"]
        page.select_option("#events select", "contact")
        assert page.locator("#events li").count() == 1
        assert page.inner_text("#note") == ""
    assert not seen.errors


@NEEDS_BROWSER
@pytest.mark.slow
def test_a_recording_that_was_cut_short_says_so_on_its_page(tmp_path: Path) -> None:
    with open_page(page_of(tmp_path, whole=False)) as (page, _):
        assert "cut short" in page.inner_text("#note")


def test_the_page_is_one_file_that_names_nothing_outside(tmp_path: Path) -> None:
    text = Path(page_of(tmp_path).removeprefix("file://")).read_text()
    assert "http" not in text.replace("http://www.w3.org", "")
    assert "{{" not in text


def test_names_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    hostile = Event(0.3, "stops", "robot_0", "</script><script>alert(1)</script>")
    text = replay_page(recording(standing(8, (0.5, 3.5)), every_decision(8, {}), hostile))
    assert "<script>alert" not in text


def test_ten_minutes_of_eight_robots_are_small() -> None:
    random = np.random.default_rng(0)
    poses = np.cumsum(random.normal(scale=0.1, size=(6000, 8, 3)), axis=0)
    values = [{"q_values": random.normal(size=3).tolist(), "choice": "go"} for _ in range(8)]
    assert len(replay_page(recording(poses, every_decision(6000, *values)))) < 10e6
