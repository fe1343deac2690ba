"""The live page, in a real browser and without one."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

import fleetmix.view.command as command
from fleetmix.view.moment import EndedError, Onlooker
from fleetmix.view.run import View
from fleetmix.view.stage import bars
from policies.evaluate import run_episode
from policies.fleet_policies import AlwaysGo
from sim.env import WarehouseEnv
from sim.scene import SceneConfig
from tests.fleetmix.conftest import fail
from tests.fleetmix.pages.browser import NEEDS_BROWSER, open_page


@contextmanager
def shown(robots: int, layout: str, draw: bool = True) -> Iterator[tuple[View, Onlooker]]:
    """A view of robots that drive, drawn ten times a second."""
    env = WarehouseEnv(SceneConfig(layout=layout, robots=robots, right_of_way="plans", time_limit=600.0))
    watch = Onlooker(env.warehouse)
    view = View(env.scene, env.layout, watch, "fleetmix: test", port=free_port())
    ended = threading.Event()

    def drive() -> None:
        with suppress(EndedError):
            run_episode(env, AlwaysGo("plans"), 3)

    def picture() -> None:
        while not ended.wait(0.1):
            view.draw()

    threads = [threading.Thread(target=work) for work in ([drive, picture] if draw else [drive])]
    for thread in threads:
        thread.start()
    try:
        end = time.monotonic() + 300  # a busy machine compiles for long
        while watch.moment is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        yield view, watch
    finally:
        ended.set()
        watch.end()
        for thread in threads:
            thread.join()
        view.close()
        env.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@NEEDS_BROWSER
@pytest.mark.slow
def test_the_page_shows_a_fleet_and_its_buttons_work() -> None:
    with shown(2, "crossing") as (view, watch), open_page(f"http://localhost:{view.port}", 700, 450) as (page, seen):
        page.get_by_text("delivered").wait_for(timeout=60_000)
        page.get_by_role("button", name="Pause").click(timeout=60_000)
        page.get_by_role("button", name="Play").wait_for(timeout=60_000)
        time.sleep(0.5)
        assert watch.moment is not None
        held = watch.moment.time
        page.get_by_role("button", name="Step").click(timeout=60_000)
        end = time.monotonic() + 10
        while watch.moment.time == held:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert watch.moment.time == pytest.approx(held + 0.1)
        page.get_by_text(f"{watch.moment.time:.1f} s").wait_for(timeout=60_000)
        page.get_by_role("button", name="Play").click(timeout=60_000)
        time.sleep(1)
        assert watch.moment.time > held + 0.2
    assert not seen.errors
    assert not seen.outside


@pytest.mark.slow
def test_32_robots_are_drawn_ten_times_a_second_and_more() -> None:
    with shown(32, "depot", draw=False) as (view, watch):
        view.draw()
        watch.run(False)
        began = time.thread_time()
        for _ in range(20):
            view.draw()
        took = (time.thread_time() - began) / 20
    print(f"{1e3 * took:.1f} ms a picture")
    assert took < 0.1


def test_a_port_that_is_taken_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(command, "run_view", lambda view, *_: view.close())
        command.view_simulated(None, "always-go", "crossing", None, "velocity", "127.0.0.1", port, said.append)
    assert said[0] == f"port {port} is in use"
    assert "http://localhost:" in said[1]


def test_it_is_served_to_this_machine_alone() -> None:
    with shown(2, "crossing", draw=False) as (view, _):
        assert view.server.get_host() == "127.0.0.1"


def test_bars_mark_what_was_taken() -> None:
    text = bars(["stop", "go"], [0.5, 1.5], "stop")
    assert text.index("font-weight:700") < text.index(">stop<") < text.index("font-weight:400") < text.index(">go<")
    assert "width:8%" in text
    assert "width:100%" in text


def test_mistakes_are_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "1 to 65535" in fail(["view", "--port", "0"], capsys)
    assert "neither a shipped one" in fail(["view", "--scene", "nowhere"], capsys)
    assert "nowhere" in fail(["view", "nowhere"], capsys)
