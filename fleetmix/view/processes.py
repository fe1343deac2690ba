"""A view of robots that are each driven by a process: they can be stopped, released, killed and started again."""

import itertools
from collections.abc import Callable
from pathlib import Path

from export.fleet.onnx_policy import OnnxFleetPolicy
from export.fleet.processes import RobotProcesses, free_endpoint
from export.fleet.server import Fleet
from export.protocol import transport
from fleetmix.robot_commands import stop
from fleetmix.view.moment import EndedError, Onlooker
from fleetmix.view.run import View, run_view, tell_address
from policies.evaluate import choose_scene
from sim.errors import InputError
from sim.interrupt import Interrupt
from sim.scene import DriveModel, robot_names

_CONNECT_TIMEOUT = 60.0
"""How long processes may take to start and connect [s]."""


class ProcessControls:
    """The buttons that act on robots' processes.

    Args:
        view: the page.
        processes: the processes.
    """

    def __init__(self, view: View, processes: RobotProcesses) -> None:
        self._view, self._processes = view, processes
        gui = view.server.gui
        with gui.add_folder("Processes"):
            self._said = gui.add_markdown("")
            gui.add_button("Emergency stop of all", color="red").on_click(lambda _: self.stop_all())
            gui.add_button("Release all ...").on_click(lambda _: self._confirm("Release all robots", self.release_all))
            gui.add_button("Kill the robot's process ...").on_click(
                lambda _: self._confirm(f"Kill the process of {self.chosen}", self.kill)
            )
            gui.add_button("Start it again").on_click(lambda _: self.start())

    @property
    def chosen(self) -> str:
        """The name of the chosen robot."""
        return robot_names(self._view.panel.chosen + 1)[-1]

    def _confirm(self, question: str, act: Callable[[], None]) -> None:
        gui = self._view.server.gui
        modal = gui.add_modal(question)

        def confirmed() -> None:
            modal.close()
            act()

        with modal:
            gui.add_button(question, color="red").on_click(lambda _: confirmed())
            gui.add_button("Cancel").on_click(lambda _: modal.close())

    def stop_all(self) -> None:
        """Stop every robot at once; without a question."""
        self._tell(lambda: stop("all", False, self._processes.endpoint, None), "all robots are stopped")

    def release_all(self) -> None:
        """End all stops that hold."""
        self._tell(lambda: stop("all", True, self._processes.endpoint, None), "all robots are released")

    def kill(self) -> None:
        """End the chosen robot's process, as a crash would."""
        self._tell(lambda: self._processes.kill(self.chosen), f"the process of {self.chosen} is killed")

    def start(self) -> None:
        """Start the chosen robot's process again, if it has ended."""
        if self._processes.running[self.chosen].poll() is None:
            self._said.content = f"the process of {self.chosen} runs"
            return
        self._tell(lambda: self._processes.start(self.chosen), f"the process of {self.chosen} starts")

    def _tell(self, act: Callable[[], None], done: str) -> None:
        try:
            act()
        except InputError as error:
            self._said.content = f"**{error}**"
        else:
            self._said.content = done


def view_processes(
    bundle: Path,
    scene_name: str | None,
    robots: int | None,
    drive: DriveModel,
    host: str,
    port: int,
    log: Callable[[str], None],
) -> None:
    """Show a fleet whose robots are each driven by a process, in real time, until Ctrl-C.

    Args:
        bundle: what each process opens.
        scene_name: another scene than that of the training.
        robots: how many.
        drive: the drive model.
        host: whom the page is served to.
        port: where.
        log: told the address.

    Raises:
        InputError: there is no such bundle or scene, or a process refuses it.
    """
    scene, layout = choose_scene(*OnnxFleetPolicy(bundle, 1).trained_in(), scene_name, robots, drive)
    endpoint = free_endpoint()
    options = ["--robots", str(scene.robots), *(["--scene", scene_name] if scene_name else [])]
    with (
        Interrupt() as interrupt,
        transport.open_session(listen=endpoint) as session,
        Fleet(scene, layout, session, timed=True) as fleet,
        RobotProcesses(bundle, robot_names(scene.robots), endpoint, *options) as processes,
    ):
        watch = Onlooker(
            fleet.warehouse,
            states=lambda: [base.state for base in fleet.bases],
            chosen=lambda: [base.maneuver for base in fleet.bases],
            paced=False,
        )
        view = View(scene, layout, watch, "fleetmix: processes", host, port)
        ProcessControls(view, processes)
        tell_address(view, host, port, log)
        run_view(view, watch, lambda: _drive(fleet, processes, watch), interrupt)


def _drive(fleet: Fleet, processes: RobotProcesses, watch: Onlooker) -> None:
    """Play episodes; a process that ends meanwhile is what somebody looks at."""

    def poll() -> None:
        if watch.ended:
            raise EndedError
        processes.require_running()

    fleet.wait_for_robots(_CONNECT_TIMEOUT, poll)
    for seed in itertools.count():
        fleet.run_episode(seed)
