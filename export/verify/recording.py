"""Holds a recording against a bundle: does each robot's ONNX file decide again what was recorded?"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from export.bundle.manifest import Bundle, open_bundle
from export.recordings.reader import Recording, read_recording
from export.runtime import OnnxPolicy
from export.verify.bundle import VerifyReport
from export.verify.policy import VerifyError
from sim.errors import InputError


def verify_recording(file: Path, folder: Path) -> VerifyReport:
    """Replay every decision of a recording through the bundle's files.

    Raises:
        VerifyError: a decision is another one; the message names the first, and how many there are.
        InputError: the recording holds no observations, or is of another map or another robot than the bundle.
    """
    recording, bundle = read_recording(file), open_bundle(folder)
    _require_same_map(recording, bundle)
    policies = {name: OnnxPolicy.from_bundle(bundle, name) for name in recording.about.robots}
    others, largest, count = list[str](), 0.0, 0
    for decision in recording.decisions:
        for own in decision["robots"]:
            policy = policies[own["robot"]]
            action = policy_again(policy, own, file)
            count += 1
            if "q_values" in own:
                recorded = np.array(own["q_values"], np.float32)
                largest = max(largest, float(np.abs(recorded - action.q_values).max()))
            if action.name != own["choice"]:
                others.append(f"at {decision['time']:.1f} s {own['robot']} chose {own['choice']}, not {action.name}")
    if others:
        raise VerifyError(
            f"{len(others):,} of {count:,} decisions in {str(file)!r} are not those of {bundle}: {others[0]}"
        )
    report = VerifyReport()
    report.checked.append(
        f"{count:,} decisions of {len(policies)} robots in {str(file)!r}, 100% the same, Q values within {largest:.2g}"
    )
    if not recording.whole:
        report.unchecked.append("what came after the recording was cut short")
    return report


def policy_again(policy: OnnxPolicy, own: Mapping[str, Any], file: Path) -> Any:
    """Return what a policy decides again from what a robot's decision was recorded with.

    Raises:
        InputError: no observation was recorded, or the policy refuses it.
    """
    if "observation" not in own:
        raise InputError(
            f"recording {str(file)!r} holds no observations; valid is one of evaluate, drive or robot whose policy is "
            "a network in that process"
        )
    if own.get("fresh"):
        policy.reset()
    mask = np.array([own["mask"]], np.bool_)[0] if "mask" in own else None
    return policy.act(np.array(own["observation"], np.float32), mask)


def _require_same_map(recording: Recording, bundle: Bundle) -> None:
    """Require the map of the training, unless this very bundle chose, on whatever map."""
    chose = recording.about.bundle == hashlib.sha256(bundle.manifest_bytes).hexdigest()
    if not chose and bundle.manifest.layout != recording.about.layout:
        raise InputError(
            f"recording {str(recording.path)!r} is of the map {recording.about.scene['layout']!r}, which is not that "
            f"of {bundle}; valid is a recording that this bundle drove, or of its map"
        )
