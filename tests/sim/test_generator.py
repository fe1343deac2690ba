"""Generated warehouses: valid whatever the seed and the settings, and the same for ever."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import InputError
from sim.generator import draw_warehouse, is_generated, read_ranges, with_seed
from sim.layout import Layout, load_layout
from sim.scene import open_scene

SEEDS = st.integers(0, 10**12)

EXPECTED = [
    "type warehouse",
    "height 8",
    "width 12",
    "robots 4",
    "map",
    "S....S....S.",
    "............",
    "S.#########.",
    "..#########.",
    "..#########.",
    "............",
    "............",
    "S....S....S.",
]


@st.composite
def scenes(draw: st.DrawFn) -> str:
    """Names of generated scenes with settings anywhere in their useful part."""
    low, high = sorted((draw(st.integers(1, 24)), draw(st.integers(1, 24))))
    words = [f"generated:{draw(SEEDS)}", f"robots={low}-{high}"]
    for name, least, most in (
        ("room", 2, 12), ("block_length", 1, 8), ("block_depth", 1, 5), ("aisle", 1, 3), ("cross_aisle", 1, 3),
        ("dead_ends", 0, 100), ("sides", 1, 4), ("spacing", 1, 9),
    ):  # fmt: skip
        if draw(st.booleans()):
            words.append(f"{name}={draw(st.integers(least, most))}")
    return ":".join(words)


def sides_with_stations(layout: Layout) -> int:
    cells = np.zeros(layout.blocked.shape, np.bool_)
    cells.flat[list(layout.stations)] = True
    assert not cells[1:-1, 1:-1].any()
    # A station in a corner belongs to two sides; a side of its own has one elsewhere, or is too short to.
    edges = (cells[0], cells[-1], cells[:, 0], cells[:, -1])
    return sum(bool(edge[1:-1].any()) for edge in edges)


@given(scenes())
def test_every_seed_gives_a_valid_warehouse(scene: str) -> None:
    layout = load_layout(scene)  # refuses a floor with an unreachable cell, without stations or without pick cells
    _, ranges = read_ranges(scene)
    low, high = ranges.robots
    assert low <= layout.robots <= high
    assert len(layout.free) >= ranges.room[0] * layout.robots
    settings, _ = open_scene(scene)  # asks for room for each robot
    assert settings.robots == layout.robots
    for goal in (*layout.stations[:3], *layout.picks[:3]):
        assert np.isfinite(layout.path_field(goal).distance[list(layout.free)]).all()


@given(scenes())
def test_a_name_is_one_warehouse(scene: str) -> None:
    assert draw_warehouse(scene) == draw_warehouse(scene)
    assert load_layout(scene).text() == draw_warehouse(scene)


@given(st.integers(0, 300), st.integers(1, 4))
def test_stations_stand_on_as_many_sides_as_asked(seed: int, sides: int) -> None:
    found = sides_with_stations(load_layout(f"generated:{seed}:sides={sides}:spacing=3:robots=12"))
    assert found == sides


@given(st.integers(0, 10**6), st.integers(1, 3))
def test_the_narrowest_aisle_is_as_wide_as_asked(seed: int, width: int) -> None:
    """Without dead ends, blocks of 2 x 4 and aisles of one width, every run of floor between two racks is one aisle."""
    layout = load_layout(f"generated:{seed}:aisle={width}:cross_aisle={width}:block_depth=2:block_length=4:dead_ends=0")
    for cells in (*layout.blocked, *layout.blocked.T):
        between = "".join("#" if rack else "." for rack in cells).strip(".").split("#")
        assert {len(run) for run in between if run} <= {width}


def test_dead_ends_are_closed_on_one_side() -> None:
    # One row of racks closes each piece of aisle of 1 cell between blocks of 1 x 3; the rest of the piece stays open.
    layout = load_layout("generated:4:aisle=1:cross_aisle=1:block_depth=1:block_length=3:dead_ends=100:robots=6")
    without = load_layout("generated:4:aisle=1:cross_aisle=1:block_depth=1:block_length=3:dead_ends=0:robots=6")
    padded = np.pad(layout.blocked, 1, constant_values=True).astype(int)
    walls = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    assert ((walls == 3) & ~layout.blocked).any()
    padded = np.pad(without.blocked, 1, constant_values=True).astype(int)
    walls = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    assert not ((walls == 3) & ~without.blocked).any()


def test_a_seed_stays_the_same_warehouse_in_later_versions() -> None:
    """Published figures name seeds, so a change of what they draw is a break."""
    assert draw_warehouse("generated:5:robots=4:room=8").splitlines() == EXPECTED


def test_seeds_differ() -> None:
    assert len({draw_warehouse(f"generated:{seed}") for seed in range(50)}) == 50


def test_a_seed_put_into_a_name_keeps_the_other_settings() -> None:
    assert with_seed("generated", 3, (8, 8)) == "generated:3:robots=8"
    assert with_seed("generated:aisle=1-2:robots=4", 3, (2, 8)) == "generated:3:robots=2-8:aisle=1-2"
    assert with_seed("generated:9:sides=4", 3, (8, 8)) == "generated:3:robots=8:sides=4"
    assert read_ranges("generated:sides=2")[0] is None


def test_what_is_a_generated_scene() -> None:
    assert all(map(is_generated, ("generated", "generated:1", "generated:x")))
    assert not any(map(is_generated, ("small", "generated.map", "maps/generated:1")))


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        ("generated", "has no seed; valid is generated:SEED"),
        ("generated:aisle=2", "has no seed"),
        ("generated:-1", "has '-1'; valid is generated:SEED"),
        ("generated:1.5", "has '1.5'"),
        ("generated:", "has ''"),
        ("generated:1:2", "has '2'"),
        ("generated:1:aisles=2", "has 'aisles=2'"),
        ("generated:1:aisle=2:aisle=3", "once each"),
        ("generated:1:aisle=two", "has 'aisle=two'"),
        ("generated:1:aisle=3-1", "aisle of a generated warehouse is 3-1; valid is a whole number from 1 to 9"),
        ("generated:1:robots=0", "robots of a generated warehouse is 0; valid is a whole number from 1 to 1000"),
        ("generated:1:sides=5", "sides of a generated warehouse is 5"),
        ("generated:1:robots=64:size=3-12", "64 robots with .* can't be placed within size=12;"),
        ("generated:1:block_length=9:size=5-8", "can't be placed within size=8;"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(scene: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_layout(scene)
    assert repr(scene) in str(caught.value)
