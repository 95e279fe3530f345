"""What a statement may say: one line an operator or function of Spark's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from builder.errors import Refused
from builder.sql import arithmetic, choosing, comparing, dating, mathematics, wording
from builder.sql.evaluating import Rule, Scope, arguments
from builder.sql.literals import cast_as, cast_to, column, literal, literal_lists, negative
from builder.sql.reading import written
from builder.sql.values import BOOLEAN, DOUBLE, Value, known, null_value

_CASTS = {"bigint": "BIGINT", "smallint": "SMALLINT", "tinyint": "TINYINT", "decimal": "DECIMAL"}


def _binary(operate: Callable[[Value, Value, bool], Value]) -> Rule:
    def rule(scope: Scope, node: Any) -> Value:
        a, b = scope.all(node, "this", "expression")
        return operate(a, b, scope.ansi)

    return rule


def _unary(operate: Callable[[Value], Value]) -> Rule:
    return lambda scope, node: operate(scope.all(node, "this")[0])


def _comparison(sign: str) -> Rule:
    def rule(scope: Scope, node: Any) -> Value:
        a, b = scope.all(node, "this", "expression")
        scope.decides(a, b)
        return comparing.compared(sign, a, b, scope.ansi)

    return rule


def _unequal(scope: Scope, node: Any) -> Value:
    return comparing.negated(_comparison("=")(scope, node))


def _null_safe(scope: Scope, node: Any) -> Value:
    a, b = scope.all(node, "this", "expression")
    scope.decides(a, b)
    return comparing.null_safe(a, b, scope.ansi)


def _is(scope: Scope, node: Any) -> Value:
    this, what = arguments(node, "this", "expression")
    value = scope.value(this)
    if what.key == "null":
        return comparing.is_null(value)
    if what.key == "boolean":  # IS TRUE: never null
        return comparing.null_safe(comparing.boolean(value), scope.value(what), scope.ansi)
    raise Refused(f"{written(node)} is not among the expressions that are converted.")


def _in(scope: Scope, node: Any) -> Value:
    this, *nodes = arguments(node, "this", "expressions")
    value, listed = scope.value(this), literal_lists(nodes)
    if listed is not None:
        scope.decides_at(value, [literal for one in listed for literal in one.literals])
        return comparing.among_literals(value, listed, scope.ansi)
    choices = [scope.value(each) for each in nodes]
    for choice in choices:
        scope.decides(value, choice)
    return comparing.among(value, choices, scope.ansi)


def _between(scope: Scope, node: Any) -> Value:
    this, low, high = scope.all(node, "this", "low", "high")
    scope.decides(this, low)
    scope.decides(this, high)
    return comparing.both(
        comparing.compared(">=", this, low, scope.ansi), comparing.compared("<=", this, high, scope.ansi)
    )


def _both(scope: Scope, node: Any) -> Value:
    return comparing.all_of([scope.value(each) for each in _chain(node)])


def _one_of(scope: Scope, node: Any) -> Value:
    return comparing.any_of([scope.value(each) for each in _chain(node)])


def _chain(node: Any) -> list[Any]:
    """The operands of `a AND b AND c`, a tree of as many levels, side by side."""
    operands = []
    inner = node
    while inner.key == node.key:
        inner, last = arguments(inner, "this", "expression")
        operands.append(last)
    return [inner, *reversed(operands)]


def _case(scope: Scope, node: Any) -> Value:
    arguments(node, "this", "ifs", "default", optional=3)
    subject = node.args.get("this")
    branches = []
    for branch in node.args["ifs"]:
        condition = scope.value(branch.this)
        if subject is not None:
            this = scope.value(subject)
            scope.decides(this, condition)
            condition = comparing.compared("=", this, condition, scope.ansi)
        branches.append((condition, scope.value(branch.args["true"])))
    default = node.args.get("default")
    return choosing.case(branches, None if default is None else scope.value(default), scope.ansi)


def _if(scope: Scope, node: Any) -> Value:
    condition, then, *otherwise = scope.all(node, "this", "true", "false", optional=1)
    return choosing.case([(condition, then)], otherwise[0] if otherwise else None, scope.ansi)


def _nvl2(scope: Scope, node: Any) -> Value:
    this, then, otherwise = scope.all(node, "this", "true", "false")
    return choosing.case([(choosing.not_null(this), then)], otherwise, scope.ansi)


def _coalesce(scope: Scope, node: Any) -> Value:
    return choosing.coalesce(scope.all(node, "this", "expressions", optional=1), scope.ansi)


def _null_if(scope: Scope, node: Any) -> Value:
    a, b = scope.all(node, "this", "expression")
    scope.decides(a, b)
    return choosing.null_if(a, b, scope.ansi)


def _extreme(greatest: bool) -> Rule:
    return lambda scope, node: choosing.extreme(
        scope.all(node, "this", "expressions", optional=1), scope.ansi, greatest=greatest
    )


def _log(scope: Scope, node: Any) -> Value:
    base, *of = scope.all(node, "this", "expression", optional=1)
    if of and isinstance(base.literal, int | float | Decimal) and base.literal > 0:
        return mathematics.logarithm(of[0], math.log(base.literal))
    return mathematics.logarithm_to_base(base, of[0]) if of else mathematics.logarithm(base)


def _round(even: bool) -> Rule:
    def rule(scope: Scope, node: Any) -> Value:
        this, *places = scope.all(node, "this", "decimals", optional=1)
        if places and not (isinstance(places[0].literal, int) and places[0].kind.integral):
            raise Refused(f"{written(node)} rounds to places that are no literal.")
        return mathematics.rounded(this, places[0].literal if places else 0, even=even)

    return rule


def _whole_number(up: bool) -> Rule:
    def rule(scope: Scope, node: Any) -> Value:
        return mathematics.whole(scope.all(node, "this")[0], fails=scope.ansi and scope.since(4, 3), up=up)

    return rule


def _whole(scope: Scope, node: Any, value: Value) -> int:
    if not isinstance(value.literal, int) or isinstance(value.literal, bool) or not value.kind.integral:
        raise Refused(f"{written(node)} cuts at a place that is no literal.")
    return value.literal


def _substring(scope: Scope, node: Any) -> Value:
    this, start, *size = scope.all(node, "this", "start", "length", optional=1)
    return wording.cut(this, _whole(scope, node, start), _whole(scope, node, size[0]) if size else None)


def _end(take: Callable[[Value, int], Value]) -> Rule:
    def rule(scope: Scope, node: Any) -> Value:
        this, size = scope.all(node, "this", "expression")
        return take(this, _whole(scope, node, size))

    return rule


def _trim(scope: Scope, node: Any) -> Value:
    if node.args.get("expression") or node.args.get("collation"):
        raise Refused(f"{written(node)} trims other characters than spaces.")
    side = str(node.args.get("position") or "BOTH").upper()
    return wording.trimmed(scope.value(node.this), left=side != "TRAILING", right=side != "LEADING")


def _like(scope: Scope, node: Any, escape: str = "\\") -> Value:
    if node.key == "escape":
        inner, mark = arguments(node, "this", "expression")
        if inner.key != "like" or not mark.is_string or len(mark.this) != 1:
            raise Refused(f"{written(node)} is not among the expressions that are converted.")
        return _like(scope, inner, mark.this)
    this, pattern = (scope.value(node.args[name]) for name in ("this", "expression"))
    if set(node.args) - {"this", "expression", "negate"} or not isinstance(pattern.literal, str):
        raise Refused(f"{written(node)} has a pattern that is no literal.")
    value = wording.like(this, pattern.literal, escape)
    return comparing.negated(value) if node.args.get("negate") else value


def _part(name: str) -> Rule:
    return lambda scope, node: dating.part(name, scope.all(node, "this")[0], scope.timezone)


def _day(scope: Scope, node: Any) -> Value:
    return dating.as_date(scope.all(node, "this")[0], scope.timezone)


def _days_between(scope: Scope, node: Any) -> Value:
    end, start = scope.all(node, "this", "expression")
    return dating.days_between(end, start, scope.timezone)


def _having(before: bool, after: bool) -> Rule:
    def rule(scope: Scope, node: Any) -> Value:
        this, words = scope.all(node, "this", "expression")
        if not isinstance(words.literal, str):
            raise Refused(f"{written(node)} looks for what is no literal.")
        scope.decides(this, words)
        return wording.having(this, words.literal, before=before, after=after)

    return rule


def check_title(scope: Scope, expression: Any, name: str) -> None:
    """Raises Refused where the name of an expression without AS hangs on types: beside a whole number, Spark rounds a
    decimal that it is compared with before it names the column (`a > 1.5` is `(a > 1)`).

    Source: DecimalPrecisionTypeCoercion.integralAndDecimalLiteral (analysis/DecimalPrecisionTypeCoercion.scala)
    """
    for node in expression.walk():
        if node.key not in ("lt", "lte", "gt", "gte", "between"):
            continue
        if node.key == "between" and scope.since(4, 0):
            continue
        sides = [node.args[key] for key in ("this", "expression", "low", "high") if node.args.get(key) is not None]
        values = [scope.value(side) for side in sides]
        if any(value.kind.integral for value in values) and any(isinstance(v.literal, Decimal) for v in values):
            raise Refused(
                f"Spark gives it another name than {name!r}: it writes the decimal in {written(node)} as a whole number.",
                fix="give it one: … AS name.",
            )


RULES: Mapping[str, Rule] = {
    "column": column,
    "literal": literal,
    "boolean": lambda scope, node: known(BOOLEAN, bool(node.this), bool(node.this)),
    "null": lambda scope, node: null_value(),
    "paren": _unary(lambda a: a),
    "neg": negative,
    "negative": negative,
    "cast": cast_as,
    "trycast": cast_as,
    "add": _binary(arithmetic.add),
    "sub": _binary(arithmetic.subtract),
    "mul": _binary(arithmetic.multiply),
    "div": _binary(arithmetic.divide),
    "intdiv": _binary(arithmetic.integral_divide),
    "mod": _binary(arithmetic.modulo),
    "abs": lambda scope, node: arithmetic.absolute(scope.all(node, "this")[0], scope.ansi),
    "eq": _comparison("="),
    "lt": _comparison("<"),
    "lte": _comparison("<="),
    "gt": _comparison(">"),
    "gte": _comparison(">="),
    "neq": _unequal,
    "nullsafeeq": _null_safe,
    "equalnull": _null_safe,
    "is": _is,
    "in": _in,
    "between": _between,
    "and": _both,
    "or": _one_of,
    "not": _unary(comparing.negated),
    "isnan": _unary(comparing.is_nan),
    "case": _case,
    "if": _if,
    "coalesce": _coalesce,
    "nullif": _null_if,
    "nvl2": _nvl2,
    "nanvl": _binary(choosing.nan_or),
    "greatest": _extreme(True),
    "least": _extreme(False),
    "exp": _unary(mathematics.exponential),
    "ln": _unary(mathematics.logarithm),
    "log": _log,
    "pow": lambda scope, node: mathematics.power(*scope.all(node, "this", "expression")),
    "sqrt": _unary(mathematics.square_root),
    "sign": _unary(mathematics.sign_of),
    "degrees": _unary(lambda a: mathematics.times(a, math.degrees(1.0))),
    "radians": _unary(lambda a: mathematics.times(a, math.radians(1.0))),
    "rint": _unary(mathematics.nearest_even),
    "floor": _whole_number(up=False),
    "ceil": _whole_number(up=True),
    "round": _round(even=False),
    "concat": lambda scope, node: wording.concatenated(scope.all(node, "expressions")),
    "dpipe": lambda scope, node: wording.concatenated(scope.all(node, "this", "expression")),
    "lower": _unary(wording.lowered),
    "upper": _unary(wording.uppered),
    "length": _unary(wording.length),
    "trim": _trim,
    "substring": _substring,
    "left": _end(wording.first_ones),
    "right": _end(wording.last_ones),
    "like": _like,
    "escape": _like,
    "startswith": _having(False, True),
    "endswith": _having(True, False),
    "contains": _having(True, True),
    "tsordstodate": _day,
    "datediff": _days_between,
    **{name: _part(name) for name in dating.PARTS},
    "pi": lambda scope, node: known(DOUBLE, np.pi),
    "weekday()": _part("weekday"),
    "isnull()": _unary(comparing.is_null),
    "isnotnull()": _unary(choosing.not_null),
    "pmod()": _binary(arithmetic.positive_modulo),
    "log1p()": _unary(mathematics.logarithm_of_one_more),
    "expm1()": _unary(mathematics.exponential_less_one),
    "bround()": _round(even=True),
    "positive()": _unary(lambda a: a),
    "e()": lambda scope, node: known(DOUBLE, np.e),
    **{f"{name}()": cast_to(to) for name, to in _CASTS.items()},
}
