"""Mathematical functions of a double. Exact where they are exact in any arithmetic; the others carry 4 ulps of tolerance.

Source: catalyst/expressions/mathExpressions.scala (Spark 4.0.1); Java's StrictMath and C's libm differ in the last bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.idioms import clamped, constant, exp, log
from builder.graph.tolerance import UNIT, exponential_growth, stepped
from builder.sql.casting import cast, quotient_of_ten, rounded_quotient, to_double
from builder.sql.values import DOUBLE, FLOAT, LONG, Kind, Value, any_null, long, strict_fails, unsure

_NAN = constant(np.nan)


def _own(y: Var, ulps: int = 8) -> Var:
    """What rounding alone may differ by, as an absolute tolerance; exact where y is 0, infinite or no number."""
    size = op.mul(op.abs(y), constant(ulps * UNIT))
    odd = op.or_(op.isinf(y), op.isnan(y))
    return op.where(
        odd, constant(0.0), op.where(op.equal(y, constant(0.0)), size, op.max([size, constant(2.0**-1070)]))
    )


def _of(a: Value, y: Var, slope: Callable[[Var], Var] | None, nulls: Var | None = None) -> Value:
    """y = f(a). `slope`: a's tolerance → what y may move by; None: a with a tolerance leaves y undecided."""
    slack = _own(y)
    if a.slack is not None:
        own = unsure(a)
        assert own is not None, "a has a tolerance"
        slack = op.add(slack, own if slope is None else slope(a.slack))
        slack = op.where(op.isnan(slack), constant(np.inf), slack)
    return Value(DOUBLE, y, nulls if nulls is not None else a.nulls, a.fails, slack)


def exponential(a: Value) -> Value:
    a = to_double(a)
    y = exp(a.var)
    return _of(a, y, lambda s: op.mul(y, exponential_growth(s)))


def exponential_less_one(a: Value) -> Value:
    """expm1, also near 0, where exp(x) - 1 would lose its digits: (u - 1) * x / ln u with u = exp(x)."""
    a = to_double(a)
    x, u = a.var, exp(a.var)
    less = op.sub(u, constant(1.0))
    easy = op.or_(op.equal(u, constant(1.0)), op.or_(op.equal(less, constant(-1.0)), op.isinf(u)))
    inner = op.div(op.mul(less, x), log(op.where(easy, constant(2.0), u)))
    y = op.where(op.equal(u, constant(1.0)), x, op.where(easy, less, inner))
    return _of(a, y, lambda s: op.mul(op.add(u, constant(0.0)), exponential_growth(s)))


def _positive(a: Value, low: float = 0.0) -> tuple[Var, Var]:
    """What a logarithm is taken of, and the rows in which it is null: at or below `low`. NaN is above."""
    gone = op.less_or_equal(a.var, constant(low))
    return op.where(gone, constant(1.0), a.var), op.or_(a.null(), gone)


def _log_slope(x: Var) -> Callable[[Var], Var]:
    def slope(s: Var) -> Var:
        ratio = op.div(s, x)
        return op.where(op.less(ratio, constant(0.25)), op.mul(ratio, constant(1.5)), constant(np.inf))

    return slope


def logarithm(a: Value, scale: float = 1.0) -> Value:
    """ln a / scale; null at and below 0."""
    a = to_double(a)
    x, nulls = _positive(a)
    y = log(x) if scale == 1.0 else op.div(log(x), constant(scale))
    slope = _log_slope(x)
    steep = constant(1.0 / abs(scale) if scale else np.inf)
    return _of(a, y, lambda s: op.where(op.equal(s, constant(0.0)), s, op.mul(slope(s), steep)), nulls)


def logarithm_of_one_more(a: Value) -> Value:
    """log1p, also near 0: ln u * (x / (u - 1)) with u = 1 + x; null at and below -1."""
    a = to_double(a)
    x, nulls = _positive(a, -1.0)
    u = op.add(constant(1.0), x)
    less = op.sub(u, constant(1.0))
    easy = op.or_(op.equal(less, constant(0.0)), op.isinf(u))
    y = op.mul(log(u), op.div(x, op.where(easy, constant(1.0), less)))
    y = op.where(op.equal(less, constant(0.0)), x, op.where(op.isinf(u), log(u), y))
    return _of(a, y, None, nulls)


def logarithm_to_base(base: Value, a: Value) -> Value:
    """ln a / ln base; null where either is at or below 0."""
    base, a = to_double(base), to_double(a)
    first, second = logarithm(base), logarithm(a)
    y = op.div(second.var, first.var)
    slack = op.add(_own(y, 24), op.where(op.isinf(y), constant(0.0), constant(0.0)))
    for value in (base, a):
        own = unsure(value)
        slack = slack if own is None else op.add(slack, own)
    near_one = op.less(op.abs(first.var), constant(1e-12))  # a quotient of two nothings
    slack = op.where(op.and_(near_one, op.not_(op.equal(first.var, constant(0.0)))), constant(np.inf), slack)
    return Value(DOUBLE, y, any_null(first, second), strict_fails(base, a), slack)


def power(a: Value, b: Value) -> Value:
    """a^b as Java has it: NaN where b is NaN, and where |a| = 1 and b is infinite."""
    a, b = to_double(a), to_double(b)
    y = op.pow(a.var, b.var)
    one = op.equal(op.abs(a.var), constant(1.0))
    y = op.where(op.or_(op.isnan(b.var), op.and_(one, op.isinf(b.var))), _NAN, y)
    slack = _own(y)
    if a.slack is not None:  # |b| times what a moves by, relative to itself
        moved = op.div(op.mul(op.abs(b.var), a.slack), op.sub(op.abs(a.var), a.slack))
        lost = op.or_(op.greater_or_equal(a.slack, op.abs(a.var)), op.isnan(moved))
        grown = op.mul(op.abs(y), exponential_growth(op.where(lost, constant(np.inf), moved)))
        slack = op.where(op.equal(a.slack, constant(0.0)), slack, op.add(slack, grown))
    own = unsure(b)
    return Value(DOUBLE, y, any_null(a, b), strict_fails(a, b), slack if own is None else op.add(slack, own))


def square_root(a: Value) -> Value:
    """NaN below 0."""
    a = to_double(a)
    y = op.sqrt(a.var)
    slack = None
    if a.slack is not None:
        slack = op.add(op.div(a.slack, y), _own(y))
        slack = op.where(op.greater(op.abs(a.var), a.slack), slack, constant(np.inf))
        settled = op.or_(op.equal(a.slack, constant(0.0)), op.less(op.add(a.var, a.slack), constant(0.0)))
        slack = op.where(settled, constant(0.0), slack)
    return Value(DOUBLE, y, a.nulls, a.fails, slack)


def sign_of(a: Value) -> Value:
    a = to_double(a)
    y = op.where(op.isnan(a.var), _NAN, op.sign(op.where(op.isnan(a.var), constant(0.0), a.var)))
    slack = None
    if a.slack is not None:
        slack = op.where(op.greater(op.abs(a.var), a.slack), constant(0.0), constant(np.inf))
        slack = op.where(op.equal(a.slack, constant(0.0)), constant(0.0), slack)
    return Value(DOUBLE, y, a.nulls, a.fails, slack)


def times(a: Value, factor: float) -> Value:
    """degrees and radians: one multiplication by Java's constant."""
    a = to_double(a)
    y = op.mul(a.var, constant(factor))
    slack = None if a.slack is None else op.mul(a.slack, constant(1.01 * factor))
    return Value(DOUBLE, y, a.nulls, a.fails, slack)


def nearest_even(a: Value) -> Value:
    """rint: a double, halves to the even side."""
    a = to_double(a)
    return Value(DOUBLE, op.round(a.var), a.nulls, a.fails, unsure(a))


def whole(a: Value, *, fails: bool, up: bool) -> Value:
    """floor and ceil: a long of a double (NaN is 0), a decimal of a decimal.

    `fails`: whether a double beyond a long's ends fails, as with ANSI in Spark 4.3. Before, and without, it saturates.
    """
    if a.kind.integral:
        return replace(cast(a, LONG, ansi=False), origin=None, literal=None)
    step = op.ceil if up else op.floor
    if a.kind.name == "decimal":
        places = a.kind.places
        kind = Kind("decimal", min(a.kind.digits - places + 1, 38), 0)
        low = quotient_of_ten(a.var, places)
        rest = op.sub(a.var, op.mul(low, long(10**places)))
        moves = op.greater(rest, long(0)) if up else op.less(rest, long(0))
        by = long(1 if up else -1)
        return Value(kind, op.add(low, op.where(moves, by, long(0))), a.nulls, a.fails)
    a = to_double(a)

    def stepped_to(var: Var) -> Var:
        return clamped(step(var), -(2**63), 2**63 - 1)

    slack = None if a.slack is None else stepped(*(stepped_to(move(a.var, a.slack)) for move in (op.sub, op.add)))
    value = Value(LONG, stepped_to(a.var), a.nulls, a.fails, slack)
    moved, end = step(a.var), constant(2.0**63)
    beyond = op.or_(op.greater(moved, end), op.less(moved, op.neg(end)))
    return value.failing(beyond, "the result overflows") if fails else value


def rounded(a: Value, places: int, *, even: bool) -> Value:
    """round (halves away from zero) and bround (halves to the even side), in the value's own type."""
    if places < 0:
        raise Refused("it rounds in front of the point.", fix="divide first, and multiply back.")
    if a.kind.integral:
        return replace(a, literal=None, origin=None)
    if a.kind.name == "decimal":
        if places >= a.kind.places:
            kind = Kind("decimal", a.kind.digits + 1, a.kind.places)
            return replace(a, kind=kind, literal=None, origin=None)
        if even:
            raise Refused("bround of a decimal.", fix="cast it to double in the statement.")
        kind = Kind("decimal", a.kind.digits - a.kind.places + 1 + places, places)
        return Value(kind, rounded_quotient(a.var, a.kind.places - places), a.nulls, a.fails)
    if a.kind == FLOAT and places:
        raise Refused("round of a float to places behind the point.", fix="cast it to double in the statement.")
    if places > 6:
        raise Refused("it rounds to more than 6 places.", fix="round to fewer.")
    kind = FLOAT if a.kind == FLOAT else DOUBLE
    wide = to_double(a)
    y, loose = _rounded(wide.var, places, even)
    slack = loose
    if wide.slack is not None:
        ends = [_rounded(move(wide.var, wide.slack), places, even)[0] for move in (op.sub, op.add)]
        slack = op.max([stepped(*ends), constant(np.array([[0.0]])) if loose is None else loose])
    return Value(kind, op.cast(y, to=np.float32) if kind == FLOAT else y, a.nulls, a.fails, slack)


def _rounded(x: Var, places: int, even: bool) -> tuple[Var, Var | None]:
    """Spark rounds what Double.toString prints: x lies at a half where it is the double next to one.

    Exact below 2^53 / 10^(places + 1), to no places everywhere; beyond, one last place of tolerance.
    """
    unit = 10.0**places
    size = op.abs(x)
    odd = op.or_(op.isnan(x), op.isinf(x))
    size = op.where(odd, constant(0.0), size)
    large = op.greater_or_equal(size, constant(2.0**53 / (10 * unit) if places else 2.0**52))
    small = op.where(large, constant(0.0), size)
    low = op.floor(op.mul(small, constant(unit)))

    def edge(k: Var) -> Var:  # the double next to (k + 1/2) / unit
        if not places:
            return op.add(k, constant(0.5))
        return op.div(op.add(op.mul(k, constant(10.0)), constant(5.0)), constant(10.0 * unit))

    before = op.sub(low, constant(1.0))
    count = before
    for k in (before, low, op.add(low, constant(1.0))):
        reached = op.greater_or_equal(small, edge(k))
        if even:
            is_odd = op.not_(op.equal(op.mul(op.floor(op.div(k, constant(2.0))), constant(2.0)), k))
            reached = op.or_(op.greater(small, edge(k)), op.and_(reached, is_odd))
        count = op.where(reached, op.add(k, constant(1.0)), count)
    count = op.max([count, constant(0.0)])
    y = op.div(count, constant(unit))
    y = op.where(large, size, y)
    y = op.where(op.less(x, constant(0.0)), op.neg(y), y)
    y = op.where(odd, x, y)
    if not places:
        return y, None
    return y, op.where(op.and_(large, op.less(size, constant(2.0**53))), constant(1.0 / unit), constant(0.0))
