"""What a real robot process does with a bundle that is not right: it does not start, or it does not drive."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.bundle.files import MANIFEST
from export.bundle.metadata import METADATA_KEY
from export.fleet.processes import RobotProcesses, free_endpoint
from export.protocol.messages import Mode, Reason
from export.runtime import OnnxPolicy
from sim.errors import InputError
from tests.export.onnx_edits import change_model, constant, repin
from tests.export.robot_bench import NAME, robot_bench

pytestmark = pytest.mark.slow


def test_q_values_that_are_not_finite_stop_it(bundle: Path) -> None:
    change_model(
        bundle, "robot_0.onnx", "q_values",
        lambda inner, out: [constant("nan", float("nan")), helper.make_node("Add", [inner, "nan"], [out])],
    )  # fmt: skip
    with pytest.raises(InputError, match="q_values"), robot_bench(bundle):
        pass  # it is refused at the start already: the warm-up sees the values


def faster_than(bundle: Path, limit: float) -> list[Any]:
    """Nodes and constants that make `fast` [batch] true where the robot is faster than that [m/s]."""
    speed = OnnxPolicy(bundle / "robot_0.onnx").spec.offsets["velocity"]
    return [
        helper.make_tensor("speed_at", TensorProto.INT64, [], [speed]),
        helper.make_node("Gather", ["observation", "speed_at"], ["speed"], axis=1),
        constant("limit", limit),
        helper.make_node("Greater", ["speed", "limit"], ["fast"]),
    ]


def turn_infinite_above(bundle: Path, limit: float) -> None:
    """Makes the policy's Q values infinite above a speed."""
    fast = faster_than(bundle, limit)
    change_model(
        bundle, "robot_0.onnx", "q_values",
        lambda inner, out: [
            *fast,
            helper.make_node("Unsqueeze", ["fast", "last"], ["fast_column"]),
            helper.make_tensor("last", TensorProto.INT64, [1], [1]),
            constant("inf", float("inf")),
            helper.make_node("Where", ["fast_column", "inf", inner], [out]),
        ],
    )  # fmt: skip


def fail_above(bundle: Path, limit: float) -> None:
    """Puts something into the policy's graph that fails inside of it above a speed."""
    fast = faster_than(bundle, limit)
    change_model(
        bundle, "robot_0.onnx", "q_values",
        lambda inner, out: [
            *fast,
            helper.make_node("Cast", ["fast"], ["index"], to=TensorProto.INT64),
            helper.make_tensor("nothing", TensorProto.FLOAT, [1], [0.0]),
            helper.make_node("Gather", ["nothing", "index"], ["found"]),  # there is nothing at index 1
            helper.make_node("ReduceSum", ["found"], ["zero"], keepdims=0),
            helper.make_node("Add", [inner, "zero"], [out]),
        ],
    )  # fmt: skip


@pytest.mark.parametrize(("break_it", "said"), [(turn_infinite_above, "q_values"), (fail_above, "its graph failed")])
def test_a_policy_that_turns_bad_stops_it_and_does_not_end_it(bundle: Path, break_it, said: str) -> None:
    """It does when the robot drives, which the warm-up at rest does not see."""
    break_it(bundle, 0.5)
    with robot_bench(bundle) as bench:
        bench.drives(2)
        bench.until_a_decision()
        bench.refuses(Reason.BAD_POLICY, velocity=(0.8, 0.0))
        bench.says(said)
        bench.drives()
        assert bench.processes.running[NAME].poll() is None


@pytest.mark.parametrize("factor", [100.0, float("nan")])
def test_a_command_beyond_the_limits_is_refused(bundle: Path, factor: float) -> None:
    change_model(
        bundle, "controller.onnx", "command",
        lambda inner, out: [
            constant("factor", factor),
            constant("more", 0.0 if np.isnan(factor) else 1.0),
            helper.make_node("Add", [inner, "more"], ["shifted"]),
            helper.make_node("Mul", ["shifted", "factor"], [out]),
        ],
    )  # fmt: skip
    if np.isnan(factor):
        with pytest.raises(InputError, match="it commands"), robot_bench(bundle):
            pass
        return
    with robot_bench(bundle) as bench:
        bench.refuses(Reason.BAD_COMMAND)
        bench.says("the command v is")


def slow_down(bundle: Path, size: int) -> None:
    change_model(
        bundle, "robot_0.onnx", "q_values",
        lambda inner, out: [
            helper.make_node("RandomUniform", [], ["noise"], shape=[size, 4000]),
            helper.make_node("ReduceSum", ["noise"], ["total"], keepdims=0),
            constant("nothing", 0.0),
            helper.make_node("Mul", ["total", "nothing"], ["zero"]),
            helper.make_node("Add", [inner, "zero"], [out]),
        ],
    )  # fmt: skip


def test_a_policy_that_is_slower_than_its_period_stops_it(bundle: Path) -> None:
    slow_down(bundle, 8000)  # some 0.2 s
    with robot_bench(bundle) as bench:
        sent = time.monotonic()
        header = bench.send()
        stopped = bench.stops(Reason.OVERRUN)
        print(f"stop {stopped - sent:.3f} s after the sensors that took too long")
        assert stopped - sent < 0.2
        for _ in range(8):
            bench.ask()
        assert not any(c.mode is Mode.DRIVE and c.answers == header for _, c in bench.commands)  # not when it is ready
        bench.says("no command within 0.1 s")


def test_a_process_that_is_paused_while_it_computes_discards_what_it_computed(bundle: Path) -> None:
    slow_down(bundle, 2000)  # some 60 ms: within the period
    with robot_bench(bundle) as bench:
        pid = bench.processes.running[NAME].pid
        for _ in range(3):
            bench.ask()
            bench.until_a_decision()
            time.sleep(0.1)
            header = bench.send()
            time.sleep(0.01)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.5)
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.3)
            answer = bench.answer(header)
            assert answer is None or answer.mode is Mode.STOP


def edit(bundle: Path, change: Callable[[onnx.ModelProto], None]) -> None:
    """Changes a model and lists the new file: whoever can do that is stopped by a signature only, or by this."""
    model = onnx.load(bundle / "robot_0.onnx")
    change(model)
    repin(bundle, "robot_0.onnx", model.SerializeToString())


def flip_a_byte(bundle: Path) -> None:
    data = bytearray((bundle / "controller.onnx").read_bytes())
    data[1000] ^= 1
    (bundle / "controller.onnx").write_bytes(data)


def drop_from_the_manifest(bundle: Path) -> None:
    values = json.loads((bundle / MANIFEST).read_text())
    del values["files"]["controller.onnx"]
    (bundle / MANIFEST).write_text(json.dumps(values))


def change_the_version(bundle: Path) -> None:
    values = json.loads((bundle / MANIFEST).read_text())
    (bundle / MANIFEST).write_text(json.dumps({**values, "schema_version": 2}))


def move_weights_out(bundle: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        onnx.external_data_helper.set_external_data(model.graph.initializer[0], "weights.bin")

    edit(bundle, change)


def grow(bundle: Path) -> None:
    edit(bundle, lambda model: model.graph.node.extend([onnx.NodeProto(op_type="Identity")] * 10_001))


def age(bundle: Path) -> None:
    edit(bundle, lambda model: setattr(model.opset_import[0], "version", 99))


def tell_otherwise(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes what policy and controller say about themselves."""
    for file in ("robot_0.onnx", "controller.onnx"):
        model = onnx.load(bundle / file)
        (entry,) = (entry for entry in model.metadata_props if entry.key == METADATA_KEY)
        values = json.loads(entry.value)
        change(values)
        entry.value = json.dumps(values)
        repin(bundle, file, model.SerializeToString())


def reorder(bundle: Path) -> None:
    def change(values: dict[str, Any]) -> None:
        lidar, *others = values["observation"]
        values["observation"], at = [*others, lidar], 0
        for field in values["observation"]:
            field["offset"], at = at, at + int(np.prod(field["shape"]))

    tell_otherwise(bundle, change)


def put_a_pipe(bundle: Path) -> None:
    (bundle / "controller.onnx").unlink()
    os.mkfifo(bundle / "controller.onnx")


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (reorder, "its observation has the field Field(name='waypoint'"),
        (lambda bundle: tell_otherwise(bundle, lambda values: values["actions"].reverse()), "its maneuvers are"),
        (put_a_pipe, "it is no file"),
        (lambda bundle: fail_above(bundle, -1.0), "its graph failed"),
        (flip_a_byte, "its bytes were changed"),
        (lambda bundle: (bundle / "robot_0.onnx").unlink(), "No such file"),
        (lambda bundle: (bundle / MANIFEST).unlink(), "can't read its manifest.json"),
        (drop_from_the_manifest, "'controller.onnx' is used but not listed"),
        (change_the_version, "its schema version is 2; this release reads 3: export it again"),
        (move_weights_out, "weights in another file"),
        (grow, "more than 10000 nodes"),
        (age, "its operator set is 99; valid is at most 20"),
    ],
)
def test_a_bundle_that_is_not_right_is_refused_in_one_line(bundle: Path, break_it, said: str) -> None:
    break_it(bundle)
    with RobotProcesses(bundle, [NAME], free_endpoint()) as processes:
        assert processes.running[NAME].wait(10) == 2
        line = processes.output(NAME)
    assert said in line
    assert line.startswith("fleetmix: ")
    assert line.count("\n") == 1
