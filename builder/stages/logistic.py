"""Two classes from one margin, as several models have them."""

from __future__ import annotations

import spox.opset.ai.onnx.v21 as op

from builder.graph.columns import Number, Vector, vector
from builder.graph.idioms import constant, exp
from builder.graph.tolerance import UNIT, logistic_bound
from builder.stages.classifying import slot


def both_sides(margin: Number) -> Vector:
    """m [N, 1] → [-m, m]."""
    slack = None if margin.slack is None else op.concat([margin.slack, margin.slack], axis=1)
    raw = op.concat([op.neg(margin.var), margin.var], axis=1)
    return vector(raw, 2, masks=margin.masks, probes=margin.probes, slack=slack)


def two_class_probability(raw: Vector, steepness: float = 1.0) -> Vector:
    """raw [N, 2] → [p, 1 - p], p = 1 / (1 + exp(-steepness · raw of the first class))."""
    first, slack = slot(raw, 0)
    z = first if steepness == 1.0 else op.mul(constant(steepness), first)
    p = op.div(constant(1.0), op.add(constant(1.0), exp(op.neg(z))))
    other = op.sub(constant(1.0), p)
    bound = None
    if slack is not None:
        moved = logistic_bound(p, op.mul(slack, constant(steepness)))
        bound = op.concat([moved, op.add(moved, op.mul(other, constant(2 * UNIT)))], axis=1)
    return vector(op.concat([p, other], axis=1), 2, masks=raw.masks, slack=bound)
