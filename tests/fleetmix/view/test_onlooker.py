"""The view's clock: it holds a warehouse back, and lets it go."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest

from fleetmix.view.moment import EndedError, Onlooker
from policies.evaluate import run_episode
from policies.fleet_policies import AlwaysGo
from sim.env import WarehouseEnv
from sim.scene import SceneConfig


@pytest.fixture
def watch() -> Iterator[Onlooker]:
    """Looks on while two robots drive in a thread."""
    env = WarehouseEnv(SceneConfig(layout="crossing", robots=2, right_of_way="plans", time_limit=600.0))
    onlooker = Onlooker(env.warehouse)

    def drive() -> None:
        with suppress(EndedError):
            run_episode(env, AlwaysGo("plans"), 3)

    thread = threading.Thread(target=drive)
    thread.start()
    end = time.monotonic() + 300  # a busy machine compiles for long
    while onlooker.moment is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    yield onlooker
    onlooker.end()
    thread.join(10)
    assert not thread.is_alive()
    env.close()


def seconds(watch: Onlooker) -> float:
    assert watch.moment is not None
    return watch.moment.time


def test_time_passes_as_fast_as_asked_for(watch: Onlooker) -> None:
    for speed in (1.0, 4.0):
        watch.speed = speed
        time.sleep(0.2)
        began, then = seconds(watch), time.monotonic()
        time.sleep(1.5)
        passed = (seconds(watch) - began) / (time.monotonic() - then)
        assert passed <= 1.2 * speed
        assert passed > 0.3 * speed  # a busy machine is slower


def test_while_time_is_held_a_step_is_one_control_period(watch: Onlooker) -> None:
    watch.run(False)
    time.sleep(0.3)
    held = seconds(watch)
    time.sleep(0.3)
    assert seconds(watch) == held
    for count in (1, 2):
        watch.step()
        time.sleep(0.3)
        assert seconds(watch) == pytest.approx(held + 0.1 * count)


def test_a_moment_is_what_the_warehouse_was(watch: Onlooker) -> None:
    watch.run(False)
    time.sleep(0.3)
    moment = watch.moment
    assert moment is not None
    assert moment.choices == ["go", "go"]
    assert all(len(claims) >= 1 for claims in moment.claims)
    for pose, claims in zip(moment.poses, moment.claims, strict=True):
        assert int(pose[1]) * 7 + int(pose[0]) in claims  # crossing is 7 m wide
    assert all(way[-1] == tuple(goal) for way, goal in zip(moment.ways, moment.goals.tolist(), strict=True))
    assert moment.lidar.shape == (2, 24)
    assert np.isfinite(moment.poses).all()
