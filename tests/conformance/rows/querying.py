"""SQL statements: each operator, by type, with and without ANSI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.conformance.row import INF, NAN, UGLY, Column, Row, column, crossed, doubles, spark, texts

ANSI = {ansi: {"spark.sql.ansi.enabled": str(ansi).lower()} for ansi in (False, True)}


def query(
    id: str,
    expressions: Mapping[str, str] | Sequence[str],
    columns: Mapping[str, Column],
    ansi: bool,
    where: str = "",
    **rest: Any,
) -> Row:
    """`SELECT *, expression AS name, … FROM __THIS__`; unnamed ones are o0, o1, …"""
    if not isinstance(expressions, Mapping):
        expressions = {f"o{i}": text for i, text in enumerate(expressions)}
    selected = ", ".join(f"{text} AS {name}" for name, text in expressions.items())
    statement = f"SELECT *, {selected} FROM __THIS__{' WHERE ' + where if where else ''}"
    return Row(
        f"querying/{id}-{'ansi' if ansi else 'plain'}",
        (spark.SQLTransformer(statement=statement),),
        rows=columns,
        outputs=tuple(expressions),
        conf=ANSI[ansi],
        **rest,
    )


ENDS = {  # a column with nulls holds no smallest whole number, and one with NaN no null: they travel as one
    "tinyint": (0, 1, -1, 7, -3, 127, -128),
    "smallint": (0, -1, 3, 32767, -32768),
    "int": (0, 1, -1, 7, -3, 2**31 - 1, -(2**31)),
    "bigint": (0, 1, -1, 7, -3, 2**62, 2**63 - 1, -(2**63)),
    "double": (0.0, -0.0, 1.0, -2.7, 1 / 3, 3.1, 1e308, 5e-324, INF, -INF, NAN),
    "float": (0.0, -0.0, 1.0, -2.5, 0.1, 16777216.0, 3e38, INF, NAN),
    "decimal(5,2)": (Decimal("0.00"), Decimal("1.05"), Decimal("-999.99"), Decimal("7.50"), None),
    "decimal(4,1)": (Decimal("0.0"), Decimal("2.5"), Decimal("-3.3"), Decimal("999.9"), None),
    "boolean": (True, False, None),
}
PAIRS = (
    ("int", "int"),
    ("bigint", "bigint"),
    ("tinyint", "tinyint"),
    ("smallint", "smallint"),
    ("tinyint", "int"),
    ("int", "bigint"),
    ("int", "double"),
    ("bigint", "double"),
    ("int", "float"),
    ("bigint", "float"),
    ("float", "float"),
    ("float", "double"),
    ("double", "double"),
    ("decimal(5,2)", "tinyint"),
    ("decimal(5,2)", "decimal(4,1)"),
    ("decimal(5,2)", "double"),
)
_WHOLE = ("tinyint", "smallint", "int", "bigint")
_FAILING = ("a + b", "a - b", "a * b", "a / b", "a % b", "pmod(a, b)", "-a", "abs(a)")
_CALM = (
    "a = b", "a <> b", "a < b", "a <= b", "a > b", "a >= b", "a <=> b", "NOT a < b", "a IN (b, 1, NULL)", "a NOT IN (b, 1)",
    "a BETWEEN b AND 7", "greatest(a, b)", "least(a, b, 1)", "coalesce(a, b)", "nvl(a, b)", "nullif(a, b)", "a IS NULL",
    "nvl2(a, b, a)", "isnotnull(b)", "isnan(a)", "if(a > b, a, b)", "CASE WHEN a < b THEN a WHEN a = b THEN b END",
    "CASE a WHEN 1 THEN 10 WHEN b THEN 20 ELSE 30 END", "CAST(a AS DOUBLE)", "CAST(a AS BOOLEAN)", "sign(a)",
)  # fmt: skip


def pair(first: str, second: str, step: int = 1) -> dict[str, Column]:
    """Every ugly value beside every other (of those every `step`th); whole numbers in `b` may be null."""
    others = (*ENDS[second][:-1], None) if second in _WHOLE else ENDS[second]
    values = crossed(a=ENDS[first], b=others)
    return {
        name: column(type, *values[name][::step], nullable=None in given)
        for name, type, given in (("a", first, ENDS[first]), ("b", second, others))
    }


def _failing(first: str, second: str) -> tuple[str, ...]:
    return (*_FAILING, *(("a div b", "b div a") if {first, second} <= set(_WHOLE) else ()))


_CASTS = ("INT", "BIGINT", "SMALLINT", "TINYINT", "FLOAT")
_NEAR = {  # the ends of each type, from a double and from a long
    "d": doubles(
        127.5, 128.0, -128.9, 2147483647.5, 2147483648.0, 32767.9, 2.0**63, -(2.0**63), NAN, 0.5, nullable=False
    ),
    "l": column("bigint", 0, 127, 128, -129, 32768, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, None),
}
_WIDE = {
    "d": doubles(*UGLY, 127.5, 128.0, -128.9, -129.0, 32767.9, 2147483647.5, 2147483648.0, -2147483648.9, 9.3e18, -9.3e18,
                 2.0**63, -(2.0**63), nullable=False),
    "l": column("bigint", *((0, 1, -1, 127, 128, -128, -129, 32768, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1) * 3)[:27]),
    "q": column("boolean", *((True, False, None) * 9)),
}  # fmt: skip
_CAST_TEXTS = tuple(f"CAST({name} AS {to})" for name in "dlq" for to in _CASTS)
_EXACT = (
    "sqrt(x)", "floor(x)", "ceil(x)", "ceiling(n)", "rint(x)", "sign(x)", "abs(x)", "round(x)", "bround(x)", "nanvl(x, n)",
    "nanvl(n, 7)", "isnan(n)", "x = x", "x > 1e308D", "-x", "x IN (1, 0.1, 1e308D)", "x IN (NULL, 0.5)",
    "x BETWEEN -1.5 AND 0.1", "round(i)", "floor(i)", "i > 0.5", "i * 1.5", "i + 0.25", "i / 4.0", "x * 1.5",
    "x + 1", "2 - x", "1L + i", "i % 3", "x % 2", "pmod(i, 3)", "pmod(x, 1.5)", "CASE WHEN x > 0.1 THEN 1.5 ELSE 0.25 END",
    "CASE WHEN n > 0 THEN i ELSE 0.5 END", "least(i, 2.5)", "nullif(x, 0.1)", "i IN (1, 2.5)", "1 = 1", "i + NULL", "i / 2.0", "degrees(x)", "radians(x)",
)  # fmt: skip
_SMOOTH = ("exp(m)", "ln(m)", "log(m)", "log10(m)", "log2(m)", "log1p(m)", "expm1(m)", "log(2.5, m)", "pow(m, 2)", "power(m, 0.5)",
           "pow(m, p)", "exp(-m * m / 2)", "1 / (1 + exp(-m))", "round(m, 2)", "round(m, 1)", "bround(m, 1)", "round(p, 3)")  # fmt: skip
_NUMBERS = {
    "x": doubles(*UGLY, 0.5, 1.5, 2.5, -0.5, 0.49999999999999994, 4503599627370497.5, nullable=False),
    "n": doubles(*(None if value != value else value for value in UGLY[::-1]), 0.5, 1.5, None, -0.5, -2.5, 3.5),
    "i": column("int", *((0, 1, -1, 7, None, 2, 3) * 3)),
}
_HALVES = (2.675, 1.005, 0.125, 0.15, 0.25, 0.35, -2.675, 1e15, 8.5e15, 9.5e12, 1.45, 1.55, 1000.05, 0.045)
_POWERS = (2.0, 0.5, 0.0, -1.0, 3.0, 1 / 3, -0.5, 10.0, 1.0, 0.0, 2.0, 1.5, 0.1, 2.0)
_FLOW = {
    "m": doubles(*UGLY, *_HALVES, nullable=False),
    "p": doubles(*(_POWERS[i % 14] for i in range(29)), nullable=False),
}
_LOGIC = {
    name: column("boolean", *values) for name, values in crossed(p=(True, False, None), q=(True, False, None)).items()
}
_TRUTH = ("p AND q", "p OR q", "NOT p", "!p", "p = q", "p <=> q", "p < q", "p IS TRUE", "p IS NOT TRUE", "q IS FALSE", "p AND NOT q OR p",
          "if(p, 1, 0)", "CASE WHEN p THEN 'yes' WHEN q THEN 'no' END", "coalesce(p, q, false)", "CAST(p AS INT)", "CAST(q AS DOUBLE)",
          "!p = q", "NOT p = q", "p IN (q, true)", "greatest(p, q)", "nullif(p, q)", "p OR NULL", "p AND NULL")  # fmt: skip
_LAZY = {"a": column("int", 6, 6, None, 2**31 - 1, 0), "b": column("int", 0, 3, 0, 1, None)}
_TRIES = ("if(b = 0, 0, a / b)", "CASE WHEN b <> 0 THEN a % b ELSE -1 END", "coalesce(b, a / 0)", "b <> 0 AND a / b > 1",
          "b = 0 OR a / b > 1", "a / b > 1 OR b = 0", "nvl2(b, a, a / b)", "CASE WHEN b = 0 THEN 0 WHEN a / b > 1 THEN 1 ELSE a + 1 END",
          "a IN (b, a / b)", "null / 0 + a", "b / 0", "try_cast(a AS TINYINT)", "(a + 1) <=> b", "nullif(a / b, 2)")  # fmt: skip

_AFTER = (
    "prediction * 2 + 1", "prediction - a", "prediction * prediction", "prediction / a", "1 / prediction", "prediction > 1.5",
    "prediction = 2", "CAST(prediction AS INT)", "round(prediction)", "round(prediction, 1)", "exp(prediction)", "ln(prediction)",
    "sqrt(prediction)", "abs(-prediction)", "greatest(prediction, 1)", "floor(prediction)", "sign(prediction)", "prediction IN (1, 2)",
    "CASE WHEN prediction > 2 THEN prediction ELSE 0 END", "coalesce(prediction, 0)", "if(prediction > 1, 'more', 'less')",
    "prediction BETWEEN 0 AND 3 AND a > 0", "CAST(prediction AS FLOAT)", "1 / (1 + exp(-prediction))", "degrees(prediction)",
    "nullif(prediction, 1)", "isnan(prediction)", "log10(prediction)", "pow(prediction, 2)", "expm1(prediction)", "round(CAST(a AS INT), 1)",
)  # fmt: skip

ROWS = [
    *(
        query(f"off-{a}-{b}", (*_failing(a, b), *_CALM), pair(a, b), False, smoke=(a, b) == ("int", "int"))
        for a, b in PAIRS
    ),
    *(query(f"on-{a}-{b}", _CALM, pair(a, b), True, smoke=(a, b) == ("float", "double")) for a, b in PAIRS),
    *(
        query(f"{text}-{a}-{b}".replace(" ", "").replace("/", "by"), {"o": text}, pair(a, b, 5), True)
        for a, b in PAIRS
        if (a == b and a not in ("smallint", "float")) or (a, b) == ("decimal(5,2)", "decimal(4,1)")
        for text in _failing(a, b)
    ),
    query("casts", _CAST_TEXTS, _WIDE, False, smoke=True),
    *(query(f"cast-{text[5:-1]}".replace(" ", "-"), {"o": text}, _NEAR, True) for text in _CAST_TEXTS if "q" not in text),
    *(query("exact", _EXACT, _NUMBERS, ansi) for ansi in (False, True)),
    *(query("smooth", _SMOOTH, _FLOW, ansi, word="elementary", smoke=ansi) for ansi in (False, True)),
    *(query("logic", _TRUTH, _LOGIC, ansi, smoke=ansi) for ansi in (False, True)),
    query("lazy", _TRIES, _LAZY, False),
    *(query(f"lazy-{i}", {"o": text}, _LAZY, True, smoke=i == 0) for i, text in enumerate(_TRIES)),
    *(
        query(f"where-{i}", {"o": "a / b", "c": "a + 1"}, _LAZY, ansi, where=where)
        for ansi in (False, True)
        for i, where in enumerate(("b <> 0", "a / b > 1", "b IS NOT NULL AND b <> 0", "a IS NULL OR b = 3"))
    ),
    Row(  # statements without `*`, shadowing an input, read on by other stages
        "querying/pipeline",
        (
            spark.SQLTransformer(statement="SELECT CAST(a AS DOUBLE) / 4 AS a, b, a > b AS c, label FROM __THIS__ WHERE a IS NOT NULL"),
            spark.SQLTransformer(statement="SELECT *, coalesce(a * 3, 0) + IF(c, 1, 0) AS d FROM __THIS__"),
            spark.VectorAssembler(inputCols=["a", "d"], outputCol="v"),
            spark.LinearRegression(featuresCol="v", labelCol="label"),
        ),
        train={"a": column("int", 1, 2, 5, 9), "b": column("int", 3, 1, 2, 7), "label": doubles(1.0, 2.5, 3.1, 4.7)},
        rows={"a": column("int", 1, None, 5, 9), "b": column("int", 3, 1, None, 7), "label": doubles(1.0, 2.5, 3.1, 4.7)},
        outputs=("prediction",),
        word="dot",
        smoke=True,
    ),
    Row(  # what nobody reads need not be converted
        "querying/unread",
        (spark.SQLTransformer(statement="SELECT *, x + 1 AS y, uuid() AS u FROM __THIS__"),),
        rows={"x": doubles(0.1, -2.7, None)},
        outputs=("y",),
        chosen=True,
        conf=ANSI[True],
    ),
    Row(  # what a prediction's tolerance becomes
        "querying/after-a-prediction",
        (
            spark.VectorAssembler(inputCols=["a", "b"], outputCol="v"),
            spark.LinearRegression(featuresCol="v", labelCol="label"),
            spark.SQLTransformer(statement="SELECT *, " + ", ".join(f"{text} AS o{i}" for i, text in enumerate(_AFTER)) + " FROM __THIS__"),
        ),
        train={"a": doubles(1.0, 2.0, 5.0, 9.0, 1 / 3), "b": doubles(3.0, 1.0, 2.5, 7.1, -2.7), "label": doubles(1.0, 2.5, 3.1, 4.7, 0.3)},
        rows={"a": doubles(1.0, -2.0, 5.5, 0.1, 123.4), "b": doubles(3.1, 0.0, 1 / 3, 7.0, -2.7), "label": doubles(1.0, 2.5, 3.1, 4.7, 0.3)},
        outputs=tuple(f"o{i}" for i, text in enumerate(_AFTER) if "FLOAT" not in text),  # a float's step is no tolerance
        chosen=True,
        word="elementary",
        smoke=True,
    ),
    Row(  # a NaN that is no null, and a null, go on to stages that tell them apart
        "querying/null-is-not-nan",
        (
            spark.SQLTransformer(statement="SELECT *, IF(x > 1, NULL, x) AS y, IF(x > 1, NULL, 7) AS k FROM __THIS__"),
            spark.Bucketizer(inputCol="y", outputCol="o", splits=[-INF, 0.0, 1.0, INF], handleInvalid="keep"),
            spark.VectorAssembler(inputCols=["k"], outputCol="w", handleInvalid="keep"),
        ),
        rows={"x": doubles(0.5, NAN, 2.0, -1.0, nullable=False)},
        outputs=("o", "w"),
        chosen=True,
    ),
    Row(  # a column under another name is that column: its labels go along
        "querying/another-name",
        (
            spark.SQLTransformer(statement="SELECT *, upper(s) AS t FROM __THIS__"),
            spark.StringIndexer(inputCol="t", outputCol="i", handleInvalid="skip"),
            spark.SQLTransformer(statement="SELECT *, i AS j FROM __THIS__"),
            spark.IndexToString(inputCol="j", outputCol="o"),
        ),
        rows={"s": texts("b", "a", "B", "ab", "A", "b")},
        outputs=("o",),
    ),
    *(
        Row(
            f"querying/refused-{name}",
            (spark.SQLTransformer(statement=statement),),
            rows={"x": doubles(1.0, 2.0), "s": texts("a", "1"), "k": column("int", 1, 2)},
            refused=reason,
            smoke=name in ("both", "group"),
        )
        for name, statement, reason in (
            ("group", "SELECT s, sum(x) AS t FROM __THIS__ GROUP BY s", "GROUP BY"),
            ("distinct", "SELECT DISTINCT x FROM __THIS__", "DISTINCT"),
            ("limit", "SELECT * FROM __THIS__ LIMIT 1", "LIMIT"),
            ("random", "SELECT *, rand() AS r FROM __THIS__", r"r = RAND\(\)"),
            ("both", "SELECT *, s < 'b' AS lower, CAST(x AS STRING) AS t, hash(k) AS h FROM __THIS__",
             r"(?s)lower = s < 'b'.*orders strings.*t = CAST\(x AS STRING\).*h = HASH\(k\)"),
            ("digits", "SELECT *, CAST(k AS BIGINT) * 0.5 AS o FROM __THIS__", "takes more than 18 digits"),
            ("parse", "SELECT *, CAST(s AS DOUBLE) AS o FROM __THIS__", r"o = CAST\(s AS DOUBLE\)"),
            ("nameless", "SELECT *, array(x) FROM __THIS__", r"no name to ARRAY\(x\)"),
            ("where", "SELECT *, x + 1 AS o FROM __THIS__ WHERE rand() < 0.5", r"WHERE RAND\(\) < 0.5"),
            ("twice", "SELECT *, k + 1 AS X FROM __THIS__", "there is such a column already"),
            ("window", "SELECT *, sum(x) OVER () AS o FROM __THIS__", r"o = SUM\(x\) OVER"),
        )
    ),
]  # fmt: skip
