"""SQL statements over strings."""

from __future__ import annotations

from tests.conformance.row import column, texts
from tests.conformance.rows.querying import query

_WORDS = ("", " ", "a", "ß", "日本", "  ab c ", "A%b_c", "Ὀδυσσεύς ΟΔΟΣ", "İstanbul", "😀x😀", "ab\tc ", "O'Neil\\", None, "a\nb")
_COLUMNS = {
    "s": texts(*_WORDS),
    "t": texts(*_WORDS[5:], *_WORDS[:5]),
    "k": column("int", *(range(len(_WORDS) - 1)), None),
}
_TEXTS = (
    "lower(s)", "upper(s)", "lcase(t)", "ucase(t)", "trim(s)", "ltrim(s)", "rtrim(s)", "trim(BOTH FROM s)", "length(s)",
    "char_length(t)", "concat(s, t)", "concat(s, '-', t, 'x')", "s || t", "concat(s)", "substring(s, 2, 2)", "substr(s, 1)",
    "substring(s, 0, 2)", "substring(s, -3, 2)", "substring(s, -9, 8)", "substring(s, 2, 0)", "substring(s, 3, -1)",
    "substring(s FROM 2 FOR 3)", "left(s, 2)", "left(s, 0)", "right(s, 2)", "right(s, -1)", "s = t", "s <> t", "s <=> t",
    "s IN ('a', 'ß', '')", "s NOT IN ('a', NULL)", "s IS NULL", "s = 'a\\nb'", "s LIKE 'a%'", "s LIKE '%a_%'", "s LIKE ''",
    "s LIKE '%'", "s LIKE 'A\\\\%b\\\\_c'", "s LIKE 'A!%b!_c' ESCAPE '!'", "s NOT LIKE '_'", "s LIKE '__'", "s LIKE '%.%'",
    "startswith(s, 'a')", "endswith(s, 'c')", "contains(s, 'b')", "coalesce(s, t, 'none')", "nvl(s, '?')", "nullif(s, t)",
    "CASE WHEN k > 5 THEN s WHEN k IS NULL THEN 'null' ELSE upper(t) END", "if(s = 'a', 1, 0)", "CASE s WHEN 'a' THEN 1 ELSE 2 END",
    "length(trim(s)) > 1", "lower(s) IN ('a', 'ab')", "'literal'", '"quoted"', "s = ''", "length('日本')",
)  # fmt: skip

ROWS = [
    *(query("texts", _TEXTS, _COLUMNS, ansi, smoke=not ansi) for ansi in (False, True)),
    query("texts-where", {"o": "lower(s)"}, _COLUMNS, True, where="s IS NOT NULL AND length(s) > 1 AND s NOT LIKE 'O%'"),
]
