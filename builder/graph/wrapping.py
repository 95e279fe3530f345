"""A model that another converter made, with the tensors that every model of ours has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import spox.opset.ai.onnx.v21 as op
from spox import Tensor, Var, argument, build, inline

from builder.graph.idioms import beside_rows, choose, constant
from builder.graph.needs import settle_versions
from builder.releases import Target
from builder.types import INVALID, Servable, StageVerdict, TensorSpec


def wrapped(
    model: onnx.ModelProto,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    stages: Sequence[StageVerdict],
    target: Target,
    converter: str,
) -> Servable:
    """The model over tensors of the columns' own types: cast on their way in and out; `invalid` is always 0.

    Inputs that the model does not use are not asked for. Raises ConversionRefused where the release cannot run it.
    """
    model = _without_unused(model)
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    used = [spec for spec in inputs if spec.name in kinds]
    arguments = {spec.name: argument(Tensor(_dtype(spec), ("N", spec.width))) for spec in used}
    given = {
        name: op.cast(_plain(spec, arguments[name]), to=onnx.helper.tensor_dtype_to_np_dtype(kinds[name]))
        if kinds[name] != onnx.TensorProto.STRING
        else arguments[name]
        for name, spec in ((spec.name, spec) for spec in used)
    }
    answers = inline(model)(**given)
    results = {spec.name: _settled(spec, answers[spec.name]) for spec in outputs}
    first = next(iter(arguments.values()))
    results[INVALID.name] = op.expand(constant(np.zeros((1, 1), np.int32)), beside_rows(first, 1))
    built = build(arguments, results)
    settle_versions(built, target)
    return Servable(
        built.SerializeToString(deterministic=True),
        tuple(used),
        (*outputs, INVALID),
        stages=tuple(stages),
        converter=converter,
    )


def _without_unused(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without inputs that no node reads."""
    kept = onnx.ModelProto()
    kept.CopyFrom(model)
    read = {name for node in kept.graph.node for name in node.input}
    inputs = [value for value in kept.graph.input if value.name in read]
    del kept.graph.input[:]
    kept.graph.input.extend(inputs)
    return kept


def _plain(spec: TensorSpec, var: Var) -> Var:
    """Numbers as doubles, a null NaN as Spark's reader of tensors has it."""
    if spec.dtype.kind == "f" or not spec.nullable:
        return var
    null = op.equal(op.cast(var, to=np.int64), constant(np.array(spec.null, dtype=np.int64)))
    return choose(null, constant(np.nan), op.cast(var, to=np.float64))


def _settled(spec: TensorSpec, var: Var) -> Var:
    """The dtype and the width that the config tells."""
    shape = constant(np.array([-1, spec.width], np.int64))
    return op.reshape(var if spec.dtype == np.object_ else op.cast(var, to=spec.dtype), shape)


def _dtype(spec: TensorSpec) -> type[np.generic] | np.dtype[np.generic]:
    return np.str_ if spec.dtype == np.object_ else spec.dtype
