"""What one robot takes from its bundle, opened and checked once when its process starts."""

from dataclasses import dataclass, replace
from itertools import zip_longest

from export.bundle.manifest import Bundle
from export.runtime import OnnxController, OnnxPolicy
from sim.errors import InputError
from sim.layout import Layout, load_layout
from sim.observation import MANEUVERS, observation_spec
from sim.scene import SceneConfig


@dataclass(frozen=True)
class RobotModel:
    """One robot's networks, and the warehouse that it drives in."""

    policy: OnnxPolicy
    controller: OnnxController
    scene: SceneConfig
    layout: Layout
    robots: tuple[str, ...]
    """Those that the bundle names."""


def open_robot_model(bundle: Bundle, robot: str, map_name: str | None, fleet: int | None = None) -> RobotModel:
    """Open and check everything in a bundle that a robot needs.

    Args:
        bundle: the bundle.
        robot: the robot's name.
        map_name: name or file of the map, where it is another than that of the training.
        fleet: how many robots share the map, which decides its path costs; by default as many as in the training.

    Raises:
        InputError: anything in the bundle is not as it was written, or it is not this robot's.
    """
    policy = OnnxPolicy.from_bundle(bundle, robot)
    scene, layout = policy.metadata.trained_in(bundle)
    controller = OnnxController.from_bundle(bundle)
    if controller.spec != policy.spec or controller.actions != policy.actions or controller.metadata.scene != scene:
        raise InputError(f"{bundle}: policy and controller are of different robots")
    _require_own_order(policy, scene, bundle)
    layout = layout if map_name is None else load_layout(map_name)
    layout = layout.guided(scene.robots if fleet is None else fleet)
    return RobotModel(policy, controller, scene, layout, tuple(bundle.manifest.robots))


def _require_own_order(policy: OnnxPolicy, scene: SceneConfig, bundle: Bundle) -> None:
    """Require the bundle to expect the numbers in the order in which this release packs them.

    Raises:
        InputError: names the first field that is another, or the maneuvers.
    """
    for found, own in zip_longest(policy.spec.fields, observation_spec(scene.robot).fields):
        if found is None or own is None or replace(found, meaning=own.meaning) != own:
            raise InputError(f"{bundle}: its observation has the field {found}; this release packs {own}")
    if policy.actions != MANEUVERS:
        raise InputError(f"{bundle}: its maneuvers are {policy.actions}; this release has {MANEUVERS}")
