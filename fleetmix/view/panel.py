"""The controls and numbers beside the picture."""

from collections.abc import Callable

import viser

from fleetmix.view.moment import Moment, Onlooker
from fleetmix.view.stage import bars
from sim.observation import MANEUVERS
from sim.scene import SceneConfig, robot_names

STANDING = 0.05
"""Slower than this a robot waits [m/s]."""


class Panel:
    """Play, pause, step, speed, whom to follow, and what the fleet has done.

    Args:
        server: where.
        scene: the fleet.
        watch: lets time pass.
        title: what drives.
        dark: told when the page shall be dark or light.
    """

    def __init__(
        self, server: viser.ViserServer, scene: SceneConfig, watch: Onlooker, title: str, dark: Callable[[bool], None]
    ) -> None:
        self._scene, self._watch = scene, watch
        gui, names = server.gui, robot_names(scene.robots)
        gui.set_panel_label(title)
        self.top_view = False
        """Asked for, once."""
        self._running = True
        self._play = gui.add_button("Pause")
        self._play.on_click(lambda _: self._toggle())
        gui.add_button("Step").on_click(lambda _: watch.step())
        speed = gui.add_slider("Speed", 0.25, 16.0, 0.25, 1.0)
        speed.on_update(lambda _: setattr(watch, "speed", speed.value))
        self._robot = gui.add_dropdown("Robot", names)
        self._follow = gui.add_checkbox("Follow", False)
        gui.add_button("Top view").on_click(lambda _: setattr(self, "top_view", True))
        night = gui.add_checkbox("Dark", False)
        night.on_update(lambda _: dark(night.value))
        self._numbers, self._chosen, self._bars = gui.add_markdown(""), gui.add_markdown(""), gui.add_html("")

    def _toggle(self) -> None:
        self._running = not self._running
        self._watch.run(self._running)
        self._play.label = "Pause" if self._running else "Play"

    @property
    def chosen(self) -> int:
        """The number of the chosen robot."""
        return int(self._robot.value.rpartition("_")[2])

    @property
    def follows(self) -> bool:
        """Whether the camera follows it."""
        return bool(self._follow.value)

    def show(self, moment: Moment) -> None:
        """Write the numbers of a moment."""
        counts, hours = moment.counts, max(moment.time, 0.1) * self._scene.robots / 3600
        waiting = int((abs(moment.velocities[:, 0]) < STANDING).sum())
        contacts = counts.get("robot_contacts", 0) + counts.get("rack_contacts", 0)
        self._numbers.content = (
            f"**{moment.time:.1f} s** of episode {moment.episode}\n\n"
            f"{counts.get('deliveries', 0)} delivered, {counts.get('deliveries', 0) / hours:.0f} per robot-hour\n\n"
            f"{contacts} contacts, {waiting} of {self._scene.robots} waiting"
        )
        i = self.chosen
        state = f", {moment.states[i]}" if moment.states else ""
        x, y = moment.goals[i].tolist()
        where = "station" if moment.carrying[i] else "pick cell"
        choice = moment.choices[i]
        self._chosen.content = f"**robot_{i}**: {choice}, to {where} ({int(x)}, {int(y)}){state}"
        if moment.q_values is not None and len(moment.q_values) > i:
            names = [name.replace("_", " ") for name in MANEUVERS]
            self._bars.content = bars(names, moment.q_values[i].tolist(), choice)
