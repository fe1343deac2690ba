"""When RHCR plans: all robots together, whenever what they are to do changes."""

import numpy as np
import pytest

from policies.planners.fields import Fields
from policies.planners.rhcr import Rhcr
from policies.planners.ways import Ways
from sim.scene import open_scene
from sim.warehouse import Warehouse


@pytest.mark.parametrize(("robots", "every"), [(1, 1), (2, 3), (3, 9), (4, 10)])
def test_all_is_planned_anew_every_so_often_and_when_a_robot_gets_another_goal(robots, every, monkeypatch) -> None:
    scene, layout = open_scene("small", robots)
    warehouse = Warehouse(scene, layout)
    warehouse.reset(3)
    fields = Fields(layout)
    ways = Ways(warehouse, fields)
    planner, commands = Rhcr(warehouse, ways, fields), np.zeros((robots, 2))
    planned: list[float] = []
    plan_all = planner._plan_all

    def note(now: float) -> None:
        planned.append(now)
        plan_all(now)

    monkeypatch.setattr(planner, "_plan_all", note)
    expected, goals = [], ways.course.goals.copy()
    for tick in range(200):
        ways.sense()
        if tick % every == 0 or (ways.course.goals != goals).any():
            expected.append(tick * scene.control_period)
        goals = ways.course.goals.copy()
        planner.plan()
        ways.command(commands)
        warehouse.tick(commands)
    warehouse.close()
    assert planned == expected
    assert every == 1 or len(planned) > len(range(0, 200, every))  # picks and deliveries came in between
