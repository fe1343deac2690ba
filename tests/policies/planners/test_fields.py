import numpy as np

from policies.planners.fields import EAST, NORTH, SOUTH, WEST, Fields
from sim.layout import load_layout, parse_layout

# Its cells:  8  9 10 11
#             4  #  6  7
#             0  1  #  3
RING = parse_layout("....\n.#..\nS.#.", "ring")


def test_the_cells_beside_a_cell_are_the_free_ones_over_its_sides() -> None:
    fields = Fields(RING)
    assert fields.around[9].tolist() == [10, -1, 8, -1]
    assert fields.beside[6] == [7, 10]
    assert (EAST, NORTH, WEST, SOUTH) == (0, 1, 2, 3)


def test_path_lengths_count_sides_and_go_round_racks() -> None:
    to_station = Fields(RING).to(0)
    assert to_station[[0, 1, 4, 8, 9]].tolist() == [0, 1, 1, 2, 3]
    assert to_station[3] == 7  # 3 7 11 10 9 8 4 0
    assert np.isinf(to_station[[2, 5]]).all()


def test_a_way_is_as_long_as_the_field_says() -> None:
    fields = Fields(RING)
    assert fields.way(3, 4) in ([3, 7, 11, 10, 9, 8, 4], [3, 7, 6, 10, 9, 8, 4])
    assert fields.way(0, 0) == [0]


def test_dead_ends_lead_out_to_the_junction_where_they_begin() -> None:
    # The arms of the crossing, three cells each, all begin at its middle cell.
    layout = load_layout("crossing")
    fields = Fields(layout)
    middle = 3 * 7 + 3
    assert fields.way_out[middle] == 0
    assert fields.way_out[[middle + 1, middle + 2, middle + 3]].tolist() == [1, 2, 3]
    assert fields.way_out[list(layout.free)].sum() == 4 * (1 + 2 + 3)


def test_maps_without_dead_ends_or_without_a_junction_have_no_way_out() -> None:
    assert not Fields(load_layout("small")).way_out.any()
    assert not Fields(parse_layout("#####\nS...S\n#####", "lane")).way_out.any()
