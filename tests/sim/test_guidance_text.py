import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import InputError
from sim.guidance import Guidance
from sim.layout import Layout, parse_layout
from tests.sim.maps import shipped_or_random

MAP = "robots 2\nmap\n....\n.##.\nS...\n"
GUIDANCE = (
    "guidance 2\neast 1.25 line 1 columns 1-4\nnorth 3.0 column 1 lines 1-3\nguidance 6\nwest 1.5 line 3 columns 1-4\n"
)


def test_a_map_file_holds_guidance_below_its_map() -> None:
    layout = parse_layout(MAP + GUIDANCE, "loop")
    # Aisles: bottom (line 3), top (line 1), left (column 1), right (column 4).
    assert layout.guided(2).factors.tolist() == [[1, 1], [1.25, 1], [3, 1], [1, 1]]
    assert layout.guided(6).factors.tolist() == [[1, 1.5], [1, 1], [1, 1], [1, 1]]
    assert layout.text() == "type warehouse\nheight 3\nwidth 4\n" + MAP + GUIDANCE


def test_it_needs_no_header_and_may_switch_guidance_off() -> None:
    layout = parse_layout("....\n.##.\nS...\nguidance 1\n", "loop")
    assert (layout.guided(9).factors == 1.0).all()
    assert layout.text().endswith("S...\nguidance 1\n")


@given(shipped_or_random, st.data())
def test_any_guidance_reads_back_as_it_was(layout: Layout, data: st.DataObject) -> None:
    factor = st.floats(1.0, 100.0)
    factors = data.draw(st.lists(st.tuples(factor, factor), min_size=len(layout.aisles), max_size=len(layout.aisles)))
    guided = dataclasses.replace(layout, guidance=(Guidance(7, np.array(factors).reshape(-1, 2)),))
    again = parse_layout(guided.text(), layout.name)
    np.testing.assert_array_equal(again.guided(7).factors, guided.guided(7).factors)
    assert again.text() == guided.text()


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("guidance", "layout bad: map line 4 has 8 cells"),
        ("guidance 0", "layout bad: its line 'guidance 0' names no fleet; valid is a number from 1 to 99999"),
        ("guidance x", "layout bad: its line 'guidance x' names no fleet"),
        (
            "guidance 4\nguidance 4",
            "layout bad: its guidance is for fleets of [4, 4] robots; valid are numbers that rise",
        ),
        (
            "guidance 4\nwest 1.2 line 2 columns 1-4",
            "layout bad: its guidance names 'west line 2 columns 1-4', which is no aisle of it; valid are west line 3 "
            "columns 1-4, west line 1 columns 1-4",
        ),
        (
            "guidance 4\nwest 1.2 line 1 columns 1-3",
            "layout bad: its guidance names 'west line 1 columns 1-3', which is no aisle of it; valid are west line 1 "
            "columns 1-4",
        ),
        ("guidance 4\nnorth 1.2 line 1 columns 1-4", "layout bad: its guidance names 'north line 1 columns 1-4'"),
        ("guidance 4\nup 1.2 line 1 columns 1-4", "layout bad: its line 'up 1.2 line 1 columns 1-4' is no guidance"),
        (
            "guidance 4\nwest fast line 1 columns 1-4",
            "layout bad: its line 'west fast line 1 columns 1-4' is no guidance",
        ),
        (
            "guidance 4\n....",
            "layout bad: its line '....' is no guidance; valid is a line such as 'guidance 8' and below",
        ),
        ("guidance 4\nwest 0.9 line 1 columns 1-4", "layout bad: its guidance for 4 robots has the factor 0.9 west in"),
        ("guidance 4\nwest nan line 1 columns 1-4", "layout bad: its guidance for 4 robots has the factor nan west in"),
        ("guidance 4\nwest inf line 1 columns 1-4", "layout bad: its guidance for 4 robots has the factor inf west in"),
        (
            "guidance 4\nwest 2 line 1 columns 1-4\nwest 3 line 1 columns 1-4",
            "layout bad: its guidance for 4 robots names 'west line 1 columns 1-4' once more",
        ),
    ],
)
def test_bad_guidance_is_refused_in_one_line(lines: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        parse_layout(MAP + lines + "\n", "bad")
    assert str(error.value).startswith(says)
    assert "\n" not in str(error.value)


def test_a_map_without_aisles_has_nothing_to_guide() -> None:
    with pytest.raises(InputError, match="it has no aisle of 3 cells"):
        parse_layout("#.\nS.\nguidance 4\nwest 2 line 1 columns 1-2", "bad")
