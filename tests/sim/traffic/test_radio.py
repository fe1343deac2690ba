"""The simulated radio: range, loss, delay, dead radios and liars; and that fleets come through all of it."""

import numpy as np
import pytest

from sim.env import WarehouseEnv
from sim.errors import InputError
from sim.observation import MANEUVERS
from sim.scene import SceneConfig
from sim.traffic.broadcast import RECORD, RECORD_SIZE
from sim.traffic.radio import Radio, listen, new_radio, send
from sim.traffic.rules import FORGET

GO = MANEUVERS.index("go")
FREE = np.zeros((1, 20), np.bool_)
ALL, NONE = np.ones((3, 3), np.bool_), np.zeros((3, 3), np.bool_)
AT_ONCE = np.zeros((3, 3), np.int64)


def robots(period: int) -> np.ndarray:
    """Robots 0 and 1 within 8 m of each other, 2 within 8 m of 1 alone."""
    records = np.zeros((3, RECORD_SIZE))
    for name, cell in enumerate((1, 6, 13)):
        record = records[name]
        record[RECORD.x], record[RECORD.y], record[RECORD.name] = cell + 0.5, 0.5, name
        record[RECORD.clock], record[RECORD.wanted] = period, -1
        record[RECORD.claim_count], record[RECORD.claims] = 1, cell
    return records


def broadcast(
    radio: Radio,
    period: int,
    lost: np.ndarray = NONE,
    late: np.ndarray = AT_ONCE,
    changed: dict[str, float] | None = None,
) -> None:
    records = robots(period)
    for field, value in (changed or {}).items():
        records[0, getattr(RECORD, field)] = value
    send(records, FREE, radio, period, 8.0, lost, late)
    listen(radio, period, 0.1)


def heard(radio: Radio, robot: int) -> list[tuple[int, int, float]]:
    """Of whom robot has heard last what: name, clock, age [s]."""
    rows = radio.rows[robot, : radio.counts[robot]]
    names, clocks = radio.sent[rows, RECORD.name], radio.sent[rows, RECORD.clock]
    ages = radio.ages[robot, : len(rows)].round(6)
    return [(int(name), int(clock), float(age)) for name, clock, age in zip(names, clocks, ages, strict=True)]


def test_those_within_range_are_heard_at_once() -> None:
    radio = new_radio(3)
    broadcast(radio, 0)
    assert heard(radio, 0) == [(1, 0, 0.0)]
    assert heard(radio, 1) == [(0, 0, 0.0), (2, 0, 0.0)]


def test_who_is_not_heard_any_more_is_remembered_for_a_while() -> None:
    radio = new_radio(3)
    broadcast(radio, 0)
    for period in range(1, FORGET + 1):
        broadcast(radio, period, lost=ALL)
        assert heard(radio, 0) == [(1, 0, round(0.1 * period, 6))]
    broadcast(radio, FORGET + 1, lost=ALL)
    assert heard(radio, 0) == []


def test_what_is_late_is_heard_later_and_never_after_what_was_sent_after_it() -> None:
    radio = new_radio(3)
    broadcast(radio, 0, late=AT_ONCE + 2)
    broadcast(radio, 1, late=AT_ONCE + 3)
    assert heard(radio, 0) == []
    broadcast(radio, 2, late=AT_ONCE + 1)
    assert heard(radio, 0) == [(1, 0, 0.2)]
    broadcast(radio, 3, late=AT_ONCE + 9)
    assert heard(radio, 0) == [(1, 2, 0.1)]
    broadcast(radio, 4, late=AT_ONCE + 9)  # that of period 1 is there now, and older
    assert heard(radio, 0) == [(1, 2, 0.2)]


def test_a_dead_radio_neither_sends_nor_hears() -> None:
    radio = new_radio(3)
    radio.mute[1] = True
    broadcast(radio, 0)
    assert [heard(radio, robot) for robot in range(3)] == [[], [], []]


@pytest.mark.parametrize(("field", "value"), [("claims", 30.0), ("claim_count", 9.0), ("priority", np.inf)])
def test_what_can_not_be_is_refused_and_counted(field: str, value: float) -> None:
    radio = new_radio(3)
    broadcast(radio, 0, changed={field: value})
    assert heard(radio, 1) == [(2, 0, 0.0)]
    assert radio.refused.tolist() == [1, 0, 0]


@pytest.mark.parametrize(("setting", "value"), [("radio_loss", 1.5), ("radio_loss", -0.1), ("radio_delay", 2.0)])
def test_a_radio_that_can_not_be_is_refused(setting: str, value: float) -> None:
    with pytest.raises(InputError, match=f"scene.{setting} is"):
        SceneConfig(**{setting: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("loss", "delay"), [(0.2, 0.0), (0.0, 0.3), (0.2, 0.3)])
@pytest.mark.parametrize(("scene", "robots"), [("small", 8), ("narrow", 6)])
def test_what_the_radio_loses_costs_time_and_no_contact(scene: str, robots: int, loss: float, delay: float) -> None:
    settings = SceneConfig(scene, robots, right_of_way="plans", radio_loss=loss, radio_delay=delay)
    with WarehouseEnv(settings) as env:
        for seed in (2100, 2101):
            env.reset(seed)
            while env.agents:
                infos = env.step(dict.fromkeys(env.agents, GO))[4]
            assert sum(info["deliveries"] for info in infos.values()) > 0.5 * robots * 2
            assert all(info["robot_contacts"] == info["rack_contacts"] == 0 for info in infos.values())


def test_what_the_radio_loses_is_drawn_from_the_seed() -> None:
    ends = []
    with WarehouseEnv(SceneConfig(robots=6, right_of_way="plans", radio_loss=0.3, time_limit=20.0)) as env:
        for seed in (2110, 2110, 2111):
            env.reset(seed)
            while env.agents:
                env.step(dict.fromkeys(env.agents, GO))
            ends.append(env._warehouse.poses.copy())
    assert np.array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])
