"""A typed value of an expression, and its way from a column and back to one.

Inside, every whole number is int64 whatever its type, a decimal is its digits as int64, a boolean is bool. NaN and null
are apart: `nulls` are the rows that are null. `fails` are the rows at which computing it raises: a branch that is not
taken does not raise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.columns import Column, Mask, Number, Origin, Text, number, text
from builder.graph.idioms import beside_rows, choose, constant, negated
from builder.graph.tolerance import undecided
from builder.types import Scalar

BITS = {"byte": 8, "short": 16, "integer": 32, "long": 64}
_INTEGRAL_DIGITS = {"byte": 3, "short": 5, "integer": 10, "long": 20}
_DTYPES = {"byte": np.int8, "short": np.int16, "integer": np.int32, "long": np.int64, "date": np.int32}
DIGITS = 18  # of a decimal that int64 holds
DOUBLE_DIGITS = 15  # of a decimal that comes back from a double as it was
_CORRECTED = (
    14  # places up to which no decimal of 18 digits lies so near the middle of two doubles that 2^-50 would matter
)


@dataclass(frozen=True)
class Kind:
    """Spark's type of a value: a scalar's name, or `null` of the bare NULL. A decimal has digits in all and behind the point."""

    name: str
    digits: int = 0
    places: int = 0

    def __str__(self) -> str:
        return f"decimal({self.digits},{self.places})" if self.name == "decimal" else self.name

    @property
    def integral(self) -> bool:
        return self.name in BITS

    @property
    def fractional(self) -> bool:
        return self.name in ("float", "double")

    @property
    def numeric(self) -> bool:
        return self.integral or self.fractional or self.name == "decimal"

    @property
    def ends(self) -> tuple[int, int]:
        """The smallest and the largest whole number of the type."""
        half = 1 << (BITS[self.name] - 1)
        return -half, half - 1


NULL, BOOLEAN, STRING = Kind("null"), Kind("boolean"), Kind("string")
INTEGER, LONG, FLOAT, DOUBLE = Kind("integer"), Kind("long"), Kind("float"), Kind("double")


@dataclass(frozen=True)
class Value:
    """[N, 1], or [1, 1] where it is the same in every row. `literal`: what stands in the statement, where it does."""

    kind: Kind
    var: Var
    nulls: Var | None = None
    fails: tuple[Mask, ...] = ()
    slack: Var | None = None
    literal: Any = None
    origin: Origin | None = None

    def null(self) -> Var:
        return constant(np.array([[False]])) if self.nulls is None else self.nulls

    def there(self) -> Var:
        return negated(self.null())

    def nullable(self) -> Value:
        """The same, nullable in Spark's schema though no row may be null: what asks whether it is null computes it."""
        return replace(self, nulls=self.null())

    def failing(self, rows: Var, reason: str) -> Value:
        """The same, raising at `rows` too (where it is not null)."""
        rows = rows if self.nulls is None else op.and_(rows, self.there())
        return replace(self, fails=(*self.fails, Mask(rows, reason)))


def known(kind: Kind, held: Any, literal: Any = None) -> Value:
    """The same value in every row."""
    return Value(kind, constant(np.array([[held]])), literal=literal)


def long(number: int) -> Var:
    """A whole number, as values hold it."""
    return constant(np.array(number, dtype=np.int64))


def null_value(kind: Kind = NULL) -> Value:
    held: Any = "" if kind == STRING else False if kind in (BOOLEAN, NULL) else 0
    if kind.fractional:
        held = np.float32(0) if kind == FLOAT else 0.0
    return replace(known(kind, held), nulls=constant(np.array([[True]])))


def any_null(*values: Value) -> Var | None:
    """Rows in which one of them is null; None where none ever is."""
    return either(*(value.nulls for value in values))


def either(*rows: Var | None) -> Var | None:
    found: Var | None = None
    for each in rows:
        if each is not None:
            found = each if found is None else op.or_(found, each)
    return found


def where_only(fails: Sequence[Mask], rows: Var | None) -> tuple[Mask, ...]:
    """Failures of what is computed in `rows` alone (None: in every row)."""
    if rows is None:
        return tuple(fails)
    return tuple(replace(mask, rows=op.and_(mask.rows, rows)) for mask in fails)


def strict_fails(first: Value, second: Value) -> tuple[Mask, ...]:
    """Of an operator that computes `second` only where `first` is not null."""
    return first.fails + where_only(second.fails, None if first.nulls is None else first.there())


def unsure(*values: Value) -> Var | None:
    """Infinite where one of them has a tolerance: of an answer that hangs on their exact values."""
    slack: Var | None = None
    for value in values:
        if value.slack is not None:
            own = undecided(op.greater(value.slack, constant(0.0)))
            slack = own if slack is None else op.max([slack, own])
    return slack


def picked(condition: Var, then: Value, otherwise: Value) -> Value:
    """Row by row one of two values of one type; failures are the caller's."""
    slack = None
    if then.slack is not None or otherwise.slack is not None:
        zero = constant(np.array([[0.0]]))
        sides = [zero if value.slack is None else value.slack for value in (then, otherwise)]
        slack = op.where(condition, *sides)
    nulls = None
    if then.nulls is not None and otherwise.nulls is not None:
        nulls = choose(condition, then.nulls, otherwise.nulls)
    elif then.nulls is not None:
        nulls = op.and_(condition, then.nulls)
    elif otherwise.nulls is not None:
        nulls = op.and_(negated(condition), otherwise.nulls)
    return Value(then.kind, choose(condition, then.var, otherwise.var), nulls, slack=slack)


def read(column: Column) -> Value:
    """A column's value. Raises Refused where an expression cannot compute with its type."""
    match column:
        case Text():
            nulls = column.is_null() if column.nullable else None
            return Value(STRING, column.var, nulls, origin=column.origin())
        case Number():
            return _number(column)
    raise Refused(
        f"column {column.name!r} is {column.type}; only scalars are computed with.",
        fix="select the column as it is, and compute with it in a stage made for it.",
    )


def _number(column: Number) -> Value:
    nulls = column.is_null() if column.nullable else None
    var, kind = column.var, Kind(column.kind)
    if kind.name == "boolean":
        var = op.cast(op.not_(op.equal(op.cast(var, to=np.int32), constant(np.array(0, dtype=np.int32)))), to=np.bool_)
    elif kind.name == "decimal":
        digits, places = column.digits or (38, 0)
        if digits > DOUBLE_DIGITS:
            raise Refused(
                f"column {column.name!r} is a decimal of more than {DOUBLE_DIGITS} digits, or of an unknown number.",
                fix="cast the column to double before the pipeline, in fitting too.",
            )
        kind = Kind("decimal", digits, places)
        var = _digits_of(var, kind)
    elif not kind.fractional:
        var = op.cast(var, to=np.int64)
    return Value(kind, var, nulls, slack=column.slack, origin=column.origin())


def _digits_of(var: Var, kind: Kind) -> Var:
    """A decimal that travels as a double → its digits as int64; never more than it has."""
    near = op.round(op.mul(var, constant(10.0**kind.places)))
    largest = 10.0**kind.digits - 1
    near = op.where(op.isnan(near), constant(0.0), op.min([op.max([near, constant(-largest)]), constant(largest)]))
    return op.cast(near, to=np.int64)


def double_of(var: Var, kind: Kind) -> Var:
    """A decimal's digits → the nearest double. Raises Refused where a second rounding cannot be ruled out."""
    unit = 10.0**kind.places
    near = op.div(op.cast(var, to=np.float64), constant(unit))
    if kind.digits <= DOUBLE_DIGITS:
        return near
    if kind.places > _CORRECTED:
        raise Refused(f"a {kind} is rounded twice on its way to double.", fix="cast it to double in the statement.")
    # what is left of the digits after near * unit, exactly (Dekker's product), by the unit, is added: one rounding
    high = op.cast(var, to=np.float64)
    low = op.cast(op.sub(var, op.cast(high, to=np.int64)), to=np.float64)
    product = op.mul(near, constant(unit))
    (a, b), (c, d) = _halves(near), _halves(constant(unit))
    error = op.sub(op.mul(b, d), op.sub(op.sub(op.sub(product, op.mul(a, c)), op.mul(b, c)), op.mul(a, d)))
    rest = op.add(op.sub(op.sub(high, product), error), low)
    return op.add(near, op.div(rest, constant(unit)))


def _halves(x: Var) -> tuple[Var, Var]:
    """x as a sum of two doubles of 26 bits (Veltkamp)."""
    large = op.mul(x, constant(2.0**27 + 1))
    high = op.sub(large, op.sub(large, x))
    return high, op.sub(x, high)


def written(value: Value, rows: Var) -> Column:
    """The value as a column of as many rows as `rows` [N, 1] has. Raises Refused where its type cannot travel."""

    def wide(var: Var) -> Var:
        return op.expand(var, beside_rows(rows, 1))

    nulls = None if value.nulls is None else wide(value.nulls)
    kind = value.kind
    origins = () if value.origin is None else (value.origin,)
    if kind == STRING:
        slack = None if value.slack is None else wide(value.slack)
        return text(wide(value.var), nullable=nulls is not None, nulls=nulls, origins=origins, slack=slack)
    var, digits = value.var, None
    match kind.name:
        case "decimal":
            var, digits = double_of(var, kind), (kind.digits, kind.places)
        case "boolean":
            var = op.cast(var, to=np.int8) if nulls is not None else var
        case "null":
            raise Refused("its type is void: it is nothing but NULL.", fix="cast it: CAST(NULL AS DOUBLE).")
        case name if name in _DTYPES:
            var = op.cast(var, to=_DTYPES[name])
    return number(
        wide(var),
        type=Scalar(kind.name),  # type: ignore[arg-type]
        nullable=nulls is not None,
        nulls=nulls,
        slack=None if value.slack is None else wide(value.slack),
        origins=origins,
        digits=digits,
    )


def as_decimal(kind: Kind, literal: Any = None) -> Kind:
    """The decimal that holds every value of a whole number's type, or just this literal."""
    if kind.name == "decimal":
        return kind
    if literal is not None:
        return Kind("decimal", max(len(str(abs(literal))), 1), 0)
    return Kind("decimal", _INTEGRAL_DIGITS[kind.name], 0)
