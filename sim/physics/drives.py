"""The two drive models: how a robot's commanded speed and turn rate become motion.

`VelocityDrive` is fast, for training; `WheelDrive` has wheels, motors and a floor, to show what that leaves out. Both
hold the acceleration limits, so they go, turn and brake alike on a free floor.
"""

import math
from collections import deque
from collections.abc import Iterator
from itertools import repeat
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.kernels import kernel
from sim.palette import colour
from sim.physics import urdf
from sim.scene import SceneConfig


class Drive(Protocol):
    """The interface of a drive model.

    `bodies` are Bullet's numbers of the robots, one after the other; `height` is where their origin belongs [m];
    `velocities` [robots, 2] are the speed along the heading [m/s] and the turn rate [rad/s], updated in place.
    """

    bodies: list[int]
    height: float
    velocities: NDArray[np.float64]

    def push(self, commands: NDArray[np.float64], poses: NDArray[np.float64]) -> Iterator[None]:
        """Act on `commands` [robots, 2] for one control period, yielding each time that the physics has to run."""

    def read(self, poses: NDArray[np.float64]) -> None:
        """Write where the robots are after the period: x, y [m], heading in (-pi, pi], [robots, 3]."""

    def report(self, poses: NDArray[np.float64], near: set[int]) -> None:
        """Update `velocities` after the period; `near` are the robots that Bullet has contact points for."""

    def stop(self) -> None:
        """Forget all motion."""


class VelocityDrive:
    """A rigid disc in the plane, without gravity or friction, whose velocity is set once a control period.

    The disc is an upright capsule: Bullet solves it exactly (no margin, contact normals in the plane) and faster than a
    cylinder. A mass without inertia is one that no contact can turn or tip.
    """

    def __init__(self, bullet: ModuleType, client: int, scene: SceneConfig) -> None:
        robot = scene.robot
        self._bullet = bullet
        self._client = client
        period = scene.control_period
        # In the order of `_plan`.
        self._limits = (
            period,
            robot.max_speed,
            robot.max_turn_rate,
            robot.max_acceleration * period,
            robot.max_turn_acceleration * period,
        )
        bullet.setPhysicsEngineParameter(
            fixedTimeStep=period,
            # 40 Hz or more. A power of two divides the period without rounding, so no substep is lost or carried over.
            numSubSteps=2 ** max(0, math.ceil(math.log2(40 * period) - 1e-9)),
            # Times the size of a shape: contacts are seen a few cm ahead, and robots stop at each other's skin where
            # the default, 0.02, lets them sink in by 4 cm at full speed.
            contactBreakingThreshold=0.2,
            physicsClientId=client,
        )
        self.height = urdf.WALL_HEIGHT / 2
        self.velocities = np.zeros((scene.robots, 2))
        self._twists = np.zeros((2, scene.robots, 3))
        self._set_velocities: list[list[float]] = []
        self.bodies = self._build_discs(scene)

    def _build_discs(self, scene: SceneConfig) -> list[int]:
        bullet, client, robot = self._bullet, self._client, scene.robot
        shape = bullet.createCollisionShape(
            bullet.GEOM_CAPSULE, radius=robot.radius, height=robot.height, physicsClientId=client
        )
        bodies = [
            bullet.createMultiBody(robot.mass, shape, useMaximalCoordinates=1, physicsClientId=client)
            for _ in range(scene.robots)
        ]
        for body in bodies:
            bullet.changeDynamics(
                body,
                -1,
                mass=robot.mass,  # set again: Bullet takes it for 0 where an inertia comes without it
                localInertiaDiagonal=[0, 0, 0],
                linearDamping=0,
                angularDamping=0,
                lateralFriction=0,
                activationState=bullet.ACTIVATION_STATE_DISABLE_SLEEPING,
                physicsClientId=client,
            )
        return bodies

    def stop(self) -> None:
        """Forget the velocities."""
        self.velocities.fill(0.0)

    def push(self, commands: NDArray[np.float64], poses: NDArray[np.float64]) -> Iterator[None]:
        """Set each body's velocity, then let the physics run once."""
        client, move = self._client, self._bullet.resetBaseVelocity
        _plan(np.asarray(commands, np.float64), poses, self.velocities, self._limits, self._twists)
        self._set_velocities, turns = self._twists.tolist()
        # A loop over all bodies that runs in C: only the calls themselves take time.
        deque(map(move, self.bodies, self._set_velocities, turns, repeat(client)), maxlen=0)
        yield

    def read(self, poses: NDArray[np.float64]) -> None:
        """Ask for the middle of each disc's bounding box, three times as fast as for its pose.

        Nothing but `push` turns a disc, so the heading is known.
        """
        client, box, place = self._client, self._bullet.getAABB, poses.data.cast("B").cast("d")
        for at, body in enumerate(self.bodies):
            (x0, y0, _), (x1, y1, _) = box(body, -1, client)
            place[3 * at], place[3 * at + 1] = 0.5 * (x0 + x1), 0.5 * (y0 + y1)

    def report(self, poses: NDArray[np.float64], near: set[int]) -> None:
        """Correct the speed of robots that a contact slowed down or pushed along."""
        for index in near:
            x, y, _ = self._bullet.getBaseVelocity(self.bodies[index], self._client)[0]
            set_x, set_y, _ = self._set_velocities[index]
            if x == set_x and y == set_y:
                continue
            cos, sin = math.cos(poses[index, 2]), math.sin(poses[index, 2])
            intended, happened = set_x * cos + set_y * sin, x * cos + y * sin
            share = happened / intended if intended else -1.0
            self.velocities[index, 0] = self.velocities[index, 0] * share if 0.0 <= share <= 1.0 else happened


class WheelDrive:
    """The wheeled robot of `urdf.robot_urdf` on a floor: motors turn the wheels, friction does the rest."""

    def __init__(self, bullet: ModuleType, client: int, scene: SceneConfig) -> None:
        self._bullet, self._client, self._robot = bullet, client, scene.robot
        self._ramps = math.ceil(60 * scene.control_period - 1e-9)
        self._period = scene.control_period / self._ramps
        bullet.setPhysicsEngineParameter(
            fixedTimeStep=self._period,
            numSubSteps=4,  # 240 Hz or more
            physicsClientId=client,
        )
        self.height = urdf.wheel_radius(scene.robot)
        self.velocities = np.zeros((scene.robots, 2))
        self._targets = np.zeros((scene.robots, 2))
        bullet.setGravity(0, 0, -9.81, physicsClientId=client)
        floor = bullet.createCollisionShape(bullet.GEOM_PLANE, physicsClientId=client)
        bullet.changeDynamics(
            bullet.createMultiBody(0, floor, physicsClientId=client), -1, lateralFriction=1, physicsClientId=client
        )
        text = urdf.robot_urdf(scene.robot, colour(0))
        flags = bullet.URDF_USE_INERTIA_FROM_FILE
        self.bodies = [urdf.load(bullet, client, text, flags=flags) for _ in range(scene.robots)]
        for body in self.bodies:
            bullet.changeDynamics(
                body,
                -1,
                lateralFriction=0,
                linearDamping=0,
                angularDamping=0,
                activationState=bullet.ACTIVATION_STATE_DISABLE_SLEEPING,
                physicsClientId=client,
            )
            for link in (0, 1):  # friction alone: with a damping in the same call Bullet changes the base instead
                bullet.changeDynamics(body, link, lateralFriction=1, physicsClientId=client)

    def stop(self) -> None:
        """Forget the velocities and the targets."""
        self.velocities.fill(0.0)
        self._targets.fill(0.0)

    def push(self, commands: NDArray[np.float64], poses: NDArray[np.float64]) -> Iterator[None]:
        """Ramp the wheels' target speeds towards the commands, four physics steps at a time."""
        bullet, robot, client, targets = self._bullet, self._robot, self._client, self._targets
        limits = np.array((robot.max_speed, robot.max_turn_rate))
        step = np.array((robot.max_acceleration, robot.max_turn_acceleration)) * self._period
        goal = np.clip(commands, -limits, limits)
        radius, half, torque = self.height, urdf.wheel_separation(robot) / 2, urdf.wheel_torque(robot)
        for _ in range(self._ramps):
            targets += np.clip(goal - targets, -step, step)
            for body, (speed, turn) in zip(self.bodies, targets.tolist(), strict=True):
                bullet.setJointMotorControlArray(
                    body,
                    (0, 1),
                    bullet.VELOCITY_CONTROL,
                    targetVelocities=((speed - turn * half) / radius, (speed + turn * half) / radius),
                    forces=(torque, torque),
                    physicsClientId=client,
                )
            yield

    def read(self, poses: NDArray[np.float64]) -> None:
        """Ask for each pose."""
        rows = []
        for body in self.bodies:
            (x, y, _), (_, _, s, c) = self._bullet.getBasePositionAndOrientation(body, self._client)
            heading = math.atan2(2.0 * s * c, c * c - s * s)
            rows.append((x, y, heading if heading > -math.pi else math.pi))
        poses[:] = rows

    def report(self, poses: NDArray[np.float64], near: set[int]) -> None:
        """Read how the bodies move; robots in contact ramp from what they really do, not from their targets."""
        for index, (body, heading) in enumerate(zip(self.bodies, poses[:, 2].tolist(), strict=True)):
            (x, y, _), (_, _, turn) = self._bullet.getBaseVelocity(body, self._client)
            self.velocities[index] = x * math.cos(heading) + y * math.sin(heading), turn
        for index in near:
            self._targets[index] = self.velocities[index]


@kernel
def _plan(
    commands: NDArray[np.float64],
    poses: NDArray[np.float64],
    velocities: NDArray[np.float64],
    limits: tuple[float, float, float, float, float],
    twists: NDArray[np.float64],
) -> None:
    """Ramp `velocities` towards `commands`, turn `poses`, write the constant `twists` that end alike.

    Speed and turn rate change linearly over the period; the displacement is the integral of v(t) (cos h(t), sin h(t)),
    by Gauss's two points, whose error is below a micrometre here. `limits` are the period, the largest speed and turn
    rate, and by how much they can change in a period; `twists` the velocities and turn rates of bodies in space
    [2, robots, 3], zero where a body in the plane cannot move.
    """
    period, v_max, w_max, v_step, w_step = limits
    for i in range(len(commands)):
        v0, w0 = velocities[i]
        v = min(max(min(max(commands[i, 0], -v_max), v_max), v0 - v_step), v0 + v_step)
        w = min(max(min(max(commands[i, 1], -w_max), w_max), w0 - w_step), w0 + w_step)
        x = y = 0.0
        for s in (0.5 - math.sqrt(3) / 6, 0.5 + math.sqrt(3) / 6):
            heading = poses[i, 2] + period * s * (w0 + (w - w0) * s / 2)
            speed = v0 + (v - v0) * s
            x += speed * math.cos(heading) / 2
            y += speed * math.sin(heading) / 2
        twists[0, i, 0], twists[0, i, 1], twists[1, i, 2] = x, y, (w0 + w) / 2
        velocities[i, 0], velocities[i, 1] = v, w
        poses[i, 2] = math.pi - (math.pi - poses[i, 2] - period * (w0 + w) / 2) % (2 * math.pi)
