from pathlib import Path

import numpy as np
import pytest

from export.bundle.manifest import open_bundle
from export.robot.model import open_robot_model
from sim.scene import open_scene


@pytest.mark.parametrize(("fleet", "robots"), [(None, 3), (8, 8)])
def test_a_robot_has_the_path_costs_of_its_fleet(always_go: Path, fleet: int | None, robots: int) -> None:
    """The bundle was trained with 3 robots on `small`, which has other costs for 8."""
    layout = open_robot_model(open_bundle(always_go), "robot_0", None, fleet).layout
    expected = open_scene("small", robots)[1]
    np.testing.assert_array_equal(layout.costs, expected.costs)
    assert layout.text() == expected.text()


def test_another_map_is_guided_too(always_go: Path) -> None:
    layout = open_robot_model(open_bundle(always_go), "robot_0", "depot", 16).layout
    np.testing.assert_array_equal(layout.costs, open_scene("depot", 16)[1].costs)
