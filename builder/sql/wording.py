"""Functions of strings: case, trimming, cutting by characters, LIKE.

Source: catalyst/expressions/stringExpressions.scala, regexpExpressions.scala; UTF8String (Spark 4.0.1)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.characters import Characters, far, matches, taken_apart
from builder.graph.texts import READABLE, Changed, flat, upright
from builder.graph.texts import lower as java_lower
from builder.graph.texts import upper as java_upper
from builder.sql.values import BOOLEAN, INTEGER, STRING, Value, any_null, long, null_value

_UNREADABLE = "the text is no UTF-8"


def text(a: Value) -> Value:
    """What a function of strings takes. Raises Refused."""
    if a.kind.name == "null":
        return replace(null_value(STRING), fails=a.fails)
    if a.kind != STRING:
        raise Refused(
            f"it takes a {a.kind} for a string: numbers print as Java prints them, not as ONNX does.",
            fix="make it a string before the pipeline, in fitting too.",
        )
    return a


def concatenated(values: Sequence[Value]) -> Value:
    """One behind the other; null where one is."""
    parts = [text(value) for value in values]
    if not parts:
        raise Refused("it puts nothing together.")
    var = parts[0].var
    for part in parts[1:]:
        var = op.string_concat(var, part.var)
    return Value(STRING, var, any_null(*parts), tuple(mask for part in parts for mask in part.fails))


def lowered(a: Value) -> Value:
    return _recased(a, java_lower)


def uppered(a: Value) -> Value:
    return _recased(a, java_upper)


def _recased(a: Value, change: Callable[[Var], Changed]) -> Value:
    a = text(a)
    after = change(flat(a.var))
    value = Value(STRING, upright(after.text), a.nulls, a.fails)
    return value.failing(after.refused, "the text is no UTF-8, or the case of a sigma in it is not decided")


def _apart(a: Value, answer: Callable[[Characters], Value]) -> Value:
    a = text(a)
    characters = taken_apart(a.var)
    value = replace(answer(characters), nulls=a.nulls, fails=a.fails)
    return value.failing(characters.refused, _UNREADABLE)


def length(a: Value) -> Value:
    """Characters: code points."""
    return _apart(a, lambda characters: Value(INTEGER, characters.count()))


def trimmed(a: Value, *, left: bool, right: bool) -> Value:
    """Without the spaces (U+0020 alone) at its ends."""

    def answer(characters: Characters) -> Value:
        first, last = characters.outer(" ")
        return Value(STRING, characters.between(first if left else long(0), last if right else far()))

    return _apart(a, answer)


def cut(a: Value, start: int, size: int | None) -> Value:
    """substring: from the first character as 1 (0 means that too), a negative start counts from the end."""

    def answer(characters: Characters) -> Value:
        begin = op.add(characters.count(), long(start)) if start < 0 else long(max(start - 1, 0))
        end = far() if size is None else op.add(begin, long(size))
        return Value(STRING, characters.between(begin, end))

    return _apart(a, answer)


def first_ones(a: Value, size: int) -> Value:
    return cut(a, 1, max(size, 0))


def last_ones(a: Value, size: int) -> Value:
    return cut(a, -size, None) if size > 0 else cut(a, 1, 0)


def like(a: Value, pattern: str, escape: str = "\\") -> Value:
    """`%` stands for any characters, `_` for one; what follows the escape for itself."""
    parts, at = [], 0
    while at < len(pattern):
        character = pattern[at]
        if character == escape:
            at += 1
            if at == len(pattern) or pattern[at] not in ("_", "%", escape):
                raise Refused(f"the LIKE pattern {pattern!r} escapes what is no wildcard; Spark itself refuses that.")
            parts.append(_quoted(pattern[at]))
        else:
            parts.append({"%": ".*", "_": "."}.get(character, _quoted(character)))
        at += 1
    return _matching(a, "".join(parts))


def having(a: Value, words: str, *, before: bool, after: bool) -> Value:
    """contains, startswith, endswith: `words` with anything before or after it."""
    return _matching(a, (".*" if before else "") + "".join(map(_quoted, words)) + (".*" if after else ""))


def _matching(a: Value, pattern: str) -> Value:
    a = text(a)
    value = Value(BOOLEAN, matches(a.var, f"(?s){pattern}"), a.nulls, a.fails)
    return value.failing(op.not_(matches(a.var, READABLE)), _UNREADABLE)


def _quoted(character: str) -> str:
    """RE2 of one character."""
    return f"\\x{{{ord(character):x}}}" if not character.isalnum() else character
