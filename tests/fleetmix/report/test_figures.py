import numpy as np
import pytest

from fleetmix.report.figures import worst_minute, worth_having
from tests.fleetmix.replay.scenes import every_decision, recording, standing


def rows(*throughputs: tuple[int, float]) -> list[dict[str, object]]:
    return [{"scene": "small", "policy": "pibt", "robots": n, "throughput": t} for n, t in throughputs]


def test_robots_are_worth_having_while_each_adds_half_of_what_one_alone_brings() -> None:
    # 4 x 100 = 400, 8 x 90 = 720: each of four adds 80; 16 x 50 = 800: each of eight adds 10.
    (told,) = worth_having(rows((4, 100.0), (8, 90.0), (16, 50.0)))
    assert told == (
        "small, pibt: up to 8 robots are worth having; beyond, each adds 10 (one of 4 brings 100 deliveries an hour)"
    )


def test_without_a_knee_the_largest_fleet_is_named() -> None:
    (told,) = worth_having(rows((4, 100.0), (8, 95.0)))
    assert "up to 8 robots are worth having, the most that was measured" in told


def test_one_size_says_nothing() -> None:
    assert worth_having(rows((4, 100.0))) == []


def test_the_worst_minute_is_the_one_in_which_robots_stand() -> None:
    poses = standing(3000, (0.5, 3.5))
    moves = np.concatenate([np.full(1000, 0.1), np.zeros(1000), np.full(1000, 0.1)])
    poses[:, 0, 0] += np.cumsum(moves)
    record = worst_minute(recording(poses, every_decision(3000, {})))
    assert len(record.times) == 600
    assert 99 <= record.times[0] <= record.times[-1] <= 200
    assert record.decisions[0]["time"] == pytest.approx(record.times[0], abs=0.41)
    assert record.decisions[-1]["time"] <= record.times[-1]
    assert len(record.plans) == 1  # the way that counted before


def test_a_short_recording_is_its_own_worst_minute() -> None:
    assert len(worst_minute(recording(standing(50, (0.5, 3.5)), every_decision(50, {}))).times) == 50
