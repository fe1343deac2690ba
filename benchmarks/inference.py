"""How long a robot takes to decide: OnnxPolicy against bare onnxruntime and against torch.

Hot is one call after the other; paced is ten calls a second as on a robot, where the caches have gone cold in between.
Bare `session.run` is the floor: what OnnxPolicy adds to it is checking what it is given, and keeping the hidden state.

    python -m benchmarks.inference [--seconds 20] [--calls 5000]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from export.bundle.files import CONTROLLER
from export.bundle.manifest import Bundle
from export.graphs.bundle_writer import write_bundle
from export.graphs.origin import Training, warehouse_metadata
from export.runtime import CONTROLLER_FIELDS, OnnxController, OnnxPolicy, open_model
from policies.agent import AgentNetwork
from policies.config import AgentConfig
from sim.layout import load_layout
from sim.observation import MANEUVERS, observation_spec
from sim.scene import SceneConfig

PERIOD = 0.1
"""Time between two paced calls [s]."""
OBSERVATIONS = 256
"""Different observations, taken in turn."""

Call = Callable[[int], object]


def measure(calls: dict[str, Call], count: int, period: float) -> dict[str, np.ndarray]:
    """Return the times of each call [count], microseconds; the kinds take turns, so that all meet the same machine."""
    times = {name: np.empty(count) for name in calls}
    block = 1 if period else 100
    for start in range(0, count, block):
        for name, call in calls.items():
            for i in range(start, min(start + block, count)):
                if period:
                    time.sleep(period / len(calls))
                begin = time.perf_counter_ns()
                call(i % OBSERVATIONS)
                times[name][i] = (time.perf_counter_ns() - begin) / 1000
    return times


def policy_calls(bundle: Bundle, network: AgentNetwork, observations: np.ndarray) -> dict[str, Call]:
    """Return three ways to decide; the bare session and torch feed their hidden state back too."""
    policy = OnnxPolicy.from_bundle(bundle, "robot_0")
    session = open_model(bundle, "robot_0.onnx", "policy").session
    feeds = {"action_mask": np.ones((1, len(MANEUVERS)), np.bool_)}
    if policy.hidden_size:
        feeds["hidden_in"] = np.zeros((1, policy.hidden_size), np.float32)
    batches = [row[None] for row in observations]
    tensors = [torch.from_numpy(row)[None, None, None] for row in observations]
    hidden = [network.initial_hidden(1)]

    def bare(i: int) -> None:
        feeds["observation"] = batches[i]
        result = session.run(None, feeds)
        if policy.hidden_size:
            feeds["hidden_in"] = result[2]

    def eager(i: int) -> int:
        with torch.inference_mode():
            q, hidden[0] = network(tensors[i], hidden[0])
            return int(q.argmax())

    return {"session.run": bare, "OnnxPolicy.act": lambda i: policy.act(observations[i]), "torch eager": eager}


def controller_calls(bundle: Bundle, observations: np.ndarray) -> dict[str, Call]:
    """Return two ways to compute a command."""
    controller = OnnxController.from_bundle(bundle)
    session = open_model(bundle, CONTROLLER, "controller").session
    fields = controller.spec.unpack(observations)
    rows = [{name: fields[name][i : i + 1] for name in CONTROLLER_FIELDS} for i in range(len(observations))]
    maneuver = np.ones(1, np.int64)
    return {
        "session.run": lambda i: session.run(None, {"maneuver": maneuver, **rows[i]}),
        "OnnxController.command": lambda i: controller.command(1, observations[i]),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5000, help="hot calls of each kind")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the paced measurement of each kind [s]")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    scene = SceneConfig()
    layout, spec = load_layout(scene.layout).text(), observation_spec(scene.robot)
    observations = np.random.default_rng(0).uniform(spec.low, spec.high, (OBSERVATIONS, spec.size)).astype(np.float32)
    cases: dict[str, dict[str, Call]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("mlp", "gru"):
            config = AgentConfig(kind)
            agent = AgentNetwork(1, torch.from_numpy(spec.scale), len(MANEUVERS), config).eval()
            metadata = warehouse_metadata(scene, layout, config, Training("qmix", 0, 0))
            bundle = write_bundle(agent, metadata, Path(folder) / kind, 1)
            cases[f"{kind} {config.hidden}"] = policy_calls(bundle, agent.single(0), observations)
        cases["controller"] = controller_calls(bundle, observations)
    print(f"{'case':12}{'how':24}{'hot p50':>10}{'p99':>8}{'ratio':>8}{'10 Hz p50':>12}{'p99':>8}{'ratio':>8}   [us]")
    for case, calls in cases.items():
        measure(calls, 200, 0.0)
        hot = measure(calls, arguments.calls, 0.0)
        paced = measure(calls, max(1, round(arguments.seconds / PERIOD)), PERIOD)
        for name in calls:
            row = f"{case:12}{name:24}"
            for times, width in ((hot, 10), (paced, 12)):
                p50, p99 = np.percentile(times[name], [50, 99])
                row += f"{p50:{width}.1f}{p99:8.1f}{p50 / np.median(times['session.run']):8.2f}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
