"""Exact decimals of at most 18 digits, as whole numbers of their last place.

Source: DecimalPrecision, Decimal (sql/catalyst, Spark 4.0.1), with spark.sql.decimalOperations.allowPrecisionLoss as it is by default
"""

from __future__ import annotations

import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.sql.casting import cast, wider_decimal
from builder.sql.values import DIGITS, Kind, Value, any_null, as_decimal, long, strict_fails

_FIX = "cast to double in the statement."


def own(value: Value) -> Kind:
    """The decimal type that a value of an exact type has when it meets a decimal; a literal has just its own digits."""
    literal = value.literal if isinstance(value.literal, int) and not isinstance(value.literal, bool) else None
    return as_decimal(value.kind, literal)


def _held(kind: Kind, what: str) -> Kind:
    if kind.digits > DIGITS:
        raise Refused(f"{what} is a {kind}: more than {DIGITS} digits.", fix=_FIX)
    return kind


def combined(sign: str, a: Value, b: Value) -> Value:
    """+ - * of two decimals."""
    p, s, q, t = a.kind.digits, a.kind.places, b.kind.digits, b.kind.places
    nulls, fails = any_null(a, b), strict_fails(a, b)
    if sign == "*":
        kind = _held(Kind("decimal", p + q + 1, s + t), "the product")
        return Value(kind, op.mul(a.var, b.var), nulls, fails)
    places = max(s, t)
    kind = _held(Kind("decimal", max(p - s, q - t) + places + 1, places), "the sum")
    first, second = (op.mul(value.var, long(10 ** (places - value.kind.places))) for value in (a, b))
    return Value(kind, op.add(first, second) if sign == "+" else op.sub(first, second), nulls, fails)


def aligned(a: Value, b: Value) -> tuple[Value, Value]:
    """Both with the same places, for % and comparisons."""
    kind = _held(wider_decimal(a.kind, b.kind), "what both fit into")
    return cast(a, kind, False), cast(b, kind, False)


def rest(a: Kind, b: Kind) -> Kind:
    """The type of a % b."""
    places = max(a.places, b.places)
    return Kind("decimal", min(a.digits - a.places, b.digits - b.places) + places, places)


def quotient(a: Value, b: Value, zero: Var) -> Value:
    """a / b, halves away from zero; `zero`: rows where b is 0. Nulls and failures are the caller's."""
    p, s, q, t = a.kind.digits, a.kind.places, b.kind.digits, b.kind.places
    whole, places = p - s + t, max(6, s + q + 1)
    kind = _held(Kind("decimal", whole + places, places), "the quotient")
    _held(Kind("decimal", p + places - s + t, 0), "the quotient")
    above = op.mul(a.var, long(10 ** (places - s + t)))
    below = op.where(zero, long(1), b.var)
    full = op.div(above, below)
    rest = op.sub(above, op.mul(full, below))
    up = op.greater_or_equal(op.abs(rest), op.sub(op.abs(below), op.abs(rest)))
    minus = op.xor(op.less(above, long(0)), op.less(below, long(0)))
    away = op.where(minus, long(-1), long(1))
    return Value(kind, op.add(full, op.where(up, away, long(0))))
