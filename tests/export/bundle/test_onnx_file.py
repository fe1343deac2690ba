from pathlib import Path

import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.bundle.onnx_file import check_onnx_bytes
from export.runtime import OnnxPolicy
from sim.errors import InputError
from tests.export.onnx_edits import rewrite


def test_files_that_are_no_model_are_refused_in_one_line(bundle: Path, tmp_path: Path) -> None:
    path = bundle / "robot_0.onnx"
    data = path.read_bytes()
    broken = tmp_path / "broken.onnx"
    for content in (b"", b"hello, I am no model", data[: len(data) // 2], data[:-1], data[:5000]):
        broken.write_bytes(content)
        with pytest.raises(InputError, match=r"broken\.onnx: it is no (whole )?ONNX model \(.*\)") as error:
            OnnxPolicy(broken)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="can't be read"):
        OnnxPolicy(tmp_path / "missing.onnx")


def test_external_data_is_refused(bundle: Path) -> None:
    def move_out(model: onnx.ModelProto) -> None:
        tensor = next(t for t in model.graph.initializer if t.name == "head.weight")
        onnx.external_data_helper.set_external_data(tensor, "weights.bin")
        tensor.ClearField("raw_data")

    with pytest.raises(InputError, match="weights in another file"):
        OnnxPolicy(rewrite(bundle / "robot_0.onnx", move_out))


def test_a_field_that_only_some_readers_would_find_is_refused(bundle: Path) -> None:
    data = (bundle / "robot_0.onnx").read_bytes()
    foreign = onnx.OperatorSetIdProto(domain="com.microsoft", version=1).SerializeToString()
    hidden = (8 << 3 | 2) | 1 << 32  # onnxruntime's reader cuts it to 32 bits, and finds operator sets
    tag = bytes((hidden >> shift & 0x7F) | (0x80 if hidden >> shift + 7 else 0) for shift in range(0, 35, 7))
    changed = data + tag + bytes([len(foreign)]) + foreign
    onnxruntime.InferenceSession(changed)  # it does
    with pytest.raises(InputError, match="no whole ONNX model"):
        check_onnx_bytes(changed, "file")


def too_new(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 21


def of_somebody(model: onnx.ModelProto) -> None:
    model.opset_import.add(domain="com.example", version=1)


def too_new_a_format(model: onnx.ModelProto) -> None:
    model.ir_version = 11


def too_large(model: onnx.ModelProto) -> None:
    for _ in range(10_001):
        model.graph.node.add(op_type="Identity")


def too_large_inside(model: onnx.ModelProto) -> None:
    """The nodes are in a function, which one node calls."""
    model.functions.add(name="f", domain="").node.extend([onnx.NodeProto(op_type="Identity")] * 10_001)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (too_new, "its operator set is 21; valid is at most 20"),
        (of_somebody, "it needs the operators of b'com.example'; valid is those of ONNX itself"),
        (too_new_a_format, "its IR version is 11; valid is at most 10"),
        (too_large, "it has more than 10000 nodes; valid is a smaller graph"),
        (too_large_inside, "it has more than 10000 nodes; valid is a smaller graph"),
    ],
)
def test_a_graph_that_no_robot_is_meant_to_run_is_refused(bundle: Path, change, said: str) -> None:
    with pytest.raises(InputError) as error:
        OnnxPolicy(rewrite(bundle / "robot_0.onnx", change))
    assert str(error.value).endswith(said)


def test_a_file_larger_than_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(2**26 + 1)
    with pytest.raises(InputError, match="it has more than 67108864 bytes"):
        OnnxPolicy(path)


@given(cut=st.integers(0, 10_000_000), flips=st.lists(st.integers(0, 10_000_000), max_size=3))
def test_no_damage_crashes_the_reader(
    mlp_bundle: Path, tmp_path_factory: pytest.TempPathFactory, cut: int, flips: list[int]
) -> None:
    data = bytearray((mlp_bundle / "robot_0.onnx").read_bytes())
    for flip in flips:
        data[flip % len(data)] ^= 0x41
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(data[: cut % (2 * len(data))])
    try:
        OnnxPolicy(path)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 a flipped weight is not noticed without a manifest
