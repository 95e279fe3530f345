"""= <> < <= > >= <=>, IN, BETWEEN, IS NULL, and AND, OR, NOT in three-valued logic.

NaN equals NaN and is above every number; -0.0 equals 0.0.
Source: BinaryComparison, In, And, Or, Not (catalyst/expressions/predicates.scala, Spark 4.0.1)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import reduce

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.idioms import any_of as row_any
from builder.graph.idioms import constant
from builder.graph.tolerance import undecided
from builder.sql.casting import together
from builder.sql.literals import Listed
from builder.sql.values import (
    BOOLEAN,
    LONG,
    STRING,
    Kind,
    Value,
    any_null,
    known,
    null_value,
    strict_fails,
    unsure,
    where_only,
)

_HASHED = 10  # literals of an IN list beyond which Spark looks a value up by its bits


def compared(sign: str, a: Value, b: Value, ansi: bool) -> Value:
    """One of = < <= > >=: null where either is null."""
    a, b = _sides(sign, a, b, ansi)
    return Value(BOOLEAN, _holds(sign, a, b), any_null(a, b), strict_fails(a, b), _undecided(a, b))


def _sides(sign: str, a: Value, b: Value, ansi: bool) -> tuple[Value, Value]:
    if {a.kind.name, b.kind.name} == {"long", "decimal"} and (a.literal is None) != (b.literal is None):
        return _long_sides(sign, a, b)
    a, b = together([a, b], ansi, literals=True)
    if a.kind == STRING and sign != "=":
        raise Refused(
            f"it orders strings ({sign}); ONNX can only tell equal ones.", fix="compare strings with = or IN."
        )
    if a.kind.name == "null":
        a, b = (replace(value, kind=BOOLEAN) for value in (a, b))
    return a, b


def _long_sides(sign: str, a: Value, b: Value) -> tuple[Value, Value]:
    """A long beside a decimal literal, which would take more digits than int64 has: beside the next whole number instead."""
    if a.literal is not None:
        turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)
        second, first = _long_sides(turned, b, a)
        return first, second
    if a.kind != LONG:
        raise Refused(f"it compares a {a.kind} with a bigint.", fix="cast to double in the statement.")
    number = Decimal(b.literal)
    whole = number == number.to_integral_value()
    if sign == "=" and not whole:
        raise Refused(f"it compares a bigint with {b.literal}: they are never equal.")
    edge = math.ceil(number) if sign in ("<", ">=") else math.floor(number)
    if not -(2**63) <= edge < 2**63:
        raise Refused(f"it compares a bigint with {b.literal}, which no bigint reaches.")
    return a, known(LONG, np.int64(edge), edge)


def _holds(sign: str, a: Value, b: Value) -> Var:
    x, y = a.var, b.var
    if a.kind == BOOLEAN and sign != "=":
        x, y = op.cast(x, to=np.int32), op.cast(y, to=np.int32)
    match sign:
        case "=":
            equal = op.equal(x, y)
            return equal if not a.kind.fractional else op.or_(equal, op.and_(op.isnan(x), op.isnan(y)))
        case "<":
            return below(a.kind, x, y)
        case ">":
            return below(a.kind, y, x)
        case "<=":
            return op.not_(below(a.kind, y, x))
    return op.not_(below(a.kind, x, y))


def below(kind: Kind, x: Var, y: Var) -> Var:
    less = op.less(x, y)
    return less if not kind.fractional else op.or_(less, op.and_(op.isnan(y), op.not_(op.isnan(x))))


def _undecided(a: Value, b: Value) -> Var | None:
    """Infinite where the two come within their tolerances of one another."""
    if not a.kind.fractional or (a.slack is None and b.slack is None):
        return unsure(a, b)
    zero = constant(np.array([[0.0]]))
    s, t = (zero if value.slack is None else value.slack for value in (a, b))
    both = op.add(s, t)
    apart = op.abs(op.sub(op.cast(a.var, to=np.float64), op.cast(b.var, to=np.float64)))
    close = op.or_(op.less_or_equal(apart, both), op.isinf(both))
    return undecided(op.and_(close, op.greater(both, constant(0.0))))


def null_safe(a: Value, b: Value, ansi: bool) -> Value:
    """<=>: two nulls are equal; never null. Both sides are always computed."""
    fails = a.fails + b.fails
    a, b = _sides("=", a, b, ansi)
    equal = _holds("=", a, b)
    if a.nulls is not None or b.nulls is not None:
        equal = op.or_(
            op.and_(equal, op.and_(a.there(), b.there())),
            op.and_(a.null(), b.null()),
        )
    return Value(BOOLEAN, equal, None, fails, _undecided(a, b))


def among(a: Value, choices: Sequence[Value], ansi: bool) -> Value:
    """IN: true where one is equal; else null where a is null or one of them is; the list is read up to the equal one."""
    first, *rest = together([a, *choices], ansi)
    zero = any(choice.literal is not None and choice.literal == 0 for choice in choices)
    if first.kind.fractional and zero and len({choice.literal for choice in choices}) > _HASHED:
        raise Refused(f"it looks for 0 in a list of more than {_HASHED} numbers, where Spark tells 0.0 from -0.0.")
    if first.kind.name == "null":
        first, *rest = (replace(value, kind=BOOLEAN) for value in (first, *rest))
    found, unknown = constant(np.array([[False]])), first.null()
    fails, slack = a.fails, None
    for choice in rest:
        fails += where_only(choice.fails, op.and_(first.there(), op.not_(found)))
        found = op.or_(found, op.and_(_holds("=", first, choice), choice.there()))
        unknown = unknown if choice.nulls is None else op.or_(unknown, choice.nulls)
        own = _undecided(first, choice)
        slack = own if slack is None else slack if own is None else op.max([slack, own])
    found = op.and_(found, first.there())
    nullable = first.nulls is not None or any(choice.nulls is not None for choice in rest)
    return Value(BOOLEAN, found, op.and_(unknown, op.not_(found)) if nullable else None, fails, slack)


def among_literals(a: Value, listed: Sequence[Listed], ansi: bool) -> Value:
    """IN of literals, NULL among them: however many they are, a handful of operators."""
    unknown = any(one.value.kind.name == "null" for one in listed)
    listed = [one for one in listed if one.value.kind.name != "null"]
    if not listed:
        return among(a, [null_value()], ansi)
    first, *rest = together([a, *(one.value for one in listed)], ansi)
    literals = {literal for one in listed for literal in one.literals}
    if first.kind.fractional and 0 in literals and len(literals) > _HASHED:
        raise Refused(f"it looks for 0 in a list of more than {_HASHED} numbers, where Spark tells 0.0 from -0.0.")
    if first.kind.name == "null":
        return Value(BOOLEAN, constant(np.array([[False]])), first.null(), a.fails)
    found, slack = constant(np.array([[False]])), None
    for choice in rest:
        assert not choice.fails, "a literal's cast to a common type does not fail"
        found = op.or_(found, row_any(_holds("=", first, choice)))
        own = _undecided(first, choice)
        own = None if own is None else undecided(row_any(op.greater(own, constant(0.0))))
        slack = own if slack is None else slack if own is None else op.max([slack, own])
    found = op.and_(found, first.there())
    return Value(BOOLEAN, found, op.not_(found) if unknown else first.nulls, a.fails, slack)


def is_null(a: Value) -> Value:
    """What cannot be null is not computed for it (NullPropagation in Spark's optimizer), and raises nothing."""
    if a.nulls is None:
        return Value(BOOLEAN, a.null())
    return Value(BOOLEAN, a.nulls, None, a.fails, unsure(a))


def is_nan(a: Value) -> Value:
    """Null is not NaN."""
    if not a.kind.fractional:
        return Value(BOOLEAN, constant(np.array([[False]])), None, a.fails)
    return Value(BOOLEAN, op.and_(op.isnan(a.var), a.there()), None, a.fails)


def boolean(a: Value) -> Value:
    """What a condition has to be. Raises Refused."""
    if a.kind.name == "null":
        return replace(a, kind=BOOLEAN)
    if a.kind != BOOLEAN:
        raise Refused(
            f"it takes a {a.kind} for a condition; Spark itself refuses that.", fix="compare it with something."
        )
    return a


def truth(a: Value) -> Var:
    """Rows in which a condition is true: neither false nor null."""
    return a.var if a.nulls is None else op.and_(a.var, a.there())


def falsehood(a: Value) -> Var:
    return op.not_(a.var) if a.nulls is None else op.and_(op.not_(a.var), a.there())


def all_of(values: Sequence[Value]) -> Value:
    """AND of many: `both` from the left, in four operators each where none of them fails."""
    values = [boolean(value) for value in values]
    if len(values) == 2 or any(value.fails for value in values):
        return reduce(both, values)
    false = _any_row([falsehood(value) for value in values])
    assert false is not None, "there are operands"
    nulls = _any_row([value.nulls for value in values if value.nulls is not None])
    return Value(
        BOOLEAN,
        op.not_(false),
        None if nulls is None else op.and_(nulls, op.not_(false)),
        (),
        unsure(*values),
    )


def any_of(values: Sequence[Value]) -> Value:
    """OR of many, as `all_of`."""
    values = [boolean(value) for value in values]
    if len(values) == 2 or any(value.fails for value in values):
        return reduce(one_of, values)
    true = _any_row([truth(value) for value in values])
    assert true is not None, "there are operands"
    nulls = _any_row([value.nulls for value in values if value.nulls is not None])
    return Value(BOOLEAN, true, None if nulls is None else op.and_(nulls, op.not_(true)), (), unsure(*values))


def _any_row(rows: Sequence[Var]) -> Var | None:
    """Rows in which one of them is true; None of none."""
    kept = list({id(row): row for row in rows}.values())
    if len(kept) < 2:
        return kept[0] if kept else None
    return op.cast(op.max([op.cast(row, to=np.int32) for row in kept]), to=np.bool_)


def both(a: Value, b: Value) -> Value:
    """AND: false where either is false, else null where either is null. Where a is false, b is not computed."""
    a, b = boolean(a), boolean(b)
    fails = a.fails + where_only(b.fails, op.not_(falsehood(a)))
    if a.nulls is None and b.nulls is None:
        return Value(BOOLEAN, op.and_(a.var, b.var), None, fails, unsure(a, b))
    false = op.or_(falsehood(a), falsehood(b))
    nulls = any_null(a, b)
    assert nulls is not None, "one of them may be null"
    return Value(BOOLEAN, op.not_(false), op.and_(nulls, op.not_(false)), fails, unsure(a, b))


def one_of(a: Value, b: Value) -> Value:
    """OR: true where either is true, else null where either is null. Where a is true, b is not computed."""
    a, b = boolean(a), boolean(b)
    fails = a.fails + where_only(b.fails, op.not_(truth(a)))
    if a.nulls is None and b.nulls is None:
        return Value(BOOLEAN, op.or_(a.var, b.var), None, fails, unsure(a, b))
    true = op.or_(truth(a), truth(b))
    nulls = any_null(a, b)
    assert nulls is not None, "one of them may be null"
    return Value(BOOLEAN, true, op.and_(nulls, op.not_(true)), fails, unsure(a, b))


def negated(a: Value) -> Value:
    a = boolean(a)
    return Value(BOOLEAN, op.not_(a.var), a.nulls, a.fails, a.slack)
