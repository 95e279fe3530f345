"""Constants that are nearly neutral, kept from onnxruntime's optimizer.

It leaves out `x + c` and `x - c` where c is 0, `x * c` and `x / c` where c is 1; but of a single number it asks so in
float32: a graph in doubles lost 1e-50, and a factor of 1.000000001 (seen on onnxruntime 1.19, 1.21, 1.28 and 1.32,
wherever such a node stands between two others). Spread over the other operand's shape, which hangs on the rows, a
constant is no longer a single number to it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx

_NEUTRAL = {"Add": (0.0, (0, 1)), "Sub": (0.0, (1,)), "Mul": (1.0, (0, 1)), "Div": (1.0, (1,))}
"""Operator → what changes nothing, and as which of its operands."""


def keep_nearly_neutral(model: onnx.ModelProto) -> None:
    """Spread each such constant before the node that reads it."""
    graphs = list(_graphs(model.graph))
    single = {name: number for graph in graphs for name, number in _singles(graph)}
    for graph in graphs:
        nodes = [made for node in graph.node for made in _spread(node, single)]
        if len(nodes) > len(graph.node):
            del graph.node[:]
            graph.node.extend(nodes)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph, and those in its branches and loops."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _graphs(attribute.g)


def _singles(graph: onnx.GraphProto) -> Iterator[tuple[str, float]]:
    """Names of constants that hold one double, with it."""
    held = [(tensor.name, tensor) for tensor in graph.initializer]
    held += [(node.output[0], node.attribute[0].t) for node in graph.node if node.op_type == "Constant"]
    for name, tensor in held:
        if tensor.data_type == onnx.TensorProto.DOUBLE and int(np.prod(tensor.dims)) == 1:
            yield name, float(onnx.numpy_helper.to_array(tensor).reshape(()))


def _spread(node: onnx.NodeProto, single: dict[str, float]) -> Iterator[onnx.NodeProto]:
    """The node, and before it what spreads its nearly neutral operand."""
    neutral, places = _NEUTRAL.get(node.op_type, (0.0, ())) if node.domain == "" else (0.0, ())
    for place in places:
        number = single.get(node.input[place], np.nan)
        with np.errstate(over="ignore"):  # 1e308 is inf there
            taken = np.float32(number)
        if number != neutral and taken == neutral:
            shape, spread = (f"{node.output[0]}__{what}" for what in ("shape", "spread"))
            yield onnx.helper.make_node("Shape", [node.input[1 - place]], [shape])
            yield onnx.helper.make_node("Expand", [node.input[place], shape], [spread])
            node.input[place] = spread
            break  # two of them are folded into one, in double
    yield node
