"""Holds controller.onnx, which robots run, against the compiled controller, which the fleet was trained with."""

import numpy as np
from numpy.typing import NDArray

from export.runtime import CONTROLLER_FIELDS, Model
from export.verify.policy import TOLERANCE, VerifyError
from sim.controller import control_all, controller_offsets
from sim.limits import pack_limits
from sim.observation import MANEUVERS, NEIGHBOUR, observation_spec
from sim.scene import SceneConfig
from sim.vector_spec import VectorSpec


class RecordingController:
    """The compiled controller, as `sim.env.Controller`, which keeps what it was given."""

    def __init__(self, scene: SceneConfig) -> None:
        self._offsets = controller_offsets(observation_spec(scene.robot))
        self._limits = pack_limits(scene.robot, scene.control_period)
        self.maneuvers: list[NDArray[np.int64]] = []
        """Of each control period [robots]."""
        self.observations: list[NDArray[np.float32]] = []
        """Of each control period [robots, features]."""

    def __call__(
        self, maneuvers: NDArray[np.int64], observations: NDArray[np.float32], commands: NDArray[np.float64]
    ) -> None:
        """Write the commands [robots, 2]."""
        self.maneuvers.append(maneuvers.copy())
        self.observations.append(observations.copy())
        control_all(maneuvers, observations, self._offsets, self._limits, commands)


def random_sensors(spec: VectorSpec, count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return random maneuvers [count] and observations [count, size] over the whole range that a controller can meet.

    Near and far racks, rays that hit nothing, and any number of neighbours, the present ones first.
    """
    rng = np.random.default_rng(seed)
    observations = rng.uniform(spec.low, spec.high, (count, spec.size)).astype(np.float32)
    fields = spec.unpack(observations)
    lidar, reach = fields["lidar"], spec.high[spec.offsets["lidar"]]
    nearest = rng.uniform(0.3, reach, (count, 1))
    lidar[:] = np.where(rng.random(lidar.shape) < 0.3, reach, np.maximum(lidar, nearest))
    neighbours = fields["neighbours"]
    angle = rng.uniform(-np.pi, np.pi, neighbours.shape[:2])
    neighbours[..., NEIGHBOUR.cos], neighbours[..., NEIGHBOUR.sin] = np.cos(angle), np.sin(angle)
    neighbours[..., NEIGHBOUR.present] = 1.0
    present = rng.integers(0, neighbours.shape[1] + 1, count)
    neighbours[np.arange(neighbours.shape[1]) >= present[:, None]] = 0.0
    return rng.integers(0, len(MANEUVERS), count), observations


def compare_controllers(
    controller: Model, scene: SceneConfig, maneuvers: NDArray[np.int64], observations: NDArray[np.float32], origin: str
) -> float:
    """Compare the commands for given inputs.

    Args:
        controller: the controller's file, opened.
        scene: the scene that it was made for.
        maneuvers: [count].
        observations: [count, features].
        origin: where the inputs are from, for the message.

    Returns:
        The largest difference, m/s or rad/s.

    Raises:
        VerifyError: a command differs by more than the tolerance.
    """
    fields = controller.metadata.observation.unpack(observations)
    feeds = {name: np.ascontiguousarray(fields[name]) for name in CONTROLLER_FIELDS}
    found = controller.session.run(None, {"maneuver": maneuvers, **feeds})[0]
    expected = np.zeros((len(maneuvers), 2))
    RecordingController(scene)(maneuvers, observations, expected)
    difference = np.abs(found - expected)
    wrong = ~(difference <= TOLERANCE)  # true for NaN too
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise VerifyError(
            f"{controller.path.name}: command {'vw'[column]} differs at {origin} {row} ({MANEUVERS[maneuvers[row]]}): "
            f"the compiled controller gives {expected[row, column]}, onnxruntime {found[row, column]}; "
            f"valid is at most {TOLERANCE} apart"
        )
    return float(difference.max())
