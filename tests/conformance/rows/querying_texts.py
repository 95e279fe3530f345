"""SQL statements over strings, dates and times."""

from __future__ import annotations

from datetime import UTC, date, datetime

from tests.conformance.row import Row, column, spark, texts
from tests.conformance.rows.querying import query

_WORDS = (
    "",
    " ",
    "a",
    "ß",
    "日本",
    "  ab c ",
    "A%b_c",
    "Ὀδυσσεύς ΟΔΟΣ",
    "İstanbul",
    "😀x😀",
    "ab\tc ",
    "O'Neil\\",
    None,
    "a\nb",
)
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

_MOMENTS = (
    datetime(1970, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2024, 2, 29, 12, 30, 15, tzinfo=UTC),
    datetime(2021, 3, 28, 0, 59, 59, tzinfo=UTC), datetime(2021, 3, 28, 1, 0, tzinfo=UTC), datetime(2021, 10, 31, 0, 59, 59, 999999, tzinfo=UTC),
    datetime(2021, 10, 31, 1, 0, tzinfo=UTC), datetime(1893, 3, 31, 23, 0, tzinfo=UTC), datetime(1880, 1, 1, 4, 56, 2, tzinfo=UTC),
    datetime(2099, 7, 1, 22, 5, 6, tzinfo=UTC), datetime(1945, 5, 24, 0, 0, tzinfo=UTC), None, datetime(2000, 12, 31, 23, 59, 59, tzinfo=UTC),
)  # fmt: skip
_TIMES = {
    "t": column("timestamp", *_MOMENTS),
    "d": column("date", date(1970, 1, 1), date(1969, 12, 31), date(2024, 2, 29), date(1900, 2, 28), date(1900, 3, 1), date(1582, 10, 4),
                date(1, 1, 1), date(9999, 12, 31), date(2000, 2, 29), date(2023, 12, 31), None, date(1600, 12, 31), date(2100, 3, 1)),
}  # fmt: skip
_PARTS = ("year", "quarter", "month", "day", "dayofmonth", "dayofweek", "weekday", "dayofyear")
_DATED = (
    *(f"{name}({what})" for name in _PARTS for what in "dt"), "hour(t)", "minute(t)", "second(t)", "datediff(d, t)",
    "d > DATE '2000-01-01'", "d = date(t)", "d IS NULL", "to_date(t) < d", "coalesce(d, DATE '1999-12-31')", "t IS NOT NULL",
)  # fmt: skip
_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "+05:30")

ROWS = [
    *(
        Row(
            f"querying/dates-{zone}",
            (
                spark.SQLTransformer(
                    statement=f"SELECT *, {', '.join(f'{text} AS o{i}' for i, text in enumerate(_DATED))} FROM __THIS__"
                ),
            ),
            rows=_TIMES,
            outputs=tuple(f"o{i}" for i in range(len(_DATED))),
            conf={"spark.sql.session.timeZone": zone, "spark.sql.ansi.enabled": "true"},
            smoke=zone == "Europe/Berlin",
        )
        for zone in _ZONES
    ),
    Row(
        "querying/refused-zone-not-told",
        (spark.SQLTransformer(statement="SELECT *, hour(t) AS o FROM __THIS__"),),
        rows={"t": _TIMES["t"]},
        refused="o = HOUR.t.: it hangs on the session's time zone",
    ),
    *(
        query(f"texts-{half}", _TEXTS[30 * half : 30 * half + 30], _COLUMNS, ansi, smoke=not ansi)
        for half in (0, 1)
        for ansi in (False, True)
    ),
    query(
        "texts-where", {"o": "lower(s)"}, _COLUMNS, True, where="s IS NOT NULL AND length(s) > 1 AND s NOT LIKE 'O%'"
    ),
]
