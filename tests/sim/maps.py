"""Maps that tests draw: those that ship, and random ones."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from sim.errors import InputError
from sim.layout import Layout, load_layout, parse_layout, scene_names


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Random valid maps: what the first station can't reach becomes racks."""
    rows, columns = draw(st.integers(2, 7)), draw(st.integers(2, 7))
    line = st.lists(st.sampled_from("..#"), min_size=columns, max_size=columns)
    cells = np.array(draw(st.lists(line, min_size=rows, max_size=rows)))
    start = draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))
    cells[start] = "S"
    reached, todo = {start}, [start]
    while todo:
        r, c = todo.pop()
        for cell in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
            inside = 0 <= cell[0] < rows and 0 <= cell[1] < columns
            if inside and cell not in reached and cells[cell] != "#":
                reached.add(cell)
                todo.append(cell)
    for cell in np.ndindex(rows, columns):
        if cell not in reached:
            cells[cell] = "#"
    text = "\n".join("".join(row) for row in cells)
    try:
        return parse_layout(text, "random")
    except InputError as error:
        assume("no pick cell" not in str(error))
        raise


shipped_or_random = st.one_of(st.sampled_from(scene_names()).map(load_layout), layouts())
