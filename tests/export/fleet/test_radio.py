"""The radio between simulated bases."""

import numpy as np
import pytest

from export.fleet.config import SOUND, RadioConfig
from export.fleet.radio import Radio
from sim.errors import InputError
from sim.scene import RobotConfig, SceneConfig
from sim.traffic.broadcast import RECORD, RECORD_SIZE
from sim.traffic.rules import FORGET

PERIOD = 0.1


def radio(robots: int, config: RadioConfig = SOUND, most: int = 32) -> Radio:
    scene = SceneConfig(robots=robots, right_of_way="plans", robot=RobotConfig(radio_range=4.0))
    made = Radio(config.applied_to(scene), config.radio_off, most)
    made.begin(1)
    return made


def told(robots: int, clock: int) -> list[np.ndarray]:
    """What each tells: its number, and when."""
    records = np.zeros((robots, RECORD_SIZE))
    records[:, RECORD.name], records[:, RECORD.clock] = np.arange(robots), clock
    return list(records)


def in_line(*places: float) -> np.ndarray:
    return np.array([(x, 0.0, 0.0) for x in places])


def names(made: Radio, robot: int, period: int) -> list[int]:
    records, _ = made.heard(robot, period)
    return [int(name) for name in records[:, RECORD.name]]


def test_a_robot_hears_at_once_who_is_within_range_in_their_order() -> None:
    poses = in_line(0.0, 3.0, 1.0, 9.0, 2.0)
    made = radio(5)
    assert names(made, 0, 0) == []
    made.send(0, told(5, 0), poses)
    assert names(made, 0, 0) == [1, 2, 4]
    assert names(made, 3, 0) == []
    assert made.heard(0, 0)[1].tolist() == [0.0] * 3


def test_at_the_range_nothing_is_heard_any_more() -> None:
    made = radio(2)
    made.send(0, told(2, 0), in_line(0.0, 4.0))
    assert names(made, 0, 0) == []


def test_only_the_nearest_fit_into_a_message() -> None:
    made = radio(5, most=2)
    made.send(0, told(5, 0), in_line(0.0, 3.0, 1.0, 9.0, 2.0))
    assert names(made, 0, 0) == [2, 4]


def test_the_last_word_of_a_robot_that_drove_out_of_range_grows_old_and_is_forgotten() -> None:
    made = radio(2)
    made.send(0, told(2, 7), in_line(0.0, 1.0))
    for period in range(1, FORGET + 1):
        made.send(period, told(2, 8), in_line(0.0, 9.0))
        records, ages = made.heard(0, period)
        assert records[:, RECORD.clock].tolist() == [7.0]
        np.testing.assert_allclose(ages, [period * PERIOD])
    made.send(FORGET + 1, told(2, 8), in_line(0.0, 9.0))
    assert names(made, 0, FORGET + 1) == []


def test_a_robot_without_a_radio_neither_hears_nor_is_heard() -> None:
    made = radio(3, RadioConfig(radio_off=("robot_1",)))
    made.send(0, told(3, 0), in_line(0.0, 1.0, 2.0))
    assert [names(made, robot, 0) for robot in range(3)] == [[2], [], [0]]


@pytest.mark.parametrize("loss", [0.05, 0.2, 1.0])
def test_as_many_broadcasts_are_lost_as_was_asked_for_each_receiver_apart(loss: float) -> None:
    made, new = radio(3, RadioConfig(radio_loss=loss)), np.zeros((3, 3))
    for period in range(2000):
        made.send(period, told(3, period), in_line(0.0, 1.0, 2.0))
        for robot in range(3):
            records, ages = made.heard(robot, period)
            for record in records[ages == 0.0]:
                new[robot, int(record[RECORD.name])] += 1
    lost = 1.0 - new[~np.eye(3, dtype=bool)] / 2000
    np.testing.assert_allclose(lost, loss, atol=0.03)  # 3 standard deviations of 2000 draws


def test_delayed_broadcasts_are_older_and_none_is_overtaken_by_an_older_one() -> None:
    made, ages, clocks = radio(2, RadioConfig(radio_delay=0.3)), [], []
    for period in range(500):
        made.send(period, told(2, period), in_line(0.0, 1.0))
        records, age = made.heard(0, period)
        ages += age.tolist()
        clocks += records[:, RECORD.clock].tolist()
        assert all(record[RECORD.clock] == period - round(a / PERIOD) for record, a in zip(records, age, strict=True))
    assert {round(age / PERIOD) for age in ages} == {0, 1, 2, 3}
    assert clocks == sorted(clocks)


def test_an_episode_hears_nothing_of_the_one_before_and_loses_the_same_again() -> None:
    heard = []
    made = radio(2, RadioConfig(radio_loss=0.5, radio_delay=0.2))
    for _ in range(2):
        made.begin(3)
        assert names(made, 0, 0) == []
        ages = []
        for period in range(100):
            made.send(period, told(2, period), in_line(0.0, 1.0))
            ages.append(made.heard(0, period)[1].tolist())
        heard.append(ages)
    assert heard[0] == heard[1]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"radio_loss": 1.1}, "radio-loss is 1.1; valid is a share from 0 to 1"),
        ({"radio_loss": float("nan")}, "radio-loss is nan"),
        ({"radio_delay": -0.1}, "radio-delay is -0.1; valid is a time from 0 to 1 s"),
    ],
)
def test_settings_that_can_not_be_are_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        RadioConfig(**settings)  # type: ignore[arg-type]


def test_a_robot_without_a_radio_has_to_be_one_of_the_fleet() -> None:
    with pytest.raises(InputError, match="radio-off is 'robot_4'; valid is robot_0 to robot_3"):
        RadioConfig(radio_off=("robot_4",)).applied_to(SceneConfig(robots=4))
