"""The warehouse as a PettingZoo environment: every robot decides on a maneuver from its own observation.

One `step` is one decision (0.4 s): the controller turns each maneuver and the robot's own sensors into (v, w) every
0.1 s, Bullet moves the robots, and the sensors are read again. Orders never end; an episode is truncated at the time
limit.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.utils import EzPickle
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from sim.controller import control_all, controller_offsets
from sim.errors import InputError
from sim.layout import Layout
from sim.limits import pack_limits
from sim.observation import MANEUVERS, observation_spec, state_spec
from sim.orders import OrderType, PickAndDeliver
from sim.scene import DriveModel, RewardConfig, RobotConfig, SceneConfig, open_scene, robot_names
from sim.vector_spec import VectorSpec
from sim.warehouse import Warehouse

Controller = Callable[[NDArray[np.int64], NDArray[np.float32], NDArray[np.float64]], None]
"""Turns maneuvers [robots] and observations [robots, size] into commands, written [robots, 2]: speed, turn rate."""


class WarehouseEnv(ParallelEnv[str, NDArray[np.float32], int], EzPickle):
    """A fleet of robots with an endless stream of orders.

    A copy, also one in another process, is built anew from the same arguments: it has the same map, and begins with a
    reset. At the end of a `with` block it is closed.

    Args:
        scene: a shipped scene's name, a map file, or the settings of a scene.
        robots: how many; by default as many as the map asks for (or as the settings say).
        drive: the drive model; by default what the settings say, else `velocity`.
        layout: the map, where the settings should not load it by its name.
        render_mode: `rgb_array` or None.
        controller: replaces the built-in controller, for example by the exported one.
        orders: the order type.

    Raises:
        InputError: no such scene, a map or a setting that is not valid, or more robots than free cells; and by every
            method that needs an episode, before `reset` and after `close`.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "name": "warehouse_v0",
        "render_modes": ["rgb_array"],
        "render_fps": 2.5,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        scene: str | Path | SceneConfig = "small",
        robots: int | None = None,
        *,
        drive: DriveModel | None = None,
        layout: Layout | None = None,
        render_mode: str | None = None,
        controller: Controller | None = None,
        orders: OrderType = PickAndDeliver,
        **elsewhere: object,
    ) -> None:
        for name in elsewhere:
            raise InputError(f"WarehouseEnv has no argument {name!r}; {_place_of(name)}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise InputError(f"render_mode is {render_mode!r}; valid is None or 'rgb_array'")
        self.scene, self.layout = open_scene(scene, robots, drive, layout)
        built = {"render_mode": render_mode, "controller": controller, "orders": orders}
        EzPickle.__init__(self, self.scene, layout=self.layout, **built)
        self.render_mode = render_mode
        n, robot = self.scene.robots, self.scene.robot
        self.possible_agents = robot_names(n)
        self.agents: list[str] = []
        self.observation_spec = observation_spec(robot)
        self.state_spec = state_spec(robot, n, self.layout.columns, self.layout.rows)
        self.state_space = _box(self.state_spec)
        self._observation_spaces = {agent: _box(self.observation_spec) for agent in self.possible_agents}
        self._action_spaces = {agent: Discrete(len(MANEUVERS)) for agent in self.possible_agents}
        self._warehouse = Warehouse(self.scene, self.layout, orders)
        self._controller = controller or self._built_in_controller()
        self._commands = np.zeros((n, 2))
        self._ticks, self._decisions = self.scene.ticks, self.scene.decisions
        self._decision = 0
        self._began = self._closed = False
        self._seeds = np.random.default_rng()

    def _built_in_controller(self) -> Controller:
        offsets = controller_offsets(self.observation_spec)
        limits = pack_limits(self.scene.robot, self.scene.control_period)
        return lambda maneuvers, observations, commands: control_all(maneuvers, observations, offsets, limits, commands)

    def observation_space(self, agent: str) -> Box:
        """Return the bounds of the flat observation, as `observation_spec` describes it."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> Discrete:
        """Return the maneuvers, in the order of `MANEUVERS`."""
        return self._action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, dict[str, Any]]]:
        """Start an episode: robots at rest on distinct random cells, each with its first order.

        Args:
            seed: fixes the episode; without one, the next of a stream that the last given seed began.
            options: `first_robot` (default 0): the robots take the starts and orders that this and the following robots
                of a larger fleet would have, so that one robot can be run as if the others were not there.

        Raises:
            InputError: there is no such first robot, the seed is negative, or the environment was closed.
        """
        if self._closed:
            self._require_episode("reset")
        episode = int(self._seeds.integers(2**63)) if seed is None else seed
        self._warehouse.reset(episode, (options or {}).get("first_robot", 0))
        if seed is not None:
            self._seeds = np.random.default_rng(seed)
        self._decision, self._began = 0, True
        self.agents = list(self.possible_agents)
        return self._observe(), self._infos()

    def step(
        self, actions: Mapping[str, int]
    ) -> tuple[
        dict[str, NDArray[np.float32]],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Let every robot follow its maneuver for one decision period.

        Raises:
            InputError: the episode has ended, a robot has no action, or an action is no maneuver.
        """
        warehouse, sensors = self._warehouse, self._warehouse.sensors
        sensors.maneuvers[:] = self._read(actions)
        warehouse.begin_decision()
        for _ in range(self._ticks):
            self._controller(sensors.maneuvers, sensors.observations, self._commands)
            warehouse.tick(self._commands)
        reward = warehouse.end_decision()
        self._decision += 1
        done = self._decision >= self._decisions
        agents = self.agents
        self.agents = [] if done else agents
        return (
            self._observe(),
            dict.fromkeys(agents, reward),
            dict.fromkeys(agents, False),
            dict.fromkeys(agents, done),
            self._infos(),
        )

    def _read(self, actions: Mapping[str, int]) -> list[int]:
        if not self.agents:
            self._require_episode("step")
            raise InputError("step was called after the end of the episode; call reset first")
        chosen = []
        for agent in self.agents:
            action = actions.get(agent)
            if isinstance(action, np.ndarray) and action.size == 1:
                action = action.item()
            if action is None or isinstance(action, np.ndarray) or action not in _ACTIONS:
                given = " ".join(repr(action).split())
                raise InputError(f"the action of {agent} is {given}; valid is 0 to {len(MANEUVERS) - 1}")
            chosen.append(action)
        return chosen

    def _require_episode(self, call: str) -> None:
        if self._closed:
            raise InputError(f"{call} was called after close; valid is a new WarehouseEnv")
        if not self._began:
            raise InputError(f"{call} was called before reset; call reset first")

    def _observe(self) -> dict[str, NDArray[np.float32]]:
        return dict(zip(self.possible_agents, self._warehouse.sensors.observations.copy(), strict=True))

    def _infos(self) -> dict[str, dict[str, Any]]:
        return dict(zip(self.possible_agents, self._warehouse.infos(), strict=True))

    def state(self) -> NDArray[np.float32]:
        """Return the global state [state_spec.size], for the learner alone."""
        self._require_episode("state")
        return self._warehouse.sensors.state(self._decision / self._decisions)

    def render(self) -> NDArray[np.uint8] | None:
        """Return a picture [height, width, 3], where `render_mode` is `rgb_array`."""
        self._require_episode("render")
        return None if self.render_mode is None else self._warehouse.render()

    @property
    def warehouse(self) -> Warehouse:
        """The running warehouse, for those who look on (`Warehouse.watch`)."""
        return self._warehouse

    def close(self) -> None:
        """End the simulation; calling it again does nothing."""
        self._closed, self.agents = True, []
        self._warehouse.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_ACTIONS = range(len(MANEUVERS))


def _place_of(name: str) -> str:
    """Return where a setting belongs that somebody looked for among the arguments of `WarehouseEnv`."""
    nested = (("robot", RobotConfig), ("reward", RewardConfig))
    if name in {field.name for field in fields(SceneConfig)}:
        return f"valid is WarehouseEnv(SceneConfig({name}=...)), from sim.scene"
    for part, kind in nested:
        if name in {field.name for field in fields(kind)}:
            return f"valid is WarehouseEnv(SceneConfig({part}={kind.__name__}({name}=...))), from sim.scene"
    return "valid are scene, robots, drive, layout, render_mode, controller, orders; see SceneConfig for all settings"


def _box(spec: VectorSpec) -> Box:
    return Box(spec.low, spec.high, dtype=np.float32)
