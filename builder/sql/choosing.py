"""CASE, IF, COALESCE and their kin: a branch that is not taken is not computed, and raises nothing.

Source: If, CaseWhen (conditionalExpressions.scala), Coalesce, NaNvl (nullExpressions.scala), Greatest, Least (arithmetic.scala,
catalyst/expressions, Spark 4.0.1)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.columns import Mask
from builder.graph.idioms import constant, negated
from builder.sql.casting import cast, together
from builder.sql.comparing import below, boolean, compared, truth
from builder.sql.values import BOOLEAN, DOUBLE, STRING, Value, null_value, picked, unsure, where_only


def case(branches: Sequence[tuple[Value, Value]], otherwise: Value | None, ansi: bool) -> Value:
    """The first branch whose condition is true; without one, `otherwise`, or null."""
    *answers, last = together([*(answer for _, answer in branches), otherwise or null_value()], ansi)
    result = last
    left: Var | None = None  # rows that no condition so far has taken
    fails: tuple[Mask, ...] = ()
    slack = None
    steps = []
    for (condition, _), answer in zip(branches, answers, strict=True):
        condition = boolean(condition)
        taken = truth(condition)
        fails += where_only(condition.fails, left)
        fails += where_only(answer.fails, taken if left is None else op.and_(left, taken))
        left = negated(taken) if left is None else op.and_(left, negated(taken))
        steps.append((taken, answer))
        slack = _larger(slack, unsure(condition))
    fails += where_only(last.fails, left)
    for taken, answer in reversed(steps):
        result = picked(taken, answer, result)
    return replace(result, fails=fails, slack=_larger(slack, result.slack), literal=None, origin=None)


def _larger(a: Var | None, b: Var | None) -> Var | None:
    return b if a is None else a if b is None else op.max([a, b])


def coalesce(values: Sequence[Value], ansi: bool) -> Value:
    """The first that is not null; the rest is not computed."""
    *rest, result = together(values, ansi)
    fails: tuple[Mask, ...] = ()
    left: Var | None = None
    for value in (*rest, result):
        fails += where_only(value.fails, left)
        left = value.null() if left is None else op.and_(left, value.null())
    for value in reversed(rest):
        result = picked(value.there(), value, result)
    return replace(result, fails=fails, literal=None, origin=None)


def null_if(a: Value, b: Value, ansi: bool) -> Value:
    """Null where the two are equal, else a, in a's own type."""
    return case([(compared("=", a, b, ansi), null_value())], a, ansi)


def not_null(a: Value) -> Value:
    return Value(BOOLEAN, a.there(), None, a.fails if a.nulls is not None else ())


def nan_or(a: Value, b: Value, ansi: bool) -> Value:
    """nanvl: b where a is NaN; b is computed there alone."""
    if not any(value.kind.fractional for value in (a, b)):
        a, b = cast(a, DOUBLE, ansi), cast(b, DOUBLE, ansi)
    a, b = together([a, b], ansi)
    nan = op.and_(op.isnan(a.var), a.there())
    chosen = picked(nan, b, a)
    return replace(chosen, fails=a.fails + where_only(b.fails, nan), literal=None, origin=None)


def extreme(values: Sequence[Value], ansi: bool, *, greatest: bool) -> Value:
    """The largest or smallest, nulls left out; NaN is the largest; null where all are. Of equal ones the first."""
    if len(values) < 2:
        raise Refused("it compares a single value; Spark itself refuses that.")
    best, *rest = together(values, ansi)
    if best.kind == STRING:
        raise Refused("it orders strings; ONNX can only tell equal ones.")
    fails = tuple(mask for value in values for mask in value.fails)
    for value in rest:
        x, y = (best.var, value.var) if greatest else (value.var, best.var)
        if best.kind == BOOLEAN:
            x, y = op.cast(x, to=np.int32), op.cast(y, to=np.int32)
        better = below(best.kind, x, y)
        if best.nulls is not None or value.nulls is not None:
            better = op.and_(value.there(), op.or_(best.null(), better))
        slack = None
        if best.slack is not None or value.slack is not None:
            slack = op.max([constant(np.array([[0.0]])) if v.slack is None else v.slack for v in (best, value)])
        best = replace(picked(better, value, best), slack=slack)
    return replace(best, fails=fails, literal=None, origin=None)
