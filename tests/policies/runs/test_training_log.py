import pytest

from policies.environments import EnvSource
from policies.episode import Episode
from policies.runs.training_log import episode_metrics
from sim.scene import SceneConfig


def test_metrics_are_per_robot_hour():
    source = EnvSource(SceneConfig(robots=4))
    totals = {"deliveries": 10.0, "robot_contacts": 2.0, "rack_contacts": 0.0}
    episodes = [Episode(1.0, 150, totals), Episode(2.0, 150, {**totals, "deliveries": 14.0})]
    # 2 episodes x 60 s x 4 robots are 2 / 15 robot-hours; 24 deliveries in them are 180 an hour.
    metrics = episode_metrics(episodes, source, 240.0)
    assert metrics == pytest.approx(
        {"return": 1.5, "length": 150, "throughput": 180, "efficiency": 0.75, "robot_contacts": 30, "rack_contacts": 0}
    )
