"""How a tolerance (`slack`, absolute, float64 [N, width]) goes through a step. None: Spark's value to the bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.columns import Column, Number
from builder.graph.idioms import constant
from builder.types import Array

UNIT = 2.0**-53  # u of README's bounds: half the distance from 1 to the next double


def stretched(slack: Var | None, scale: Array | float, y: Var) -> Var | None:
    """Of y = x * scale + a constant, from that of x; the rounding of both sides' steps (at most two each) included."""
    if slack is None:
        return None
    size = np.abs(np.asarray(scale, dtype=np.float64))
    moved = op.add(op.mul(slack, constant(size)), op.mul(op.abs(y), constant(4 * UNIT)))
    still = op.or_(op.equal(slack, constant(0.0)), constant(size == 0))
    return op.where(still, constant(0.0), moved)


def decided(slack: Var | None) -> Var | None:
    """Of an answer that equality decides: infinite where x has a tolerance, else 0."""
    return None if slack is None else _infinite(op.greater(slack, constant(0.0)))


def stepped(low: Var, high: Var) -> Var:
    """Of an answer that rises in steps, from its values at both ends of x's tolerance: infinite where they differ."""
    return _infinite(op.not_(op.equal(low, high)))


def ends(x: Column) -> tuple[Var, Var] | None:
    """x less and plus its tolerance, float64; None where it has none."""
    if x.slack is None:
        return None
    value = x.double() if isinstance(x, Number) else x.var
    return op.sub(value, x.slack), op.add(value, x.slack)


def beside(columns: Sequence[tuple[Column, int]]) -> Var | None:
    """Of columns put side by side, each given with its width; None where all are Spark's to the bit."""
    if all(column.slack is None for column, _ in columns):
        return None
    parts = [
        op.expand(constant(np.zeros((1, width))), op.shape(column.var)) if column.slack is None else column.slack
        for column, width in columns
    ]
    return op.concat(parts, axis=1)


def _infinite(undecided: Var) -> Var:
    return op.where(undecided, constant(np.inf), constant(0.0))
