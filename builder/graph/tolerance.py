"""How a tolerance (`slack`, absolute, float64 [N, width]) goes through a step. None: Spark's value to the bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.columns import Column, Number
from builder.graph.idioms import any_of, constant, dot, exp, picked
from builder.types import Array

UNIT = 2.0**-53  # u of README's bounds: half the distance from 1 to the next double
_SUBNORMAL = 2.0**-1070  # 16 of the smallest steps: what relative bounds forget of numbers below 1e-308


def stretched(slack: Var | None, scale: Array | float, y: Var) -> Var | None:
    """Of y = x * scale + a constant, from that of x; the rounding of both sides' steps (at most two each) included."""
    if slack is None:
        return None
    size = np.abs(np.asarray(scale, dtype=np.float64))
    moved = op.add(op.mul(slack, constant(size)), op.mul(op.abs(y), constant(4 * UNIT)))
    still = op.or_(op.or_(op.equal(slack, constant(0.0)), constant(size == 0)), op.isnan(y))
    return op.where(still, constant(0.0), moved)


def decided(slack: Var | None) -> Var | None:
    """Of an answer that equality decides: infinite where x has a tolerance, else 0."""
    return None if slack is None else undecided(op.greater(slack, constant(0.0)))


def stepped(low: Var, high: Var) -> Var:
    """Of an answer that rises in steps, from its values at both ends of x's tolerance: infinite where they differ."""
    return undecided(op.not_(op.equal(low, high)))


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


def undecided(rows: Var) -> Var:
    """Infinite where true, else 0."""
    return op.where(rows, constant(np.inf), constant(0.0))


def outdone(values: Var, slack: Var, winner: Var, width: int) -> Var:
    """Of an argmax over values [N, K]: infinite where another value comes within both tolerances of the winner's, else 0."""
    here = op.equal(constant(np.arange(width, dtype=np.float64)), winner)
    slack = op.expand(slack, op.shape(values))
    both = op.add(slack, picked(slack, winner))
    reaches = op.greater_or_equal(op.add(values, both), picked(values, winner))
    close = op.or_(op.and_(reaches, op.not_(op.isinf(values))), op.isinf(both))  # infinity is met exactly
    rivals = op.and_(op.and_(close, op.greater(both, constant(0.0))), op.not_(here))
    return undecided(any_of(rivals))


def dot_bound(sizes: Var, terms: int) -> Var:
    """min(2(n + 4), 32)·u·Σ|xᵢwᵢ| of a sum of n terms whose Σ|xᵢwᵢ| is `sizes`."""
    return op.mul(sizes, constant(min(2 * (terms + 4), 32) * UNIT))


def weighed(x: Var, slack: Var | None, weights: Array, intercepts: Array | float | None = None) -> Var:
    """Of y = Σ xᵢwᵢ + intercept, x [N, F], weights [F, K]: the bound of its terms, and what x's tolerance adds.

    Where a slot is infinite or no number, so is the sum in any order; the bound is that of the others.
    """
    finite = op.where(op.or_(op.isnan(x), op.isinf(x)), constant(0.0), op.abs(x))
    sizes, terms = dot(finite, np.abs(weights)), len(weights)
    if intercepts is not None:
        sizes = op.add(sizes, constant(np.where(np.isfinite(intercepts), np.abs(intercepts), 0.0)))
        terms += 1
    bound = dot_bound(sizes, terms)
    if slack is None:
        return bound
    lost = op.isinf(slack)
    moved = dot(op.where(lost, constant(0.0), slack), np.abs(weights))
    return op.where(any_of(lost), constant(np.inf), op.add(bound, moved))


def exponential_growth(slack: Var) -> Var:
    """How much larger or smaller, relative to itself, e^z may be: e^slack - 1, and 4 ulps; infinite where slack is above 1."""
    small = op.mul(slack, constant(1.001))  # e^s - 1 ≤ 1.001 s up to s = 0.001
    some = op.sub(exp(op.min([slack, constant(1.0)])), constant(1.0))
    growth = op.where(op.less(slack, constant(1e-3)), small, some)
    return op.where(op.greater(slack, constant(1.0)), constant(np.inf), op.add(growth, constant(8 * UNIT)))


def logistic_bound(p: Var, slack: Var) -> Var:
    """Of p = 1 / (1 + e^-z), from z's tolerance: p(1 - p) times e^-z's growth, and the rounding of sum and quotient."""
    growth = exponential_growth(slack)
    spread = op.mul(op.mul(p, op.sub(constant(1.0), p)), growth)
    return shared_bound(p, op.where(op.isinf(growth), growth, op.add(spread, op.mul(p, constant(4 * UNIT)))))


def shared_bound(p: Var, bound: Var) -> Var:
    """A probability's bound: a step of the smallest numbers more, and none where it is no number."""
    steps = op.where(op.greater(p, constant(0.0)), constant(_SUBNORMAL), constant(0.0))
    return op.where(op.isnan(p), constant(0.0), op.add(bound, steps))


def product_bound(low: Var, high: Var, factors: int) -> Var:
    """Of a product of so many factors, from Π|x| and Π(|x| + slack): 0 where no factor has a tolerance."""
    moved = op.sub(high, low)
    lost = op.or_(op.isnan(moved), op.isinf(moved))
    bound = op.add(moved, op.mul(high, constant(4 * factors * UNIT)))
    return op.where(lost, constant(np.inf), op.where(op.equal(low, high), constant(0.0), bound))
