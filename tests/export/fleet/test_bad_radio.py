"""Whatever goes wrong by radio costs time, not contacts: real processes, in lock-step (`benchmarks.radio`)."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.radio import FAULTY, ROWS, FaultyFleet, always_go, measure
from export.fleet.processes import RobotProcesses, free_endpoint
from export.protocol import transport
from policies.episode import Episode
from sim.scene import open_scene, robot_names

pytestmark = pytest.mark.slow
SMALL, LAYOUT = open_scene("small", 4)
SCENE = replace(SMALL, right_of_way="plans", time_limit=40.0)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return always_go(SCENE, LAYOUT, tmp_path_factory.mktemp("go"))


def contacts(episode: Episode) -> float:
    return episode.totals["robot_contacts"] + episode.totals["rack_contacts"]


@pytest.mark.parametrize(
    ("row", "least"),
    [
        ("20% lost", 6),
        ("up to 0.3 s late", 6),
        ("20% lost, up to 0.3 s late", 6),
        ("one dies", 3),
        ("one without radio", 1),
        ("one lies", 1),
    ],
)
def test_it_costs_time_and_no_contact(bundle: Path, row: str, least: int) -> None:
    """Of ten deliveries or so with a sound radio."""
    (episode,) = measure(SCENE, LAYOUT, bundle, ROWS[row], range(1000, 1001))
    assert contacts(episode) == 0
    assert episode.totals["deliveries"] >= least


def test_a_robot_that_leaves_and_comes_back_claims_anew_and_delivers(bundle: Path) -> None:
    endpoint, names = free_endpoint(), robot_names(SCENE.robots)
    with (
        transport.open_session(listen=endpoint) as session,
        FaultyFleet(SCENE, LAYOUT, session, timed=False) as fleet,
        RobotProcesses(bundle, names, endpoint, "--lock-step", "--robots", "4") as processes,
    ):
        fleet.wait_for_robots(30.0, processes.require_running)
        fleet.begin(1000)
        touched = 0

        def pass_time(seconds: float) -> None:
            nonlocal touched
            for _ in range(round(seconds / SCENE.decision_period)):
                fleet.decide()
                touched += int(fleet.warehouse.touching.any())

        pass_time(5.0)
        processes.kill(FAULTY)
        pass_time(5.0)
        assert not fleet.bases[0].present
        assert fleet._broadcasts()[0] is None
        before = fleet.warehouse.infos()
        processes.start(FAULTY)
        while FAULTY not in fleet.connected():
            processes.require_running()
        fleet.bases[0].arrived()
        pass_time(30.0)
        after = fleet.warehouse.infos()
    assert after[0]["distance"] > before[0]["distance"] + 5.0
    assert after[0]["deliveries"] + after[0]["picks"] > before[0]["deliveries"] + before[0]["picks"]
    assert touched == 0
