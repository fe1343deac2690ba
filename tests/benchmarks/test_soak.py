"""A minute of what `benchmarks.soak` does for half an hour."""

from pathlib import Path

import pytest

from benchmarks.faults import FaultConfig
from benchmarks.soak import Soak, SoakConfig, SoakError
from sim.scene import SceneConfig

SMALL = SceneConfig(robots=3)


@pytest.mark.slow
def test_a_minute_of_kills_pauses_and_bad_messages(always_go: Path) -> None:
    faults = FaultConfig(lost=0.03, doubled=0.03, delayed=0.03, kill_every=4, pause_every=8, stop_every=20)
    config = SoakConfig(always_go, minutes=1.0, robots=3, scene="small", seed=3, faults=faults)
    report = Soak(config).run()
    assert report.seconds >= 60
    assert all(report.events[name] > 0 for name in ("killed", "paused", "stopped", "lost", "doubled", "delayed"))
    assert report.reasons["silent"] > 20
    assert report.dropped["doubled"] > 5
    assert report.deliveries >= 1
    assert 0 < report.oldest < 0.3


@pytest.mark.slow
@pytest.mark.parametrize(("growth", "lost", "said"), [(-1000.0, 0.0, "the memory of"), (8.0, 1.0, "0 deliveries in")])
def test_it_ends_where_something_does_not_hold(always_go: Path, growth: float, lost: float, said: str) -> None:
    faults = FaultConfig(lost=lost, kill_every=1e9, pause_every=1e9)
    config = SoakConfig(always_go, minutes=0.25, robots=2, faults=faults, growth=growth)
    with pytest.raises(SoakError, match=said):
        Soak(config).run()
