"""ONNX graphs written node by node with ordinary arithmetic: torch's exporter rounds scalars to float32."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

from export.bundle.onnx_file import IR_VERSION, OPSET


@dataclass
class Graph:
    """A graph under construction: nodes in the order in which they were added."""

    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    outputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def input(self, name: str, kind: int, *shape: int) -> "Value":
        """Return a new input [batch, *shape] of the element type `kind` (`TensorProto.FLOAT`, ...)."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, ["batch", *shape]))
        return Value(self, name)

    def output(self, name: str, value: "Value", kind: int, *shape: int) -> None:
        """Make a value [batch, *shape] an output of the element type `kind`."""
        self.nodes.append(helper.make_node("Cast", [value.name], [name], to=kind))
        self.outputs.append(helper.make_tensor_value_info(name, kind, ["batch", *shape]))

    def constant(self, value: ArrayLike) -> "Value":
        """Return a constant: whole numbers as int64, others as float64."""
        array = np.asarray(value)
        array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float64)
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return Value(self, name)

    def op(self, kind: str, *inputs: "Value | ArrayLike", outputs: int = 1, **attributes: Any) -> list["Value"]:
        """Return the outputs of a new node of the operator `kind`; inputs that are no values become constants."""
        values = [value if isinstance(value, Value) else self.constant(value) for value in inputs]
        names = [f"{kind}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, [value.name for value in values], names, **attributes))
        return [Value(self, name) for name in names]

    def model(self, name: str) -> onnx.ModelProto:
        """Return the finished graph as a model of the one operator set that bundles use."""
        graph = helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.constants)
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="fleetmix")


@dataclass(frozen=True)
class Value:
    """A tensor of a graph; arithmetic on it adds nodes. Operands broadcast as in numpy."""

    graph: Graph
    name: str

    def op(self, kind: str, *others: "Value | ArrayLike", **attributes: Any) -> "Value":
        """Return the one output of an operator whose first input is this value."""
        return self.graph.op(kind, self, *others, **attributes)[0]

    def __add__(self, other: "Value | ArrayLike") -> "Value":
        return self.op("Add", other)

    def __sub__(self, other: "Value | ArrayLike") -> "Value":
        return self.op("Sub", other)

    def __mul__(self, other: "Value | ArrayLike") -> "Value":
        return self.op("Mul", other)

    def __truediv__(self, other: "Value | ArrayLike") -> "Value":
        return self.op("Div", other)

    def __matmul__(self, other: "Value | ArrayLike") -> "Value":
        return self.op("MatMul", other)

    def double(self) -> "Value":
        """Return it as float64."""
        return self.op("Cast", to=TensorProto.DOUBLE)

    def split(self, axis: int, *sizes: int) -> list["Value"]:
        """Return consecutive parts of these sizes along an axis."""
        return self.graph.op("Split", self, sizes, outputs=len(sizes), axis=axis)

    def clamp(self, low: float, high: float) -> "Value":
        """Return it limited to low..high."""
        return self.op("Clip", low, high)

    def take(self, indices: ArrayLike, axis: int) -> "Value":
        """Return the elements at these indices of an axis."""
        return self.op("Gather", indices, axis=axis)

    def sum(self, axis: int) -> "Value":
        """Return the sum along an axis, which stays with length 1."""
        return self.op("ReduceSum", [axis], keepdims=1)

    def smallest(self, axis: int) -> "Value":
        """Return the minimum along an axis, which goes."""
        return self.op("ReduceMin", [axis], keepdims=0)

    def join(self, *others: "Value", axis: int) -> "Value":
        """Return it and others, one after another along an axis."""
        return self.op("Concat", *others, axis=axis)

    def where(self, yes: "Value | ArrayLike", no: "Value | ArrayLike") -> "Value":
        """Return `yes` where this condition holds, `no` elsewhere."""
        return self.op("Where", yes, no)
