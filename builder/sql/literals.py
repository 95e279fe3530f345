"""Columns, literals and casts: what an expression begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from builder.errors import Refused
from builder.graph.idioms import constant
from builder.sql import arithmetic, dating
from builder.sql.casting import cast
from builder.sql.evaluating import Rule, Scope, arguments
from builder.sql.reading import column_name, written
from builder.sql.values import DOUBLE, DOUBLE_DIGITS, INTEGER, LONG, NULL, STRING, Kind, Value, known, null_value, read

_TYPES = {
    "TINYINT": "byte", "SMALLINT": "short", "INT": "integer", "BIGINT": "long", "FLOAT": "float", "DOUBLE": "double",
    "BOOLEAN": "boolean", "TEXT": "string", "VARCHAR": "string", "DATE": "date", "TIMESTAMP": "timestamp",
    "TIMESTAMPTZ": "timestamp", "TIMESTAMPLTZ": "timestamp",
}  # fmt: skip

_DIGITS = 40  # of a decimal literal: Spark has 38 at most, int64 fewer
_PLAIN_CAST = frozenset({"this", "to", "requires_string"})


def column(scope: Scope, node: Any) -> Value:
    name = scope.names.get(column_name(node), column_name(node))
    if name not in scope.columns:
        raise Refused(f"there is no column {name!r}.", fix="check its spelling and case, and the schema given.")
    if name not in scope.read:
        scope.read[name] = read(scope.columns[name])
    return scope.read[name]


def literal(scope: Scope, node: Any) -> Value:
    return known(*_held(node))


def _held(node: Any) -> tuple[Kind, Any, Any]:
    """A literal's type, how a value holds it, and the literal itself."""
    text = node.this
    if node.is_string:
        return STRING, text, text
    if text.isdigit() and len(text) < 20 and int(text) < 2**63:
        number = int(text)
        return INTEGER if number < 2**31 else LONG, np.int64(number), number
    if "e" in text.lower():
        return DOUBLE, float(text), float(text)
    return _decimal(text)


def _decimal(text: str) -> tuple[Kind, Any, Any]:
    """Spark's type of a literal: as many digits as are written, and never fewer than places."""
    if len(text) > _DIGITS:
        raise Refused(f"the literal {text[:_DIGITS]}… has too many digits.", fix="write it as a double: 1.5D.")
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise Refused(f"{text!r} is not a number.", fix="write it with a digit before the point.") from error
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise Refused(f"the literal {text!r} is not finite.")
    places = max(-exponent, 0)
    own = len(str(int("".join(map(str, digits)))))  # leading zeros are no digits
    held = int(number.scaleb(places)) if places <= _DIGITS else 1 << 63
    if abs(held) >= 2**63:
        raise Refused(f"the literal {number} has too many digits.", fix="write it as a double: 1.5D.")
    return Kind("decimal", max(own, places), places), np.int64(held), number


@dataclass(frozen=True)
class Listed:
    """Literals of one type side by side: `value` is [1, K]."""

    value: Value
    literals: tuple[Any, ...]


def literal_lists(nodes: Sequence[Any]) -> list[Listed] | None:
    """The literals by their types, where all of them are literals, signed and with a suffix (1.5D) among them; else None.

    20,000 of them are a handful of constants then, not 20,000 operators.
    """
    found: dict[tuple[Kind, Kind | None], list[tuple[Any, Any]]] = {}
    for node in nodes:
        if node.key == "null":
            found[NULL, None] = [(False, None)]
            continue
        sign = node.key == "neg"
        inner, suffix = node.this if sign else node, None
        if inner.key in ("cast", "trycast") and inner.this.key == "literal" and set(inner.args) <= _PLAIN_CAST:
            suffix, inner = _kind(inner.args["to"]), inner.this  # 1.5D
            if inner.is_string or not (suffix.fractional or suffix.integral):
                return None
        if inner.key != "literal" or (sign and inner.is_string):
            return None
        kind, held, own = _held(inner)
        if kind.digits > DOUBLE_DIGITS:  # by itself it becomes the nearest double
            return None
        found.setdefault((kind, suffix), []).append((-held, -own) if sign else (held, own))
    return [_listed(kind, suffix, held) for (kind, suffix), held in found.items()]


def _listed(kind: Kind, suffix: Kind | None, held: Sequence[tuple[Any, Any]]) -> Listed:
    if kind == NULL:
        return Listed(null_value(), ())
    array = np.array([[one for one, _ in held]], dtype=np.str_ if kind == STRING else None)
    value = Value(kind, constant(array))
    return Listed(value if suffix is None else cast(value, suffix, ansi=False), tuple(own for _, own in held))


def negative(scope: Scope, node: Any) -> Value:
    (inner,) = arguments(node, "this")
    if inner.key == "literal" and not inner.is_string and inner.this in ("2147483648", "9223372036854775808"):
        number = -int(inner.this)
        return known(INTEGER if number == -(2**31) else LONG, np.int64(number), number)
    return arithmetic.negative(scope.value(inner), scope.ansi)


def _kind(node: Any) -> Kind:
    name = node.this.value if hasattr(node.this, "value") else str(node.this)
    if name == "DECIMAL":
        digits = [int(each.name) for each in node.expressions]
        return Kind("decimal", *(digits + [10, 0][len(digits) :]))
    if name not in _TYPES or node.expressions:
        raise Refused(f"it casts to {written(node)}.", fix="cast to a number or boolean.")
    return Kind(_TYPES[name])


def cast_as(scope: Scope, node: Any) -> Value:
    if node.args.get("format") or node.args.get("action") or node.args.get("default"):
        raise Refused(f"{written(node)} is said in a way that is not converted.")
    to, inner = _kind(node.args["to"]), node.this
    if to.name == "decimal" and inner.key == "literal" and inner.is_string:
        return known(*_decimal(inner.this))  # 1.5BD
    if to.name == "date" and inner.key == "literal" and inner.is_string:
        return dating.literal_date(inner.this)
    if to.name == "date" and (value := scope.value(inner)).kind.name in ("date", "timestamp", "timestamp_ntz"):
        return dating.as_date(value, scope.timezone)
    return cast(scope.value(inner), to, scope.ansi, tries=bool(node.args.get("safe")))


def cast_to(name: str) -> Rule:
    from_name = Kind(_TYPES[name]) if name in _TYPES else Kind("decimal", 10, 0)
    return lambda scope, node: cast(scope.all(node, "this")[0], from_name, scope.ansi)
