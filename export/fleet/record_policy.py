"""Recordings of policies and planners while they are evaluated."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from export.fleet.onnx_policy import OnnxFleetPolicy
from export.fleet.recording import FleetRecording
from policies.evaluate import LookOn
from policies.fleet_policies import FleetPolicy, GreedyPolicy
from policies.planners.names import PlannerName
from sim.warehouse import Warehouse


def record_policy(file: Path | None, scans: bool, log: Callable[[str], None]) -> LookOn | None:
    """Return who looks on while somebody drives: a recording, or nobody without a file.

    Args:
        file: where to.
        scans: record the lidar at every control period.
        log: as in `Recorder`.
    """
    if file is None:
        return None

    def look_on(warehouse: Warehouse, policy: FleetPolicy | PlannerName) -> AbstractContextManager[object]:
        if isinstance(policy, str):
            return FleetRecording(warehouse, file, policy, log, planned=True, scans=scans)
        if isinstance(policy, OnnxFleetPolicy):
            tell = policy.last_q_values
            return FleetRecording(warehouse, file, policy.name, log, policy.manifest_hash, tell, scans=scans)
        q_values = policy.last_q_values if isinstance(policy, GreedyPolicy) else None
        return FleetRecording(warehouse, file, policy.name, log, q_values=q_values, scans=scans)

    return look_on
