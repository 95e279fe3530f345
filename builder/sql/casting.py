"""From one type to another: what CAST says, and what Spark does by itself where two types meet.

Source: Cast, TypeCoercion, AnsiTypeCoercion, DecimalPrecision (sql/catalyst, Spark 4.0.1)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.idioms import clamped, constant
from builder.graph.tolerance import UNIT, stepped
from builder.sql.values import (
    BITS,
    DIGITS,
    DOUBLE,
    FLOAT,
    STRING,
    Kind,
    Value,
    as_decimal,
    double_of,
    long,
    null_value,
    unsure,
)

_ORDER = ("byte", "short", "integer", "long", "float", "double")


def common(kinds: Sequence[Kind], ansi: bool) -> Kind | None:
    """The type in which values of these types are compared or returned as one; None where Spark has none that we say."""
    found = kinds[0]
    for kind in kinds[1:]:
        meet = _common(found, kind, ansi)
        if meet is None:
            return None
        found = meet
    return found


def _common(a: Kind, b: Kind, ansi: bool) -> Kind | None:
    if a == b or b.name == "null":
        return a
    if a.name == "null":
        return b
    if not (a.numeric and b.numeric):
        return None
    if "decimal" in (a.name, b.name):
        if a.fractional or b.fractional:
            return DOUBLE
        return wider_decimal(as_decimal(a), as_decimal(b))
    wide = a if _ORDER.index(a.name) >= _ORDER.index(b.name) else b
    return DOUBLE if wide == FLOAT and ansi else wide


def wider_decimal(a: Kind, b: Kind) -> Kind:
    places = max(a.places, b.places)
    return Kind("decimal", max(a.digits - a.places, b.digits - b.places) + places, places)


def together(values: Sequence[Value], ansi: bool, *, literals: bool = False) -> list[Value]:
    """The values in their common type. `literals`: a whole number that stands in the statement has just its own digits."""
    kinds = [value.kind for value in values]
    if literals and any(kind.name == "decimal" for kind in kinds) and all(kind.numeric for kind in kinds):
        kinds = [
            as_decimal(value.kind, value.literal) if value.kind.integral and value.literal is not None else value.kind
            for value in values
        ]
    kind = common(kinds, ansi)
    if kind is None:
        told = ", ".join(dict.fromkeys(str(value.kind) for value in values))
        raise Refused(f"it brings {told} together.", fix="cast one of them in the statement.")
    return [cast(value, kind, ansi) for value in values]


def cast(value: Value, to: Kind, ansi: bool, *, tries: bool = False) -> Value:
    """CAST(value AS to). Where the value does not fit: another number or null without ANSI, a failure with it, null where `tries`."""
    source = value.kind
    if source == to:
        return value
    if source.name == "null":
        return replace(null_value(to), fails=value.fails)
    if to.name == "boolean" and source.numeric:
        zero = np.float32(0) if source == FLOAT else 0.0 if source == DOUBLE else 0
        return _moved(value, to, op.not_(op.equal(value.var, constant(np.asarray(zero)))), _decided(value))
    if not to.numeric or not (source.numeric or source.name == "boolean"):
        raise Refused(
            f"a {source} cannot be cast to {to} here: numbers and text print and parse as Java does, not as ONNX does."
            if STRING in (source, to)
            else f"a {source} is not cast to {to} here.",
            fix="do it before the pipeline, or compare with literals of the column's own type.",
        )
    if source.name == "boolean":
        value = replace(value, kind=Kind("byte"), var=op.cast(value.var, to=np.int64), literal=None)
        return value if to.name == "byte" else cast(value, to, ansi)
    if to.name == "decimal":
        return _to_decimal(value, to, ansi, tries)
    if to.fractional:
        return _to_fractional(value, to)
    return _to_integral(value, to, ansi, tries)


def _moved(value: Value, to: Kind, var: Var, slack: Var | None = None) -> Value:
    return Value(to, var, value.nulls, value.fails, slack, origin=value.origin if to.fractional else None)


def _decided(value: Value) -> Var | None:
    return unsure(value)


def to_double(value: Value) -> Value:
    """Any number as double, as every mathematical function takes it."""
    if value.kind.name not in ("null",) and not value.kind.numeric:
        raise Refused(
            f"it computes with a {value.kind}.", fix="cast it to a number in the statement, where Spark does."
        )
    return cast(value, DOUBLE, ansi=False)


def _to_fractional(value: Value, to: Kind) -> Value:
    if value.kind.name == "decimal":
        if isinstance(value.literal, Decimal):  # of any number of digits
            near = float(value.literal)
            held = np.float32(near) if to == FLOAT else near
            return replace(_moved(value, to, constant(np.array([[held]]))), literal=near)
        if to == FLOAT:
            raise Refused(f"a {value.kind} is rounded twice on its way to {to}.", fix="cast it to double before.")
        return _moved(value, to, double_of(value.var, value.kind))
    if value.kind.integral and isinstance(value.literal, int) and to == DOUBLE:
        near = float(value.literal)
        return replace(_moved(value, to, constant(np.array([[near]]))), literal=near)
    slack = value.slack
    if slack is not None and to == FLOAT:
        slack = op.add(slack, op.mul(op.abs(op.cast(value.var, to=np.float64)), constant(2.0**-23)))
    if value.kind == FLOAT and slack is not None:
        slack = op.add(slack, constant(UNIT))
    moved = _moved(value, to, op.cast(value.var, to=np.float32 if to == FLOAT else np.float64), slack)
    small = isinstance(value.literal, int | float) and to == DOUBLE
    return replace(moved, literal=float(value.literal) if small else None)


def wrapped(var: Var, kind: Kind) -> Var:
    """int64 → the number that is left of it in so many bits, as Java's narrowing leaves it."""
    if kind.name == "long":
        return var
    dtype = {"byte": np.int8, "short": np.int16, "integer": np.int32}[kind.name]
    return op.cast(op.cast(var, to=dtype), to=np.int64)


def outside(var: Var, kind: Kind) -> Var | None:
    """Rows whose int64 is beyond the type's ends; None where none can be."""
    if kind.name == "long":
        return None
    low, high = kind.ends
    return op.or_(op.less(var, long(low)), op.greater(var, long(high)))


def _to_integral(value: Value, to: Kind, ansi: bool, tries: bool) -> Value:
    source = value.kind
    if source.fractional:
        return _truncated(value, to, ansi, tries)
    if source.name == "decimal":
        whole = quotient_of_ten(value.var, source.places)
        value = replace(value, var=whole, kind=Kind("long"), slack=None).nullable()
        return value if to.name == "long" else _to_integral(value, to, ansi, tries)
    beyond = outside(value.var, to) if BITS[to.name] < BITS[source.name] else None
    moved = _moved(value, to, value.var if beyond is None else wrapped(value.var, to), value.slack)
    moved = replace(moved, literal=value.literal if beyond is None else None)
    return moved if beyond is None else _unfit(moved, beyond, ansi, tries, f"is no {to}")


def _truncated(value: Value, to: Kind, ansi: bool, tries: bool) -> Value:
    """A double or float → whole: Java saturates (through int where the type is smaller); ANSI wants it inside."""
    wide = op.cast(value.var, to=np.float64)
    end = 1 << (BITS[to.name] - 1)

    def whole(var: Var) -> Var:
        bits = 64 if to.name == "long" else 32
        return wrapped(clamped(var, -(1 << (bits - 1)), (1 << (bits - 1)) - 1), to)

    slack = None
    if value.slack is not None:
        slack = stepped(*(whole(move(wide, value.slack)) for move in (op.sub, op.add)))
    moved = _moved(value, to, whole(wide), slack).nullable()
    if not (ansi or tries):
        return moved
    # floor(x) <= upper and ceil(x) >= lower; Long.MaxValue as a double is 2^63, which Java's comparison lets through
    upper = float(2**63) if to.name == "long" else float(end - 1)
    fits = op.and_(
        op.less_or_equal(op.floor(wide), constant(upper)), op.greater_or_equal(op.ceil(wide), constant(float(-end)))
    )
    return _unfit(moved, op.not_(fits), ansi, tries, f"is no {to}")


def _unfit(value: Value, rows: Var, ansi: bool, tries: bool, reason: str) -> Value:
    if tries:
        return replace(value, nulls=op.or_(value.null(), rows))
    return value.failing(rows, f"the value cast {reason}") if ansi else value


def quotient_of_ten(var: Var, places: int) -> Var:
    """int64 by 10^places, truncated towards zero."""
    return var if places == 0 else op.div(var, long(10**places))


def rounded_quotient(var: Var, places: int) -> Var:
    """int64 by 10^places, halves away from zero."""
    if places == 0:
        return var
    unit = 10**places
    whole = op.div(var, long(unit))
    rest = op.sub(var, op.mul(whole, long(unit)))
    up = op.greater_or_equal(op.abs(rest), long(unit // 2))
    away = op.where(op.less(var, long(0)), long(-1), long(1))
    return op.add(whole, op.where(up, away, long(0)))


def _to_decimal(value: Value, to: Kind, ansi: bool, tries: bool) -> Value:
    source = as_decimal(value.kind, value.literal) if not value.kind.fractional else None
    if source is None:
        raise Refused(f"a {value.kind} cast to {to} is rounded as Java prints it.", fix="keep it a double.")
    more = to.places - source.places
    if to.digits > DIGITS or max(source.digits, source.digits + more) > DIGITS:
        raise Refused(f"a {source} as {to} takes more than {DIGITS} digits.", fix="cast to double in the statement.")
    var = op.mul(value.var, long(10**more)) if more > 0 else rounded_quotient(value.var, -more)
    moved = replace(_moved(value, to, var), literal=value.literal)
    if to.digits - to.places >= source.digits - source.places + (more < 0):
        return moved
    beyond = op.greater_or_equal(op.abs(var), long(10**to.digits))
    moved = replace(moved, literal=None).nullable()
    return _unfit(moved, beyond, ansi, tries or not ansi, f"is no {to}")
