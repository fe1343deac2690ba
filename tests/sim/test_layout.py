import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import InputError
from sim.layout import LAYOUTS, Layout, load_layout, parse_layout, scene_names
from tests.sim.maps import shipped_or_random

SCENES = scene_names()
ROOT2 = math.sqrt(2.0)
RING = "...\n.#.\nS.."
CORRIDOR = "#####\nS...S"


def legal_step(layout: Layout, start: int, end: int) -> bool:
    """Whether a robot may go straight from one free cell to a neighbouring one."""
    (r0, c0), (r1, c1) = divmod(start, layout.columns), divmod(end, layout.columns)
    square = layout.blocked[min(r0, r1) : max(r0, r1) + 1, min(c0, c1) : max(c0, c1) + 1]
    return max(abs(r0 - r1), abs(c0 - c1)) == 1 and not square.any()


def test_cells_count_from_the_lower_left() -> None:
    layout = parse_layout("#.\n..\nS.", "corner")
    assert (layout.rows, layout.columns) == (3, 2)
    # Lower row first: S is cell 0, and the rack in the upper left corner is row 2, column 0.
    assert layout.stations == (0,)
    assert np.argwhere(layout.blocked).tolist() == [[2, 0]]
    assert layout.middle(3) == (1.5, 1.5)
    assert layout.picks == (2, 5)  # below the rack, and right of it


def test_a_station_beside_a_rack_is_no_pick_cell() -> None:
    layout = parse_layout("#.\nS.", "small")
    assert layout.picks == (3,)


def test_paths_go_round_a_rack_without_cutting_its_corners() -> None:
    layout = parse_layout(RING, "ring")
    # The rack in the middle lets no diagonal pass, so only straight steps lead round it; from inside the rack
    # (a robot's odometry can be off) one straight step leads out, then one more to the station.
    assert layout.path_field(0).distance.tolist() == [0, 1, 2, 1, 2, 3, 2, 3, 4]


def test_paths_take_diagonals() -> None:
    layout = parse_layout("#...\n....\n....\nS...", "open")
    distance = layout.path_field(0).distance
    assert distance[15] == pytest.approx(3 * ROOT2)  # (3, 3): three diagonals
    assert distance[11] == pytest.approx(1 + 2 * ROOT2)  # row 2, column 3: two diagonals and a straight step
    # Row 3, column 1 is beside the rack, so the first step is straight down: down, down, diagonal.
    assert distance[13] == pytest.approx(2 + ROOT2)


def test_a_goal_follows_itself_and_must_be_free() -> None:
    layout = parse_layout(RING, "ring")
    assert layout.path_field(8).next_cell[8] == 8
    assert layout.path_field(8) is layout.path_field(8)
    for goal in (4, -1, 9):
        with pytest.raises(InputError, match=f"layout ring: goal cell {goal} is a rack or outside"):
            layout.path_field(goal)


@given(shipped_or_random, st.data())
def test_distance_falls_along_the_path_by_each_step_and_no_way_is_shorter(layout: Layout, data: st.DataObject) -> None:
    goal = data.draw(st.sampled_from(layout.free))
    path = layout.path_field(goal)
    for cell in layout.free:
        x, y = layout.middle(cell)
        if cell != goal:
            following = int(path.next_cell[cell])
            nx, ny = layout.middle(following)
            assert legal_step(layout, cell, following)
            assert path.distance[cell] - path.distance[following] == pytest.approx(math.hypot(nx - x, ny - y))
        row, column = divmod(cell, layout.columns)
        for r in range(max(row - 1, 0), min(row + 2, layout.rows)):
            for c in range(max(column - 1, 0), min(column + 2, layout.columns)):
                other = r * layout.columns + c
                if legal_step(layout, cell, other):
                    assert path.distance[cell] <= path.distance[other] + math.hypot(r - row, c - column) + 1e-9


@given(shipped_or_random, st.data())
def test_a_robot_inside_a_rack_is_led_out_over_a_side(layout: Layout, data: st.DataObject) -> None:
    path = layout.path_field(data.draw(st.sampled_from(layout.free)))
    for cell in np.flatnonzero(layout.blocked):
        (r0, c0), (r1, c1) = divmod(int(cell), layout.columns), divmod(int(path.next_cell[cell]), layout.columns)
        assert abs(r0 - r1) + abs(c0 - c1) == 1
        assert path.distance[cell] == path.distance[path.next_cell[cell]] + 1


@given(shipped_or_random)
def test_text_reads_back_as_the_same_layout(layout: Layout) -> None:
    again = parse_layout(layout.text(), layout.name)
    np.testing.assert_array_equal(again.blocked, layout.blocked)
    assert (again.name, again.stations, again.robots) == (layout.name, layout.stations, layout.robots)
    assert again.text() == layout.text()


@given(shipped_or_random)
def test_rack_rectangles_cover_each_rack_cell_once_and_nothing_else(layout: Layout) -> None:
    cover = np.zeros((layout.rows, layout.columns), np.int64)
    for x0, y0, x1, y1 in layout.racks().astype(int):
        cover[y0:y1, x0:x1] += 1
    np.testing.assert_array_equal(cover, layout.blocked)


def test_rack_rectangles_are_few() -> None:
    assert len(load_layout("small").racks()) == 8  # two rows of four racks
    assert len(load_layout("narrow").racks()) == 6


@pytest.mark.parametrize(("scene", "robots"), [("aisle", 2), ("crossing", 2), ("small", 4), ("narrow", 6)])
def test_shipped_scenes(scene: str, robots: int) -> None:
    layout = load_layout(scene)
    assert layout.robots == robots <= len(layout.free)
    assert layout.text() == (LAYOUTS / f"{scene}.map").read_text()


def test_movingai_header_and_characters() -> None:
    layout = parse_layout("type octile\nheight 2\nwidth 5\nmap\n@TOW#\nG.S.G\n", "city")
    assert layout.blocked.tolist() == [[False] * 5, [True] * 5]
    assert (layout.stations, layout.robots) == ((2,), 4)


def test_windows_line_ends_and_blank_lines_around_a_map() -> None:
    layout = parse_layout("\ufeff\r\n#.\r\nS.\r\n\r\n", "windows")
    assert layout.text() == "type warehouse\nheight 2\nwidth 2\nrobots 4\nmap\n#.\nS.\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "layout bad: the map is empty"),
        ("type octile\nmap\n", "layout bad: the map is empty"),
        ("#..\n..\nS..", "layout bad: map line 2 has 2 cells and line 1 has 3"),
        ("#..\n\nS..", "layout bad: map line 2 has 0 cells and line 1 has 3"),
        ("#..\n..x\nS..", "layout bad: map line 2, column 3 is 'x'; valid are '#'"),
        ("#. .\nS...", "layout bad: map line 1, column 3 is ' '"),
        ("#..\n...", "layout bad: it has no station; mark at least one cell with 'S'"),
        ("...\nS..", "layout bad: it has no pick cell"),
        ("#S\n##", "layout bad: it has no pick cell"),
        (".#.\n##.\nS..", "layout bad: 1 cells can't be reached from its first station, such as line 1, column 1"),
        # The stations touch at a corner only, and corners are not cut.
        ("S#.\n#S.", "layout bad: 1 cells can't be reached from its first station"),
        ("height 3\nwidth 3\nmap\n#..\nS..", "layout bad: its header says height '3', but its map has 2"),
        ("height 2\nwidth x\nmap\n#..\nS..", "layout bad: its header says width 'x', but its map has 3"),
        ("height\nmap\n#..\nS..", "layout bad: its header says height '', but its map has 2"),
        ("robots 0\nmap\n#..\nS..", "layout bad: its header says robots '0'; valid is a whole number"),
        ("robots two\nmap\n#..\nS..", "layout bad: its header says robots 'two'"),
        ("robots \u0663\nmap\n#..\nS..", "layout bad: its header says robots '\u0663'"),
        (f"robots {'9' * 5000}\nmap\n#..\nS..", "layout bad: its header says robots '99999999999999999999'; valid is"),
        ("robots 2\nrobots 3\nmap\n#..\nS..", "layout bad: header line 2 says robots once more"),
        ("#.\f.\nS...", "layout bad: map line 1, column 3 is '\\x0c'"),
        ("#.S\n" + ("." * 1000 + "\n") * 250, "layout bad: it has 250003 cells; valid are at most 250000"),
        ("type x\nrobot 3\nmap\n#..\nS..", "layout bad: header line 2 is 'robot 3'; valid are type, height, width"),
    ],
)
def test_bad_maps_are_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        parse_layout(text, "bad")
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_layouts_load_from_files(tmp_path: Path) -> None:
    file = tmp_path / "mine.map"
    file.write_text(RING)
    layout = load_layout(file)
    assert (layout.name, layout.rows) == ("mine", 3)
    assert load_layout(str(file)).text() == layout.text()


def test_what_is_no_scene_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scene 'smal' is neither a shipped one \(aisle, crossing, .*small\), "):
        load_layout("smal")
    with pytest.raises(InputError, match="nor a map file"):
        load_layout(tmp_path)
    binary = tmp_path / "picture.map"
    binary.write_bytes(b"S.\xff")
    with pytest.raises(InputError, match=r"picture\.map' is no text: invalid start byte at byte 2"):
        load_layout(binary)


def test_what_layouts_share_is_read_only() -> None:
    layout = load_layout("small")
    path = layout.path_field(layout.stations[0])
    for array in (layout.blocked, path.distance, path.next_cell):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
