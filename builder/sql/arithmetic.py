"""+ - * / % div, pmod, signs: in Spark's types, by zero and beyond the ends as Spark does with and without ANSI.

Source: Add, Subtract, Multiply, Divide, IntegralDivide, Remainder, Pmod, UnaryMinus, Abs (catalyst/expressions/arithmetic.scala,
Spark 4.0.1)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.idioms import constant, remainder
from builder.graph.tolerance import UNIT
from builder.sql import decimals
from builder.sql.casting import cast, outside, to_double, together, wrapped
from builder.sql.values import DOUBLE, LONG, Kind, Value, any_null, long, strict_fails, unsure

_ZERO, _ONE, _MINUS = long(0), long(1), long(-1)
_OVERFLOW, _BY_ZERO = "the result overflows", "division by zero"


def add(a: Value, b: Value, ansi: bool) -> Value:
    return _combined("+", a, b, ansi)


def subtract(a: Value, b: Value, ansi: bool) -> Value:
    return _combined("-", a, b, ansi)


def multiply(a: Value, b: Value, ansi: bool) -> Value:
    return _combined("*", a, b, ansi)


def _numbers(a: Value, b: Value, ansi: bool) -> tuple[Value, Value]:
    """Both in the type of the operation; decimals and whole numbers each as their own decimal."""
    for value in (a, b):
        if not value.kind.numeric and value.kind.name != "null":
            raise Refused(f"it computes with a {value.kind}.", fix="cast it to a number before the pipeline.")
    if a.kind.name == b.kind.name == "null":
        return to_double(a), to_double(b)
    if "decimal" not in (a.kind.name, b.kind.name) or a.kind.fractional or b.kind.fractional:
        first, second = together([a, b], ansi)
        return first, second
    if "null" in (a.kind.name, b.kind.name):
        first, second = together([a, b], ansi)
        return first, second
    return tuple(cast(value, decimals.own(value), ansi) for value in (a, b))  # type: ignore[return-value]


def _combined(sign: str, a: Value, b: Value, ansi: bool) -> Value:
    a, b = _numbers(a, b, ansi)
    if a.kind.name == "decimal":
        return decimals.combined(sign, a, b)
    nulls, fails = any_null(a, b), strict_fails(a, b)
    operate: Callable[[Var, Var], Var] = {"+": op.add, "-": op.sub, "*": op.mul}[sign]
    var = operate(a.var, b.var)
    if a.kind.fractional:
        return Value(a.kind, var, nulls, fails, _slack(sign, a, b, var))
    beyond = outside(var, a.kind) if a.kind != LONG else _OVERFLOWS[sign](a.var, b.var, var)
    value = Value(a.kind, wrapped(var, a.kind), nulls, fails, unsure(a, b))
    assert beyond is not None, "a long's overflow is told by its own test"
    return value.failing(beyond, _OVERFLOW) if ansi else value


def _slack(sign: str, a: Value, b: Value, y: Var) -> Var | None:
    if a.slack is None and b.slack is None:
        return None
    zero = constant(np.array([[0.0]]))
    s, t = (zero if value.slack is None else value.slack for value in (a, b))
    u = UNIT if a.kind == DOUBLE else 2.0**-24
    x, w, y = (op.abs(op.cast(var, to=np.float64)) for var in (a.var, b.var, y))
    moved = op.add(s, t) if sign != "*" else op.add(op.add(op.mul(x, t), op.mul(w, s)), op.mul(s, t))
    exact = op.and_(op.equal(s, constant(0.0)), op.equal(t, constant(0.0)))
    moved = op.add(moved, op.mul(y, constant(4 * u)))
    lost = op.or_(op.isinf(s), op.isinf(t))
    moved = op.where(lost, constant(np.inf), op.where(op.isnan(moved), constant(0.0), moved))
    return op.where(exact, constant(0.0), moved)


def _add_overflows(a: Var, b: Var, y: Var) -> Var:
    return op.xor(op.less(b, _ZERO), op.less(y, a))


def _subtract_overflows(a: Var, b: Var, y: Var) -> Var:
    return op.xor(op.greater(b, _ZERO), op.less(y, a))


def _multiply_overflows(a: Var, b: Var, y: Var) -> Var:
    smallest = long(-(2**63))
    easy = op.or_(op.equal(a, _ZERO), op.equal(a, _MINUS))
    back = op.div(y, op.where(easy, _ONE, a))
    turned = op.and_(op.equal(a, _MINUS), op.equal(b, smallest))
    return op.or_(turned, op.and_(op.not_(easy), op.not_(op.equal(back, b))))


_OVERFLOWS = {"+": _add_overflows, "-": _subtract_overflows, "*": _multiply_overflows}


def divide(a: Value, b: Value, ansi: bool) -> Value:
    """`/`: double, or decimal where both are exact and one is a decimal. Zero below: null, with ANSI a failure."""
    exact = all(value.kind.integral or value.kind.name == "decimal" for value in (a, b))
    if exact and "decimal" in (a.kind.name, b.kind.name):
        a, b = (cast(value, decimals.own(value), ansi) for value in (a, b))
        zero = op.equal(b.var, _ZERO)
        return _by(a, b, ansi, zero, lambda: decimals.quotient(a, b, zero))
    a, b = to_double(a), to_double(b)
    var = op.div(a.var, b.var)
    slack = None
    if a.slack is not None or b.slack is not None:
        none = constant(np.array([[0.0]]))
        s, t = (none if value.slack is None else value.slack for value in (a, b))
        room = op.sub(op.abs(b.var), t)
        moved = op.div(op.add(s, op.mul(op.abs(var), t)), room)
        moved = op.add(moved, op.mul(op.abs(var), constant(4 * UNIT)))
        lost = op.or_(op.less_or_equal(room, constant(0.0)), op.or_(op.isinf(s), op.isinf(t)))
        still = op.and_(op.equal(s, constant(0.0)), op.equal(t, constant(0.0)))
        moved = op.where(op.isnan(moved), constant(0.0), moved)
        slack = op.where(still, constant(0.0), op.where(lost, constant(np.inf), moved))
    return _by(a, b, ansi, op.equal(b.var, constant(0.0)), lambda: Value(DOUBLE, var, slack=slack))


def _by(a: Value, b: Value, ansi: bool, zero: Var, answer: Callable[[], Value]) -> Value:
    """Spark computes what stands below first; where it is null (or zero, without ANSI) the other is not computed."""
    seen = b if ansi else replace(b, nulls=op.or_(b.null(), zero))
    value = replace(answer(), nulls=any_null(a, seen), fails=strict_fails(seen, a))
    return value.failing(zero, _BY_ZERO).nullable() if ansi else value


def integral_divide(a: Value, b: Value, ansi: bool) -> Value:
    """`div`: long, truncated towards zero; the smallest long by -1 stays, with ANSI it fails."""
    if not all(value.kind.integral or value.kind.name == "null" for value in (a, b)):
        raise Refused(f"div of {a.kind} and {b.kind}.", fix="cast both to bigint in the statement.")
    a, b = cast(a, LONG, ansi), cast(b, LONG, ansi)
    zero, turned = op.equal(b.var, _ZERO), op.equal(b.var, _MINUS)
    whole = op.div(a.var, op.where(op.or_(zero, turned), _ONE, b.var))
    var = op.where(turned, op.neg(a.var), whole)
    value = _by(a, b, ansi, zero, lambda: Value(LONG, var, slack=unsure(a, b)))
    ends = op.and_(turned, op.equal(a.var, long(-(2**63))))
    return value.failing(ends, _OVERFLOW) if ansi else value


def modulo(a: Value, b: Value, ansi: bool) -> Value:
    """`%`: the sign is the left's."""
    a, b, kind = _same(a, b, ansi)
    zero = op.equal(b.var, _zero(kind))
    var = _rest(a.var, b.var, kind)
    return _by(a, b, ansi, zero, lambda: Value(kind, var, slack=unsure(a, b)))


def positive_modulo(a: Value, b: Value, ansi: bool) -> Value:
    """pmod: r = a % n; where r is below zero, (r + n) % n."""
    a, b, kind = _same(a, b, ansi)
    zero = op.equal(b.var, _zero(kind))
    rest = _rest(a.var, b.var, kind)
    moved = op.add(rest, b.var)
    if kind.name == "integer":
        moved = wrapped(moved, kind)
    var = op.where(op.less(rest, _zero(kind)), _rest(moved, b.var, kind), rest)
    return _by(a, b, ansi, zero, lambda: Value(kind, var, slack=unsure(a, b)))


def _same(a: Value, b: Value, ansi: bool) -> tuple[Value, Value, Kind]:
    """Both in one type, and the type of what is left."""
    first, second = _numbers(a, b, ansi)
    if first.kind.name != "decimal":
        return first, second, first.kind
    return *decimals.aligned(first, second), decimals.rest(first.kind, second.kind)


def _zero(kind: Kind) -> Var:
    return constant(np.zeros((), dtype={"float": np.float32, "double": np.float64}.get(kind.name, np.int64)))


def _rest(a: Var, b: Var, kind: Kind) -> Var:
    """Java's %; whole numbers by 0 and -1 leave 0, whoever asks masks the first."""
    if kind.fractional:
        return remainder(a, b)
    easy = op.or_(op.equal(b, _ZERO), op.equal(b, _MINUS))
    below = op.where(easy, _ONE, b)
    return op.where(easy, _ZERO, op.sub(a, op.mul(op.div(a, below), below)))


def negative(a: Value, ansi: bool) -> Value:
    a = to_double(a) if a.kind.name == "null" else a
    if not a.kind.numeric:
        raise Refused(f"it negates a {a.kind}.")
    literal = -a.literal if isinstance(a.literal, int | float | Decimal) and not isinstance(a.literal, bool) else None
    return replace(_turned(a, op.neg(a.var), ansi), literal=literal, slack=a.slack, origin=None)


def absolute(a: Value, ansi: bool) -> Value:
    a = to_double(a) if a.kind.name == "null" else a
    if not a.kind.numeric:
        raise Refused(f"it takes abs of a {a.kind}.")
    return replace(_turned(a, op.abs(a.var), ansi), literal=None, slack=a.slack, origin=None)


def _turned(a: Value, var: Var, ansi: bool) -> Value:
    if not a.kind.integral:
        return replace(a, var=var)
    value = replace(a, var=wrapped(var, a.kind))
    smallest = op.equal(a.var, long(a.kind.ends[0]))
    return value.failing(smallest, _OVERFLOW) if ansi else value
