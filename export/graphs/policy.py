"""From a trained agent network to the graph that a robot runs: scaling, mask, hidden state, greedy choice."""

import logging
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import cast

import onnx
import onnx_ir as ir
import torch
from onnxscript import optimizer
from torch import Tensor, nn

from export.bundle.metadata import METADATA_KEY, PolicyMetadata
from export.bundle.onnx_file import OPSET
from policies.agent import AgentNetwork, QNetwork
from sim.errors import InputError

_FOLD_ALL = 1 << 30  # bytes: also the largest weights are rearranged at export, not at each start of a robot


class RobotNetwork(nn.Module):
    """One robot's network for a single step, with the masked greedy choice behind it.

    Args:
        agent: a network with one set of parameters, such as `AgentNetwork.single` gives.
    """

    observation_mean: Tensor
    observation_scale: Tensor

    def __init__(self, agent: AgentNetwork) -> None:
        super().__init__()
        if len(agent.networks) != 1:
            raise ValueError(
                f"the network has {len(agent.networks)} sets of parameters; a robot carries one: pass agent.single(i)"
            )
        network = cast(QNetwork, agent.networks[0])
        self.register_buffer("observation_mean", agent.observation_mean)
        self.register_buffer("observation_scale", agent.observation_scale)
        self._centred = bool(agent.observation_mean.any())  # no operator that subtracts 0
        self.encoder, self.gru, self.head = network.encoder, network.gru, network.head

    def forward(self, observation: Tensor, action_mask: Tensor, hidden_in: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the decision of one step.

        Args:
            observation: [batch, features], float32, SI units.
            action_mask: [batch, actions], bool, true where an action is allowed.
            hidden_in: [batch, hidden], for a recurrent network.

        Returns:
            maneuver [batch], the first of the best allowed ones; q_values [batch, actions]; and hidden_out
            [batch, hidden] where the network is recurrent.
        """
        centred = observation - self.observation_mean if self._centred else observation
        x = self.encoder(centred / self.observation_scale)
        if self.gru is not None and hidden_in is not None:
            x = self.gru(x[None], hidden_in[None])[1][0]
        q = self.head(x)
        maneuver = torch.where(action_mask, q, -torch.inf).argmax(-1)
        return (maneuver, q) if self.gru is None else (maneuver, q, x)


def policy_model(agent: AgentNetwork, metadata: PolicyMetadata) -> onnx.ModelProto:
    """Return one robot's network as a self-contained ONNX model with a dynamic batch.

    Inputs are observation float32 [batch, size], action_mask bool [batch, actions] and, where it is recurrent,
    hidden_in float32 [batch, hidden]; outputs maneuver int64 [batch], q_values float32 [batch, actions] and
    hidden_out like hidden_in.

    Args:
        agent: a network with one set of parameters.
        metadata: what the file says about itself.

    Raises:
        InputError: the network's sizes are not those of the metadata.
    """
    sizes = (len(agent.observation_scale), agent.n_actions)
    if sizes != (metadata.observation.size, len(metadata.actions)):
        raise InputError(
            f"the network takes {sizes[0]} features and has {sizes[1]} actions; "
            f"the schema has {metadata.observation.size} and {len(metadata.actions)}"
        )
    network = RobotNetwork(agent.cpu()).eval()
    names = ["observation", "action_mask", "hidden_in"][: 3 if agent.hidden_size else 2]
    results = ["maneuver", "q_values", "hidden_out"][: len(names)]
    model = _export(network, agent, names, results)
    _name(model.graph, {*network.state_dict(), *names, *results})
    return finish_model(ir.to_proto(model), metadata)


def _export(network: RobotNetwork, agent: AgentNetwork, names: list[str], results: list[str]) -> ir.Model:
    """Return the graph of a network with these names of inputs and outputs, as few nodes as possible."""
    # A batch of 2, because torch would take a batch of 1 for a constant.
    mask = torch.ones(2, agent.n_actions, dtype=torch.bool)
    example = (torch.zeros(2, len(agent.observation_scale)), mask, torch.zeros(2, agent.hidden_size))
    batch = torch.export.Dim("batch")
    with quiet_export():
        program = torch.onnx.export(
            network,
            example[: len(names)],
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=names,
            output_names=results,
            dynamic_shapes=tuple({0: batch} for _ in names),
            verbose=False,
        )
    assert program is not None  # it is with dynamo
    optimizer.optimize_ir(program.model, input_size_limit=_FOLD_ALL, output_size_limit=_FOLD_ALL)
    _drop_whole_slices(program.model.graph)
    return program.model


def finish_model(model: onnx.ModelProto, metadata: PolicyMetadata) -> onnx.ModelProto:
    """Return the model with the metadata in it, checked, and without traces of the machine that made it.

    Raises:
        onnx.checker.ValidationError: the model breaks the standard, which is an error in this program.
    """
    _forget_sources(model.graph)
    model.ClearField("metadata_props")
    onnx.helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
    model.producer_name, model.producer_version = "fleetmix", metadata.versions.get("fleetmix", "")
    onnx.checker.check_model(model, full_check=True)
    return model


def _drop_whole_slices(graph: ir.Graph) -> None:
    """Remove the operator by which the exporter cuts the one layer of the GRU out of the one layer that it has."""
    for node in [node for node in graph if node.op_type == "Slice"]:
        source, *arguments = node.inputs
        values = [None if tensor is None else tensor.numpy().tolist() for tensor in map(_constant, arguments)]
        if source is not None and source.shape is not None and source.shape[0] == 1 and values == [[0], [1], [0]]:
            node.outputs[0].replace_all_uses_with(source)
            graph.remove(node, safe=True)


def _constant(value: ir.Value | None) -> ir.TensorProtocol | None:
    return None if value is None else value.const_value


def _name(graph: ir.Graph, fixed: Collection[str]) -> None:
    """Name every operator by its kind, and every value but those in `fixed` by the operator and its place there."""
    counts: dict[str, int] = {}
    named = set(fixed)
    for node in graph:
        counts[node.op_type] = counts.get(node.op_type, 0) + 1
        node.name = f"{node.op_type}_{counts[node.op_type]}"
        schema = onnx.defs.get_schema(node.op_type, OPSET)
        for ports, values in ((schema.inputs, node.inputs), (schema.outputs, node.outputs)):
            for port, value in zip(ports, values, strict=False):
                if value is not None and value.name not in named:
                    value.name = f"{node.name}.{port.name}"
                    named.add(value.name)
    graph.name = "policy"
    initializers = {str(value.name): value for value in graph.initializers.values() if value.uses()}
    graph.initializers.clear()
    for name in sorted(initializers):  # the exporter's order changes from run to run
        graph.register_initializer(initializers[name])


def _forget_sources(graph: onnx.GraphProto) -> None:
    """Remove the exporter's notes, which hold paths of this machine."""
    for noted in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        noted.ClearField("doc_string")
        noted.ClearField("metadata_props")


@contextmanager
def quiet_export() -> Iterator[None]:
    """Keep torch's notes about its own internals, and about a library that isn't needed, off the terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
