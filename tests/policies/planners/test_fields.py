import numpy as np

from policies.planners.fields import Fields
from sim.guidance import EAST, NORTH, SOUTH, WEST
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


def test_fields_are_costs_under_the_guidance_of_the_map() -> None:
    # The ring's left column costs 5 a metre southwards: from 8 to 0 it is 10 m that way, and nothing is cheaper; from 9
    # the way begins with the metre to 8.
    guided = parse_layout("....\n.#..\nS.#.\nguidance 1\nsouth 5 column 1 lines 1-3", "ring")
    fields = Fields(guided)
    assert fields.to(0)[[8, 9, 4]].tolist() == [10, 11, 5]
    assert fields.to(8)[0] == 2  # northwards it costs its length


def test_the_cells_beside_a_cell_come_by_the_cost_of_the_way_that_begins_there() -> None:
    # From the lower right corner of a loop to the lower left one: 3 m west at a factor of 3, or 7 m round.
    loop = parse_layout("....\n.##.\nS...\nguidance 1\nwest 3 line 3 columns 1-4", "loop")
    fields = Fields(loop)
    assert fields.best_first(3, 0) == [7, 2]  # 7 against 3 + min(6, ...)
    assert fields.way(3, 0) == [3, 7, 11, 10, 9, 8, 4, 0]
    assert fields.way(0, 3) == [0, 1, 2, 3]
