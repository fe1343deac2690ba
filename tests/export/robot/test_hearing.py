"""What a robot believes of what it hears; the checks of claims and ways are tested in tests/sim/traffic."""

import numpy as np
import pytest

from export.protocol.broadcasts import robot_number
from export.robot.hearing import OLDEST, Hearing
from sim.traffic.broadcast import RECORD
from tests.export.conftest import SCENE
from tests.export.robot_bench import LAYOUT, some_broadcast, some_sensors

OWN = 5.0


@pytest.fixture
def hearing() -> Hearing:
    return Hearing(SCENE.robot, LAYOUT.blocked, OWN, claims=True)


def test_what_is_believed_comes_in_the_order_of_the_senders(hearing: Hearing) -> None:
    """Whoever goes first must not depend on the order in which messages arrive."""
    broadcasts = np.array([some_broadcast(name=name) for name in (7.0, 0.0, 3.0)])
    heard = hearing.listen(some_sensors(broadcasts=broadcasts, ages=np.array([0.1, 0.2, 0.3])))
    assert heard.records[:, RECORD.name].tolist() == [0.0, 3.0, 7.0]
    assert heard.ages.tolist() == [0.2, 0.3, 0.1]
    assert not hearing.refused


@pytest.mark.parametrize(
    ("changes", "age", "fault"),
    [
        ({"waypoint_x": np.nan}, 0.1, "not_finite"),
        ({"x": -0.1}, 0.1, "pose"),
        ({"speed": 2.0}, 0.1, "speed"),
        ({"heading": 2e6}, 0.1, "endless"),
        ({"turn_rate": -2e6}, 0.1, "endless"),
        ({"name": OWN}, 0.1, "own_name"),
        ({"name": 1.0}, 0.1, "doubled"),
        ({"claims": 0.0}, 0.1, "cell"),  # a rack
        ({"claims": 1e6}, 0.1, "cell"),  # outside
        ({"claim_count": 9.0}, 0.1, "count"),
        ({}, -0.1, "age"),
        ({}, np.nan, "age"),
        ({}, OLDEST + 0.1, "age"),
    ],
)
def test_what_can_not_be_is_left_out_and_counted_and_the_rest_is_heard(
    hearing: Hearing, changes: dict[str, float], age: float, fault: str
) -> None:
    assert LAYOUT.blocked.flat[0]
    broadcasts = np.array([some_broadcast(), some_broadcast(**{"name": 2.0, **changes})])
    heard = hearing.listen(some_sensors(broadcasts=broadcasts, ages=np.array([0.1, age])))
    assert heard.records[:, RECORD.name].tolist() == [1.0]
    assert hearing.refused == {fault: 1}


def test_robots_without_right_of_way_tell_no_claims_and_are_heard() -> None:
    hearing = Hearing(SCENE.robot, LAYOUT.blocked, OWN, claims=False)
    silent = some_broadcast(claim_count=0.0, name=0.0)
    assert len(hearing.listen(some_sensors(broadcasts=np.array([silent, silent]), ages=np.zeros(2))).ages) == 2


def test_each_name_has_one_number() -> None:
    assert [robot_number(name) for name in ("robot_0", "robot_12", "robot_999999999")] == [0.0, 12.0, 999999999.0]
    others = [robot_number(name) for name in ("robot_01", "robot_", "robot_-1", "robot_1000000000", "forklift", "12")]
    assert all(2.0**51 <= number < 2.0**52 and number == int(number) for number in others)
    assert len({*others}) == len(others)
