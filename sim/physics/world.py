"""The physics of the warehouse: commands in, poses, velocities and contacts out, all plain arrays.

A call of PyBullet costs about 1 us, a physics substep of a whole small fleet only 2 to 3 us: hence as few calls as
possible.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.physics import urdf
from sim.physics.bullet import connect, pybullet
from sim.physics.drives import Drive, VelocityDrive, WheelDrive
from sim.physics.renderer import Renderer
from sim.scene import SceneConfig

TOUCH_DISTANCE = 0.001  # [m]


class World:
    """A warehouse's racks and robots, one control period at a time.

    `poses` [robots, 3] are x, y [m] and heading in (-pi, pi]; `velocities` [robots, 2] the speed along the heading
    [m/s] and the turn rate [rad/s] that odometry would measure; `touching_robot` and `touching_rack` [robots] tell who
    touches another robot, a rack or a border wall at the end of the period; `touching` holds both. All are updated in
    place.
    """

    def __init__(self, racks: NDArray[np.float64], size: tuple[float, float], scene: SceneConfig) -> None:
        """Build the floor, its racks and its robots.

        Args:
            racks: [count, 4] rectangles x0, y0, x1, y1 [m].
            size: width and height of the floor [m]; four border walls stand outside it.
            scene: the fleet, its drive model and its control period.
        """
        self._racks, self._size, self._scene = racks, size, scene
        self._client = client = connect()
        self._building = urdf.load(
            pybullet, client, urdf.building_urdf(racks, size), useMaximalCoordinates=1, useFixedBase=1
        )
        pybullet.setPhysicsEngineParameter(
            # What Bullet solves together must not depend on which islands it happens to batch, nor stop early for that.
            deterministicOverlappingPairs=1,
            minimumSolverIslandSize=1,
            solverResidualThreshold=0,
            numSolverIterations=20,
            physicsClientId=client,
        )
        drive = VelocityDrive if scene.drive == "velocity" else WheelDrive
        self._drive: Drive = drive(pybullet, client, scene)
        self._bodies = self._drive.bodies
        self.poses = np.zeros((scene.robots, 3))
        self.velocities = self._drive.velocities
        self.touching = np.zeros((2, scene.robots), np.bool_)
        self.touching_robot, self.touching_rack = self.touching
        self._renderer: Renderer | None = None
        # Every episode begins from one saved state, with all robots settled and apart from each other.
        self._place([[3.0 * index, -50.0, 0.0] for index in range(scene.robots)])
        for _ in range(20):
            for _ in self._drive.push(np.zeros((scene.robots, 2)), self.poses):
                self._simulate()
        self._saved = pybullet.saveState(physicsClientId=client)

    def reset(self, poses: NDArray[np.float64]) -> None:
        """Put the robots at rest at `poses` [robots, 3] (x, y [m], heading [rad]), whatever happened before."""
        # `restoreState` keeps contact points that the saved state doesn't know, and Bullet drops them only if they have
        # slid sideways. Their normals lie flat, so one step with each robot at its own height drops all of them.
        self._place([[0.0, 0.0, 0.0]] * len(self._bodies), lift=10.0)
        self._simulate()
        pybullet.restoreState(self._saved, physicsClientId=self._client)
        self.poses[:] = poses
        self.poses[:, 2] = math.pi - (math.pi - self.poses[:, 2]) % (2 * math.pi)
        self._place(self.poses.tolist())
        self._drive.stop()
        self.touching.fill(False)

    def advance(self, commands: NDArray[np.float64]) -> None:
        """Let a control period pass under `commands` [robots, 2]: speed [m/s], turn rate [rad/s]; clipped."""
        for _ in self._drive.push(commands, self.poses):
            self._simulate()
        self._read()

    def render(
        self,
        width: int,
        height: int,
        carrying: NDArray[np.bool_] | None = None,
        goals: NDArray[np.float64] | None = None,
        stations: NDArray[np.float64] | None = None,
        supersample: int = 2,
    ) -> NDArray[np.uint8]:
        """Return a picture of the whole warehouse [height, width, 3].

        Args:
            width: of the picture [pixels].
            height: of the picture [pixels].
            carrying: [robots], who has a crate on top.
            goals: [robots, 2], marked on the floor in the robot's colour [m].
            stations: [count, 2] middles of the station cells, the same at each call [m].
            supersample: rays along each side of a pixel; 1 is 4 times faster than 2, with jagged edges.
        """
        if self._renderer is None:
            self._renderer = Renderer(pybullet, connect(), self._racks, self._size, self._scene)
        return self._renderer.render(width, height, self.poses, carrying, goals, stations, supersample)

    def close(self) -> None:
        """Disconnect from the physics; calling it again does nothing."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        if self._client >= 0:
            pybullet.disconnect(self._client)
            self._client = -1

    def _simulate(self) -> None:
        pybullet.stepSimulation(self._client)

    def _place(self, poses: list[list[float]], lift: float = 0.0) -> None:
        for index, (body, (x, y, heading)) in enumerate(zip(self._bodies, poses, strict=True), start=1):
            place = (x, y, self._drive.height + lift * index)
            turn = (0.0, 0.0, math.sin(heading / 2), math.cos(heading / 2))
            pybullet.resetBasePositionAndOrientation(body, place, turn, self._client)
            pybullet.resetBaseVelocity(body, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), self._client)

    def _read(self) -> None:
        self._drive.read(self.poses)
        self.touching.fill(False)
        near: set[int] = set()
        building, first = self._building, self._bodies[0]
        for contact in pybullet.getContactPoints(physicsClientId=self._client):
            a, b, touches = contact[1] - first, contact[2] - first, contact[8] <= TOUCH_DISTANCE
            if a >= 0 and b >= 0:
                near.update((a, b))
                if touches:
                    self.touching_robot[a] = self.touching_robot[b] = True
            elif building in (contact[1], contact[2]):  # the floor is no contact
                near.add(max(a, b))
                if touches:
                    self.touching_rack[max(a, b)] = True
        self._drive.report(self.poses, near)
