"""What a column's name means, as Spark resolves it: without case, backquotes around a name that holds dots.

Source: UnresolvedAttribute.parseAttributeName, AttributeSeq.resolve (sql/catalyst), SchemaUtils.getSchemaField (ml/util,
Spark 4.0). Older Sparks take the names of ML's own params by their case; nothing that they accept means another column here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from builder.errors import UsageError

_TICK = "`"
_NAME_PART = re.compile(r"(?:`((?:[^`]++|``)*+)`|([^`.]*+))(\.|\Z)")


def name_parts(name: str) -> tuple[str, ...] | None:
    """`a.b` → ("a", "b"); "`a.b`" → ("a.b",); None where its backquotes are not those of a name."""
    parts: list[str] = []
    at = 0
    while part := _NAME_PART.match(name, at):
        quoted, plain, end = part.groups()
        parts.append(plain if quoted is None else quoted.replace(_TICK * 2, _TICK))
        if not end:
            return tuple(parts)
        at = part.end()
    return None


def same_column(a: str, b: str) -> bool:
    """Whether two names of whole columns are one to Spark."""
    return a.lower() == b.lower()


def resolve(name: str, columns: Iterable[str], where: str) -> str | None:
    """The column that a name means, as it is spelt; None where there is none. `where`: who reads it.

    Raises UsageError where it could be two that differ by case alone, as Spark does.
    """
    there = tuple(columns)
    found = [column for column in there if same_column(column, name)]
    if not found:
        parts = name_parts(name)
        if parts is None or len(parts) != 1:
            return None
        found = [column for column in there if same_column(column, parts[0])]
    if len(found) > 1:
        raise UsageError(
            f"column {name!r} (read by {where}) could be {' or '.join(map(repr, found))}: Spark tells no names apart by case.",
            fix="rename one of them, in fitting too.",
        )
    return found[0] if found else None


def root_of(name: str, columns: Iterable[str]) -> str | None:
    """The column of which a dotted name may be a field; None where there is none."""
    parts = name_parts(name)
    if parts is None or len(parts) < 2:
        return None
    return next((column for column in columns if same_column(column, parts[0])), None)
