"""Pictures of the warehouse, by a physics client of their own: the one that simulates holds no visual shapes."""

import math
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from sim.palette import colour
from sim.physics import urdf
from sim.scene import SceneConfig


class Renderer:
    """Pictures of the warehouse and its robots, seen from above and a bit from the south."""

    def __init__(
        self, bullet: ModuleType, client: int, racks: NDArray[np.float64], size: tuple[float, float], scene: SceneConfig
    ) -> None:
        self._bullet, self._client = bullet, client
        self._size, self._axle, self._top = size, urdf.wheel_radius(scene.robot), scene.robot.height + 0.03
        self._stations_drawn = False
        side, self._back = 0.85 * scene.robot.radius, 0.25 * scene.robot.radius
        crate, robots = urdf.block_urdf(side, side, 0.8 * side, urdf.CRATE), range(scene.robots)
        urdf.load(bullet, client, urdf.building_urdf(racks, size), useFixedBase=1)
        self._robots = [urdf.load(bullet, client, urdf.robot_urdf(scene.robot, colour(index))) for index in robots]
        self._crates = [urdf.load(bullet, client, crate) for _ in robots]
        self._goals = [urdf.load(bullet, client, urdf.block_urdf(0.45, 0.45, 0.02, colour(index))) for index in robots]

    def render(
        self,
        width: int,
        height: int,
        poses: NDArray[np.float64],
        carrying: NDArray[np.bool_] | None,
        goals: NDArray[np.float64] | None,
        stations: NDArray[np.float64] | None,
        supersample: int,
    ) -> NDArray[np.uint8]:
        """Return a picture [height, width, 3]; arguments as in `World.render`."""
        bullet, client = self._bullet, self._client
        if stations is not None and not self._stations_drawn:
            self._stations_drawn = True
            for x, y in stations.tolist():
                urdf.load(bullet, client, urdf.block_urdf(0.9, 0.9, 0.008, urdf.STATION), basePosition=(x, y, 0))
        for index, (x, y, heading) in enumerate(poses.tolist()):
            turn = (0.0, 0.0, math.sin(heading / 2), math.cos(heading / 2))
            loaded = carrying is not None and bool(carrying[index])
            crate = (x - self._back * math.cos(heading), y - self._back * math.sin(heading), self._top)
            goal = (0.0, 0.0, -50.0) if goals is None else (*goals[index].tolist(), 0.01)
            for body, place, facing in (
                (self._robots[index], (x, y, self._axle), turn),
                (self._crates[index], crate if loaded else (0.0, 0.0, -50.0), turn),
                (self._goals[index], goal, (0.0, 0.0, 0.0, 1.0)),
            ):
                bullet.resetBasePositionAndOrientation(body, place, facing, client)
        fine = self._photograph(supersample * width, supersample * height)
        picture = np.zeros((height, width, 3), np.uint16)
        for row in range(supersample):
            for column in range(supersample):
                picture += fine[row::supersample, column::supersample]
        return (picture // supersample**2).astype(np.uint8)

    def _photograph(self, width: int, height: int) -> NDArray[np.uint8]:
        bullet = self._bullet
        eye, target, field_of_view = urdf.camera(self._size, width / height)
        view = bullet.computeViewMatrix(eye, target, (0, 0, 1))
        projection = bullet.computeProjectionMatrixFOV(field_of_view, width / height, 1.0, 500.0)
        pixels = bullet.getCameraImage(
            width,
            height,
            view,
            projection,
            lightDirection=(-3, -4, 8),
            shadow=0,
            lightAmbientCoeff=0.62,
            lightDiffuseCoeff=0.42,
            lightSpecularCoeff=0.0,
            renderer=bullet.ER_TINY_RENDERER,
            physicsClientId=self._client,
        )[2]
        return np.reshape(np.asarray(pixels, np.uint8), (height, width, 4))[..., :3]

    def close(self) -> None:
        """Disconnect the physics client."""
        self._bullet.disconnect(self._client)
