"""A model with another's inputs and outputs that computes nothing: what a server costs by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Tensor, Var, argument, build

from builder.graph.idioms import constant
from builder.types import Servable, TensorSpec


def identity_of(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], ir_version: int = 10) -> Servable:
    """Each output is an input of its dtype and width passed through where there is one, else a constant a row.

    Every input stays, read or not: the same bytes travel as for the model that it stands beside.
    """
    arguments = {spec.name: argument(Tensor(_dtype(spec), ("N", _width(spec)))) for spec in inputs}
    rows = op.shape(next(iter(arguments.values())), start=0, end=1)
    results = {}
    for spec in outputs:
        alike = next((one for one in inputs if (one.dtype, one.width) == (spec.dtype, spec.width)), None)
        results[spec.name] = op.identity(arguments[alike.name]) if alike else _constant(spec, rows)
    model = build(arguments, results)
    model.ir_version = ir_version
    return Servable(model.SerializeToString(deterministic=True), tuple(inputs), tuple(outputs))


def _constant(spec: TensorSpec, rows: Var) -> Var:
    value = np.array([[""]]) if spec.dtype == np.object_ else np.zeros((1, 1), spec.dtype)
    shape = op.concat([rows, constant(np.array([max(spec.width, 1)], np.int64))], axis=0)
    full = op.expand(constant(value), shape)
    if spec.width < 0:
        return full
    return op.reshape(full, constant(np.array([-1, spec.width], np.int64)))  # says the width: Triton compares it


def _dtype(spec: TensorSpec) -> type[np.generic] | np.dtype[np.generic]:
    return np.str_ if spec.dtype == np.object_ else spec.dtype


def _width(spec: TensorSpec) -> int | None:
    return None if spec.width < 0 else spec.width
