"""Which nodes of a graph have a kernel for an NVIDIA GPU, by the registry of onnxruntime's own releases.

cuda_kernels.json is what `get_all_opkernel_def()` of onnxruntime-gpu 1.19.2, 1.21.0, 1.22.0, 1.23.0, 1.24.4, 1.27.0 and
1.28.0 says of the CUDA provider, for operators as ai.onnx 13 to 22 and ai.onnx.ml define them (docs/OperatorKernels.md
is printed from the same); tests/house/kernels.py writes it. A line: the operator, the version of its definition, the first
of those releases with the kernel, and which types it takes. onnxruntime takes a kernel for the very version of the definition: a Cast of opset 21 waits for 1.24.4, though 1.19.2
has kernels for one of opset 19. None has a kernel for trees, for a LabelEncoder of texts or for any other work on texts; the
com.microsoft operators are left out: those that rules use have none either.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import onnx
from onnx import inliner

from builder.releases import Target

_OWN = ("", "ai.onnx")
_BRANCHES = ("If", "Loop", "Scan")
_CONTRIBUTED = {"Tokenizer": "string", "MurmurHash3": "int32"}  # what rules use of onnxruntime's own, and its answers
_UNKNOWN = "?"  # no kernel takes it
_VALUES = {"values_strings": "string", "values_int64s": "int64", "values_floats": "float"}
_NO_WORK = ("Constant",)  # data: onnxruntime makes initializers of them before it asks who runs what


@dataclass(frozen=True)
class Placement:
    """Of so many `nodes`, those without a CUDA kernel in the release: operator → how many, the most first.

    The rest may run on a GPU. onnxruntime leaves some of it on the CPU all the same, such as arithmetic on shapes.
    `text_branches`: an If or a Loop answers texts. Such a graph does not load with CUDA in onnxruntime 1.27 and 1.28, which
    copy the texts of a branch from the GPU ("Type 'tensor(string)' of input parameter … of operator (MemcpyFromHost)").
    """

    release: str
    nodes: int
    on_cpu: Mapping[str, int]
    text_branches: bool = False

    @property
    def on_gpu(self) -> int:
        return self.nodes - sum(self.on_cpu.values())

    @property
    def why_cpu(self) -> str:
        """Why all of it belongs on the CPU; empty where a GPU has something to do."""
        if self.text_branches:
            return "a branch of the graph answers texts, which onnxruntime 1.27 and newer do not load for a GPU"
        return "" if self.on_gpu else f"no node has a CUDA kernel in onnxruntime {self.release}"

    def json(self) -> dict[str, Any]:
        return {
            "onnxruntime": self.release,
            "nodes": self.nodes,
            "with_cuda_kernel": self.on_gpu,
            "without_cuda_kernel": dict(self.on_cpu),
            "why_cpu": self.why_cpu,
        }

    def __str__(self) -> str:
        listed = ", ".join(f"{count} {operator}" for operator, count in self.on_cpu.items())
        told = f"{self.on_gpu} of {self.nodes} nodes have a CUDA kernel in onnxruntime {self.release}"
        return f"{told}; not {listed}." if listed else f"{told}."


def placed(model: onnx.ModelProto, target: Target) -> Placement:
    """Ask every node, those of subgraphs and functions too."""
    if model.functions:
        model = inliner.inline_local_functions(model)
    opsets = {_domain(one.domain): one.version for one in model.opset_import}
    total, lacking, text_branches = 0, Counter[str](), False
    for node, bound in _bound(model.graph, opsets, {}):
        total += 1
        text_branches |= node.op_type in _BRANCHES and "string" in bound.get("V", ())
        if not _has_kernel(node, bound, opsets, target.onnxruntime):
            lacking[_called(node)] += 1
    return Placement(
        target.onnxruntime, total, dict(sorted(lacking.items(), key=lambda one: (-one[1], one[0]))), text_branches
    )


def _has_kernel(node: onnx.NodeProto, bound: Mapping[str, set[str]], opsets: Mapping[str, int], release: str) -> bool:
    schema = _schema(node, opsets)
    if schema is None:
        return False
    kernels = _kernels().get((_called(node), schema.since_version), ())
    return any(
        _order(first) <= _order(release) and all(bound.get(key, set()) <= taken for key, taken in takes.items())
        for first, takes in kernels
    )


def _bound(
    graph: onnx.GraphProto, opsets: Mapping[str, int], outer: Mapping[str, str]
) -> Iterator[tuple[onnx.NodeProto, Mapping[str, set[str]]]]:
    """Every node that works, those of subgraphs first, and the types that its definition's parameters have there.

    onnx.shape_inference would tell types too; on two graphs of the support table it ended the process.
    """
    types = dict(outer)
    types |= {value.name: _name(value.type.tensor_type.elem_type) for value in graph.input}
    types |= {tensor.name: _name(tensor.data_type) for tensor in graph.initializer}
    for node in graph.node:
        inner = [part for attribute in node.attribute for part in (attribute.g, *attribute.graphs) if part.node]
        for part in inner:
            yield from _bound(part, opsets, types)
        bound = _bind(node, opsets, types)
        told = [value.type.tensor_type.elem_type for part in inner for value in part.output]
        for place, name in enumerate(node.output):
            types[name] = _made(node, place, opsets, bound, told)
            if schema := _schema(node, opsets):
                _learn(bound, schema.outputs, place, types[name])
        if node.op_type not in _NO_WORK:
            yield node, bound


def _bind(node: onnx.NodeProto, opsets: Mapping[str, int], types: Mapping[str, str]) -> dict[str, set[str]]:
    """Parameter of the definition, or name of an input → the types that it has here."""
    schema, bound = _schema(node, opsets), dict[str, set[str]]()
    for place, name in enumerate(node.input):
        if name and schema:
            _learn(bound, schema.inputs, place, types.get(name, _UNKNOWN))
    return bound


def _learn(bound: dict[str, set[str]], formals: Sequence[Any], place: int, type: str) -> None:
    formal = formals[min(place, len(formals) - 1)]  # the last one may be variadic
    for key in (formal.type_str, formal.name):
        bound.setdefault(key, set()).add(type)


def _made(
    node: onnx.NodeProto, place: int, opsets: Mapping[str, int], bound: Mapping[str, set[str]], inner: Sequence[int]
) -> str:
    """The type of an output: its attributes', its inputs', its definition's only one, its subgraph's; else unknown."""
    by_attribute = {one.name: one for one in node.attribute}
    match node.op_type:
        case "Cast":
            return _name(by_attribute["to"].i)
        case "Constant" | "ConstantOfShape":
            given = by_attribute.get("value")
            return _name(given.t.data_type) if given else "float" if node.op_type == "ConstantOfShape" else _UNKNOWN
        case "LabelEncoder":
            found = next((name for name in by_attribute if name.startswith("values_")), "")
            tensor = by_attribute["values_tensor"].t.data_type if found == "values_tensor" else 0
            return _name(tensor) if tensor else _VALUES.get(found, _UNKNOWN)
        case "If" | "Loop":  # a Loop's body answers whether to go on first
            answers = inner[1:] if node.op_type == "Loop" else inner
            return _name(answers[place]) if place < len(answers) else _UNKNOWN
    schema = _schema(node, opsets)
    if schema is None:
        return _CONTRIBUTED.get(node.op_type, _UNKNOWN)
    formal = schema.outputs[min(place, len(schema.outputs) - 1)]
    if len(bound.get(formal.type_str, ())) == 1:
        return next(iter(bound[formal.type_str]))
    return _plain(next(iter(formal.types))) if len(formal.types) == 1 else _UNKNOWN


def _schema(node: onnx.NodeProto, opsets: Mapping[str, int]) -> Any:
    """The operator's definition at the graph's opset; None where ONNX has none."""
    domain = _domain(node.domain)
    try:
        return onnx.defs.get_schema(node.op_type, opsets.get(domain, 1), domain)
    except onnx.defs.SchemaError:
        return None


def _name(kind: int) -> str:
    return str(onnx.TensorProto.DataType.Name(kind)).lower() if kind else _UNKNOWN


def _plain(type: str) -> str:
    """`double` of `tensor(double)`."""
    return type.removeprefix("tensor(").removesuffix(")")


@cache
def _kernels() -> Mapping[tuple[str, int], Sequence[tuple[str, Mapping[str, frozenset[str]]]]]:
    """(operator, version of its definition) → (first release, parameter → types that it takes)."""
    found: dict[tuple[str, int], list[tuple[str, Mapping[str, frozenset[str]]]]] = {}
    lines = json.loads(Path(__file__).with_name("cuda_kernels.json").read_text(encoding="utf-8"))
    for operator, version, first, takes in lines:
        found.setdefault((operator, version), []).append(
            (first, {key: frozenset(types.split()) for key, types in takes.items()})
        )
    return found


def _order(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))


def _called(node: onnx.NodeProto) -> str:
    domain = _domain(node.domain)
    return f"{domain}.{node.op_type}" if domain else node.op_type


def _domain(name: str) -> str:
    return "" if name in _OWN else name
