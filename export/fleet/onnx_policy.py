"""The robots of a fleet in the simulator, each with its own ONNX files: what is simulated is what robots will run."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.bundle.manifest import Manifest, open_bundle
from export.bundle.metadata import PolicyMetadata
from export.runtime import OnnxController, OnnxPolicy
from sim.errors import InputError
from sim.layout import Layout
from sim.scene import SceneConfig


class OnnxFleetPolicy:
    """Robots that share nothing: each gets its own row of the observations and has its own policy and hidden state.

    `reset` and `act` make it a `policies.evaluate.FleetPolicy`, and `control` a `sim.env.Controller`.

    Args:
        folder: the bundle.
        robots: how many robots to bring up first; `reset` changes the number.
        name: what tables call it; by default the algorithm's name, from ONNX.

    Raises:
        InputError: the bundle is not valid, or has too few files for a fleet that learned independent parameters.
    """

    def __init__(self, folder: Path, robots: int, name: str | None = None) -> None:
        self._bundle = open_bundle(folder)
        self._q_values: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self.manifest: Manifest = self._bundle.manifest
        self._policies: list[OnnxPolicy] = []
        self._controllers: list[OnnxController] = []
        self.reset(robots)
        self.name = name or f"{self.metadata.algorithm.upper()}, ONNX"

    @property
    def manifest_hash(self) -> str:
        """SHA-256 of the bundle's manifest, in hexadecimal: tells this bundle from any other."""
        return hashlib.sha256(self._bundle.manifest_bytes).hexdigest()

    @property
    def metadata(self) -> PolicyMetadata:
        """What the first robot's file says about itself."""
        return self._policies[0].metadata

    def trained_in(self) -> tuple[SceneConfig, Layout]:
        """Return the scene and the map that it was trained in.

        Raises:
            InputError: it was trained in another environment than the warehouse.
        """
        return self.metadata.trained_in(self._bundle)

    def reset(self, robots: int) -> None:
        """Bring up that many robots, and let each forget what it has seen.

        Raises:
            InputError: as for the constructor.
        """
        names = list(self.manifest.robots)
        if robots > len(names) and not self.manifest.shared:
            raise InputError(
                f"robots is {robots}, but {self._bundle} holds {len(names)} robots that each "
                f"learned parameters of their own; valid is 1 to {len(names)}"
            )
        for i in range(len(self._policies), robots):
            self._policies.append(OnnxPolicy.from_bundle(self._bundle, names[i % len(names)]))
            if self.manifest.controller is not None:
                self._controllers.append(OnnxController.from_bundle(self._bundle))
        del self._policies[robots:], self._controllers[robots:]
        for policy in self._policies:
            policy.reset()

    def act(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return every robot's maneuver.

        Args:
            observations: [robots, features], row i of robot i.

        Returns:
            Maneuvers [robots].

        Raises:
            InputError: the number of rows is not that of the robots, or a robot refuses its observation.
        """
        self._require_rows(observations)
        actions = [policy.act(own) for policy, own in zip(self._policies, observations, strict=True)]
        self._q_values = np.stack([action.q_values for action in actions])
        return np.array([action.maneuver for action in actions], np.int64)

    def last_q_values(self) -> NDArray[np.float32]:
        """Return the values behind the last decision [robots, actions]."""
        return self._q_values

    def control(
        self, maneuvers: NDArray[np.int64], observations: NDArray[np.float32], commands: NDArray[np.float64]
    ) -> None:
        """Write every robot's command, computed by its own controller.onnx.

        Args:
            maneuvers: [robots].
            observations: [robots, features].
            commands: v [m/s], w [rad/s], written [robots, 2].

        Raises:
            InputError: the bundle has no controller, the number of rows is not that of the robots, or a robot refuses.
        """
        if self.manifest.controller is None:
            raise InputError(f"{self._bundle} has no controller; it was not trained in the warehouse")
        self._require_rows(observations)
        for i, controller in enumerate(self._controllers):
            commands[i] = controller.command(int(maneuvers[i]), observations[i])

    def _require_rows(self, observations: NDArray[np.float32]) -> None:
        if len(observations) != len(self._policies):
            raise InputError(f"{len(observations)} observations for {len(self._policies)} robots; valid is one a robot")
