"""Runs a view: a thread drives the fleet, this one draws what it sees of it."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import viser

from fleetmix.view.moment import EndedError, Onlooker
from fleetmix.view.panel import Panel
from fleetmix.view.stage import Stage
from sim.interrupt import Interrupt
from sim.layout import Layout
from sim.scene import SceneConfig

RATE = 20.0
"""Pictures a second, at most."""


class View:
    """A page with a fleet on it.

    Args:
        scene: the fleet.
        layout: its map.
        watch: looks on.
        title: what drives.
        host: whom the page is served to; this machine alone by default.
        port: where; the next free one if it is taken.
    """

    def __init__(
        self, scene: SceneConfig, layout: Layout, watch: Onlooker, title: str, host: str = "127.0.0.1", port: int = 8080
    ) -> None:
        self.server = viser.ViserServer(host=host, port=port, verbose=False)
        self.port = self.server.get_port()
        """Where it is served."""
        self._watch, self._layout = watch, layout
        self._set_theme(False)
        self.server.gui.main_panel.dock_right()
        self.stage = Stage(self.server, scene, layout)
        self.panel = Panel(self.server, scene, watch, title, self._dark)
        self.pictures = 0
        """Drawn until now."""
        self._place_camera()
        self._last: tuple[float, float] | None = None

    def _set_theme(self, dark: bool) -> None:
        self.server.gui.configure_theme(dark_mode=dark, show_logo=False, show_share_button=False)

    def _dark(self, dark: bool) -> None:
        self._set_theme(dark)
        self.stage.dark(dark)

    def _place_camera(self) -> None:
        """Look from above and a bit from the south, so that no rack hides a robot."""
        columns, rows = self._layout.columns, self._layout.rows
        far = 0.95 * max(columns, 1.5 * rows)
        self.server.initial_camera.look_at = (columns / 2, rows / 2, 0.0)
        self.server.initial_camera.position = (columns / 2, rows / 2 - 0.35 * far, far)

    def draw(self) -> bool:
        """Draw the last moment; return whether there is one."""
        moment = self._watch.moment
        if moment is None:
            return False
        self.stage.show(moment, time.monotonic(), self.panel.chosen)
        self.panel.show(moment)
        self._move_cameras(*moment.poses[self.panel.chosen, :2].tolist())
        self.pictures += 1
        return True

    def _move_cameras(self, x: float, y: float) -> None:
        columns, rows = self._layout.columns, self._layout.rows
        for client in self.server.get_clients().values():
            if self.panel.top_view:
                client.camera.look_at = (columns / 2, rows / 2, 0.0)
                client.camera.position = (columns / 2, rows / 2 - 0.01, 1.15 * max(columns, 1.4 * rows))
            if self.panel.follows and self._last is not None:
                moved = (x - self._last[0], y - self._last[1], 0.0)
                client.camera.position = client.camera.position + moved
                client.camera.look_at = client.camera.look_at + moved
        self.panel.top_view = False
        self._last = x, y

    def close(self) -> None:
        """End the page."""
        self.server.stop()


def run_view(
    view: View,
    watch: Onlooker,
    drive: Callable[[], None],
    interrupt: Interrupt,
    more: Callable[[], None] = lambda: None,
) -> None:
    """Draw a fleet until Ctrl-C, or until its thread fails.

    Args:
        view: the page.
        watch: looks on.
        drive: drives the fleet; called in a thread, ended by `EndedError` out of the watch.
        interrupt: asked whether to end.
        more: called with each picture.
    """
    failed: list[BaseException] = []

    def driving() -> None:
        try:
            with suppress(EndedError):
                drive()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=driving, name="fleet")
    thread.start()
    try:
        while not interrupt.requested and thread.is_alive():
            began = time.monotonic()
            view.draw()
            more()
            time.sleep(max(0.0, began + 1 / RATE - time.monotonic()))
    finally:
        watch.end()
        thread.join()
        view.close()
    if failed:
        raise failed[0]


def tell_address(view: View, host: str, port: int, log: Callable[[str], None]) -> None:
    """Say where the page is, and where it isn't."""
    if view.port != port:
        log(f"port {port} is in use")
    log(f"open http://{'localhost' if host == '127.0.0.1' else host}:{view.port} in a browser; Ctrl-C ends it")
