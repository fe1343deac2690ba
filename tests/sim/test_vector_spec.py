import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import InputError
from sim.observation import observation_spec, state_spec
from sim.scene import RobotConfig
from sim.vector_spec import VectorSpec

SPEC = observation_spec(RobotConfig())
robots = st.builds(
    RobotConfig, lidar_rays=st.integers(8, 64), neighbours=st.integers(1, 6), radio_range=st.floats(1, 9)
)


@given(robots)
def test_a_spec_survives_json(robot: RobotConfig) -> None:
    for spec in (observation_spec(robot), state_spec(robot, 3, 12.0, 8.0)):
        assert VectorSpec.from_json(json.loads(json.dumps(spec.to_json())), "file") == spec


@given(robots)
def test_fields_lie_side_by_side_and_scale_bounds_them(robot: RobotConfig) -> None:
    spec = observation_spec(robot)
    ends = [spec.slice(f.name).stop for f in spec.fields]
    assert [0, *ends[:-1]] == list(spec.offsets.values())
    assert ends[-1] == spec.size
    assert spec.low.dtype == spec.high.dtype == spec.scale.dtype == np.float32
    assert (spec.low < spec.high).all()
    for bound in (spec.low, spec.high):
        assert (np.abs(bound / spec.scale) <= 1.0).all()


def test_unpack_gives_views_by_name() -> None:
    vector = np.arange(2 * SPEC.size, dtype=np.float32).reshape(2, SPEC.size)
    fields = SPEC.unpack(vector)
    assert {name: part.shape for name, part in fields.items()} == {f.name: (2, *f.shape) for f in SPEC.fields}
    assert fields["goal"][1].tolist() == [68 + 26, 68 + 27]
    assert fields["neighbours"][0, 1, 0] == 33 + 9
    assert all(np.shares_memory(part, vector) for part in fields.values())


def _change(field: int, **values: Any) -> list[dict[str, Any]]:
    fields = SPEC.to_json()
    fields[field] |= values
    return fields


def _without(key: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in field.items() if k != key} for field in SPEC.to_json()]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "robot.onnx: the observation schema is not readable"),
        (["lidar"], "robot.onnx: the observation schema is not readable"),
        (_without("unit"), "robot.onnx: the observation schema is not readable"),
        (_without("shape"), "robot.onnx: the observation schema is not readable (KeyError('shape')); valid is a list"),
        (_without("offset"), "robot.onnx: the observation schema is not readable (KeyError('offset'))"),
        (_change(1, shape="two"), "robot.onnx: the observation schema is not readable"),
        (_change(1, shape=[2.0]), "robot.onnx: the observation schema is not readable"),
        (_change(1, low=["a", "b"]), "robot.onnx: the observation schema is not readable"),
        (_change(1, colour="red"), "robot.onnx: the observation schema is not readable"),
        (_change(1, shape=[3]), "robot.onnx: field waypoint has shape (3,), but 2 low and 2 high values; valid are 3"),
        (_change(1, low=[-3.0]), "robot.onnx: field waypoint has shape (2,), but 1 low and 2 high values"),
        (_change(1, low=[9.0, 9.0]), "robot.onnx: field waypoint has a low value above its high one"),
        (_change(1, low=[math.nan] * 2), "robot.onnx: field waypoint has a low value above its high one"),
        (_change(2, offset=27), "robot.onnx: the observation offsets are {"),
        (_change(2, name="waypoint"), "robot.onnx: the observation offsets are {"),
        (SPEC.to_json()[1:], "robot.onnx: the observation offsets are {"),
    ],
)
def test_bad_schemas_are_refused_in_one_line(values: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        VectorSpec.from_json(values, "robot.onnx")
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
