"""What a finished graph asks of onnxruntime, read from the file itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import onnx

from builder.errors import ConversionRefused, Refusal
from builder.graph.placing import Placement, placed
from builder.releases import Needs, Target, able

IR_VERSION = 10  # with opset 21 and ai.onnx.ml 5: what every Triton release loads; more only where a rule asks for more
_OWN = ("", "ai.onnx")
_ML = "ai.onnx.ml"


@dataclass(frozen=True)
class Graph:
    """A file's size in `bytes` and nodes, what it asks of onnxruntime, and what of it a GPU can run there."""

    bytes: int
    nodes: int
    needs: Needs
    placement: Placement


def graph_of(model: bytes, target: Target) -> Graph:
    """Read the file of a model; `target`: whose onnxruntime shall run it."""
    loaded = onnx.load_from_string(model)
    return Graph(len(model), sum(1 for _ in _nodes(loaded.graph.node)), needs_of(loaded), placed(loaded, target))


def needs_of(model: onnx.ModelProto) -> Needs:
    """IR version, opsets and operators, those of subgraphs and functions too."""
    versions: dict[str, int] = {}
    for imported in (*model.opset_import, *(one for function in model.functions for one in function.opset_import)):
        domain = "" if imported.domain in _OWN else imported.domain
        versions[domain] = max(versions.get(domain, 0), imported.version)
    nodes = [*_nodes(model.graph.node)]
    nodes += [node for function in model.functions for node in _nodes(function.node)]
    operators = {node.op_type if node.domain in _OWN else f"{node.domain}.{node.op_type}" for node in nodes}
    return Needs(model.ir_version, versions.get("", 0), versions.get(_ML, 0), frozenset(operators))


def settle_versions(model: onnx.ModelProto, target: Target) -> None:
    """The oldest IR that goes with the graph's opsets. Raises ConversionRefused where the release cannot run it."""
    model.ir_version = max(IR_VERSION, onnx.helper.find_min_ir_version_for(list(model.opset_import), True))
    needs = needs_of(model)
    lacking = target.lacks(needs)
    if lacking:
        runs = able(needs)
        fix = f"--triton {runs[0].name} or newer runs it." if runs else "no release that is known here runs it."
        raise ConversionRefused([Refusal("graph", f"{target} lacks {', '.join(lacking)}.", fix)], 1)


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _nodes(graph.node)
