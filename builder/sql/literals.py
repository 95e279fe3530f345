"""Columns, literals and casts: what an expression begins with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from builder.errors import Refused
from builder.sql import arithmetic, dating
from builder.sql.casting import cast
from builder.sql.evaluating import Rule, Scope, arguments
from builder.sql.reading import column_name
from builder.sql.values import DOUBLE, INTEGER, LONG, STRING, Kind, Value, known, read

_TYPES = {
    "TINYINT": "byte", "SMALLINT": "short", "INT": "integer", "BIGINT": "long", "FLOAT": "float", "DOUBLE": "double",
    "BOOLEAN": "boolean", "TEXT": "string", "VARCHAR": "string", "DATE": "date", "TIMESTAMP": "timestamp",
    "TIMESTAMPTZ": "timestamp", "TIMESTAMPLTZ": "timestamp",
}  # fmt: skip


def column(scope: Scope, node: Any) -> Value:
    name = column_name(node)
    if name not in scope.columns:
        raise Refused(f"there is no column {name!r}.", fix="check its spelling and case, and the schema given.")
    if name not in scope.read:
        scope.read[name] = read(scope.columns[name])
    return scope.read[name]


def literal(scope: Scope, node: Any) -> Value:
    text = node.this
    if node.is_string:
        return known(STRING, text, text)
    if text.isdigit():
        number = int(text)
        if number < 2**63:
            return known(INTEGER if number < 2**31 else LONG, np.int64(number), number)
        return _decimal(Decimal(text))
    if "e" in text.lower():
        return known(DOUBLE, float(text), float(text))
    return _decimal(Decimal(text))


def _decimal(number: Decimal) -> Value:
    """Spark's type of a literal: as many digits as are written, and never fewer than places."""
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int), "a literal is finite"
    places = max(-exponent, 0)
    own = len(str(int("".join(map(str, digits)))))  # leading zeros are no digits
    kind = Kind("decimal", max(own, places), places)
    held = int(number.scaleb(places))
    if abs(held) >= 2**63:
        raise Refused(f"the literal {number} has too many digits.", fix="write it as a double: 1.5D.")
    return known(kind, np.int64(held), number)


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
        raise Refused(f"it casts to {node.sql(dialect='spark')}.", fix="cast to a number or boolean.")
    return Kind(_TYPES[name])


def cast_as(scope: Scope, node: Any) -> Value:
    if node.args.get("format") or node.args.get("action") or node.args.get("default"):
        raise Refused(f"{node.sql(dialect='spark')} is said in a way that is not converted.")
    to, inner = _kind(node.args["to"]), node.this
    if to.name == "decimal" and inner.key == "literal" and inner.is_string:
        return _decimal(Decimal(inner.this))  # 1.5BD
    if to.name == "date" and inner.key == "literal" and inner.is_string:
        return dating.literal_date(inner.this)
    if to.name == "date" and (value := scope.value(inner)).kind.name in ("date", "timestamp"):
        return dating.as_date(value, scope.timezone)
    return cast(scope.value(inner), to, scope.ansi, tries=bool(node.args.get("safe")))


def cast_to(name: str) -> Rule:
    from_name = Kind(_TYPES[name]) if name in _TYPES else Kind("decimal", 10, 0)
    return lambda scope, node: cast(scope.all(node, "this")[0], from_name, scope.ansi)
