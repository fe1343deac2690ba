"""The docs are true today: what scripts make of the code is made anew, and every path and link leads somewhere."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from docs import draw_layout, observation_table
from sim.observation import observation_spec
from sim.scene import RobotConfig
from tests.house import ROOT, arrows, without_detours

PAGES = [path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))]
PATH = re.compile(r"`((?:sim|policies|export|fleetmix|benchmarks|docs|examples|tests)/[\w./-]*(?:/|\.\w+))`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)")


def test_the_picture_of_the_folders_shows_the_arrows_of_the_code() -> None:
    with Image.open(draw_layout.PICTURE) as picture:
        drawn = {(of, to) for of, to in json.loads(picture.info[draw_layout.KEY])}
    assert drawn == arrows(), "run: make docs"


def test_arrows_that_others_imply_are_left_out_and_circles_stay() -> None:
    assert without_detours({("c", "b"), ("b", "a"), ("c", "a")}) == {("c", "b"), ("b", "a")}
    both_ways = {("a", "b"), ("b", "a")}
    assert without_detours(both_ways) == both_ways


def test_the_table_of_the_observation_is_that_of_the_code() -> None:
    page = observation_table.PAGE.read_text()
    assert observation_table.replaced(page) == page, "run: make docs"


def test_the_table_names_each_element_once() -> None:
    spec = observation_spec(RobotConfig())
    offsets: list[int] = []
    for row in observation_table.observation_table(RobotConfig()).splitlines()[2:]:
        cell = row.split(" | ")[1]
        first, _, last = cell.partition(" to ")
        offsets += range(int(first), int(last) + 1) if last else map(int, cell.split(", "))
    assert sorted(offsets) == list(range(spec.size))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_and_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    lost = [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    lost += [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert not lost
