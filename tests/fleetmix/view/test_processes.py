"""The buttons of the live page that act on real processes, in a real browser, and what they do."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from export.fleet.server import Fleet
from export.graphs.bundle_writer import write_bundle
from fleetmix.view.moment import Onlooker
from fleetmix.view.processes import ProcessControls
from fleetmix.view.run import View
from tests.export.conftest import MLP, make_agent, make_metadata
from tests.export.fleet_bench import running
from tests.fleetmix.pages.browser import NEEDS_BROWSER, open_page
from tests.fleetmix.view.test_view import free_port


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two robots with shared parameters."""
    return write_bundle(make_agent(MLP), make_metadata(MLP), tmp_path_factory.mktemp("view") / "bundle", 2).path


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def states(fleet: Fleet) -> list[str]:
    return [base.state for base in fleet.bases]


@NEEDS_BROWSER
@pytest.mark.slow
def test_stop_release_and_kill_act_on_the_robots(bundle: Path) -> None:
    with running(bundle, timed=False, seconds=600.0) as (fleet, processes):
        watch = Onlooker(fleet.warehouse, states=lambda: states(fleet), paced=False)
        view = View(fleet.scene, fleet.warehouse.layout, watch, "fleetmix: test", port=free_port())
        ProcessControls(view, processes)
        ended = threading.Event()

        def drive() -> None:
            while not ended.is_set():
                fleet.decide()
                view.draw()
                time.sleep(0.1)

        thread = threading.Thread(target=drive)
        thread.start()
        try:
            until(lambda: states(fleet) == ["driven", "driven"])
            with open_page(f"http://localhost:{view.port}", 700, 700) as (page, seen):
                page.get_by_role("button", name="Emergency stop of all").click(timeout=60_000)
                until(lambda: states(fleet) == ["emergency_stop", "emergency_stop"])
                page.get_by_role("button", name="Release all ...").click(timeout=60_000)
                time.sleep(0.5)
                assert states(fleet) == ["emergency_stop", "emergency_stop"]  # it asks first
                page.get_by_role("button", name="Release all robots").click(timeout=60_000)
                until(lambda: states(fleet) == ["driven", "driven"])
                page.get_by_role("button", name="Kill the robot's process").click(timeout=60_000)
                page.get_by_role("button", name="Kill the process of robot_0").click(timeout=60_000)
                until(lambda: states(fleet) == ["no process", "driven"])
                page.get_by_role("button", name="Start it again").click(timeout=60_000)
                until(lambda: states(fleet) == ["driven", "driven"])
            assert not seen.errors
            assert not seen.outside
        finally:
            ended.set()
            thread.join()
            view.close()
