"""What `fleetmix view` shows: whose policy drives, where, and in which processes."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from export.bundle.files import is_bundle
from export.fleet.onnx_policy import OnnxFleetPolicy
from fleetmix.view.moment import Onlooker, QValues
from fleetmix.view.run import View, run_view, tell_address
from policies.evaluate import choose_scene, run_episode
from policies.fleet_policies import AlwaysGo, FleetPolicy, GreedyPolicy
from policies.planners.episode import run_planner
from policies.planners.names import PLANNERS, PlannerName, PolicyName, rules_of
from policies.runs.folder import load_agent, load_run
from sim.env import WarehouseEnv
from sim.interrupt import Interrupt
from sim.layout import Layout
from sim.scene import DriveModel, SceneConfig, open_scene

Log = Callable[[str], None]


def view_simulated(
    path: Path | None,
    policy_name: PolicyName,
    scene_name: str | None,
    robots: int | None,
    drive: DriveModel,
    host: str,
    port: int,
    log: Log,
) -> None:
    """Show a simulated fleet until Ctrl-C.

    Args:
        path: a run folder or a bundle whose policy drives.
        policy_name: who drives in place of it.
        scene_name: another scene than that of the training.
        robots: how many.
        drive: the drive model.
        host: whom the page is served to.
        port: where.
        log: told the address.

    Raises:
        InputError: there is no such run, bundle or scene.
    """
    policy, scene, layout = _open(path, policy_name, scene_name, robots, drive)
    with Interrupt() as interrupt, WarehouseEnv(scene, layout=layout) as env:
        q_values: QValues | None = policy.last_q_values if isinstance(policy, GreedyPolicy | OnnxFleetPolicy) else None
        watch = Onlooker(env.warehouse, q_values)

        def drive_on() -> None:
            for seed in itertools.count():
                if isinstance(policy, str):
                    run_planner(env.warehouse, policy, seed)
                else:
                    run_episode(env, policy, seed)
                    _take_newest(path, policy)

        title = policy if isinstance(policy, str) else policy.name
        view = View(scene, layout, watch, f"fleetmix: {title}", host, port)
        tell_address(view, host, port, log)
        run_view(view, watch, drive_on, interrupt)


def _open(
    path: Path | None, policy_name: PolicyName, scene_name: str | None, robots: int | None, drive: DriveModel
) -> tuple[FleetPolicy | PlannerName, SceneConfig, Layout]:
    """Return who drives, where."""
    if path is None:
        scene, layout = open_scene(scene_name or "small", robots, drive)
        scene = replace(scene, right_of_way=rules_of(policy_name))
        return (policy_name if policy_name in PLANNERS else AlwaysGo(scene.right_of_way)), scene, layout
    if is_bundle(path):
        fleet = OnnxFleetPolicy(path, 1)
        return fleet, *choose_scene(*fleet.trained_in(), scene_name, robots, drive)
    run = load_run(path)
    agent, _ = load_agent(run)
    policy = GreedyPolicy(agent, run.config.algo.upper())
    return policy, *choose_scene(run.config.scene, run.source.parsed_layout(), scene_name, robots, drive)


def _take_newest(path: Path | None, policy: FleetPolicy) -> None:
    """Go on with the best checkpoint until now of a run, which may still be training."""
    if path is not None and isinstance(policy, GreedyPolicy):
        policy.replace(load_agent(load_run(path))[0])
