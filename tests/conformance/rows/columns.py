"""Columns by their names (case, backquotes, the name of an expression without AS); times without zone and arrays of numbers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.conformance.row import Column, Row, column, doubles, spark, texts
from tests.conformance.rows.allocating import DOCUMENTS
from tests.conformance.rows.clustering import BLOBS

_UNNAMED = {  # each with the name that Spark 3.5 gives it too
    "IF(married == 1, 0, 1)": "(IF((married = 1), 0, 1))",
    "age * 2 + married": "((age * 2) + married)",
    "-age": "(- age)",
    "age != 3": "(NOT (age = 3))",
    "age IS NOT NULL AND married IN (1, 2)": "((age IS NOT NULL) AND (married IN (1, 2)))",
    "CASE WHEN age > 2 THEN 'old' ELSE s END": "CASE WHEN (age > 2) THEN old ELSE s END",
    "CAST(married + 1 AS double)": "CAST((married + 1) AS DOUBLE)",
    "nvl(age, 0)": "nvl(age, 0)",
    "ucase(s)": "ucase(s)",
    "s || 'x'": "concat(s, x)",
    "substr(s, 2)": "substr(s, 2, 2147483647)",
    "trim(BOTH FROM s)": "trim(s)",
    "s LIKE 'a%'": "s LIKE a%",
    "married % 2 = 0 OR NOT (age <=> NULL) OR age < 1 OR age > 9": "((((married % 2) = 0) OR (NOT (age <=> NULL))) OR ((age < 1) OR (age > 9)))",
    "round(age)": "round(age, 0)",
    "double(married) - 1": "(married - 1)",
}  # fmt: skip
_PEOPLE: dict[str, Column] = {
    "age": doubles(1 / 3, 30.5, None, -2.7, 3.0),
    "married": column("int", 1, 0, None, 2, 7),
    "s": texts("ab", " a ", "ß", None, ""),
}
_MOMENTS = (
    datetime(1970, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(2024, 2, 29, 12, 30, 15), None,
    datetime(2021, 3, 28, 2, 30), datetime(1893, 3, 31, 23, 0), datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999),
)  # fmt: skip  # 2021-03-28 02:30 is no time of Berlin
_NTZ = (
    *(f"{part}(n)" for part in ("year", "quarter", "month", "day", "dayofweek", "weekday", "dayofyear", "hour", "minute", "second")),
    "n IS NULL", "n = m", "n < m", "n >= m", "n <=> m", "CAST(n AS DATE) > DATE '2000-01-01'", "datediff(n, m)", "coalesce(n, m) = m",
)  # fmt: skip


def _arrays(element: str, points: Any, *more: Any) -> Column:
    return column(f"array<{element}>", *(list(map(float, point)) for point in (*points, *more)))


def _clustered(name: str, stage: Any, points: Any, outputs: tuple[str, ...], word: Any) -> list[Row]:
    """A clusterer over arrays: what it was fitted on is what it is asked, and some more."""
    return [
        Row(
            f"columns/array-{element}-{name}",
            (stage,),
            train={"features": _arrays(element, points)},
            rows={"features": _arrays(element, points[::3], [1 / 3] * len(points[0]), [0.1] * len(points[0]))},
            outputs=outputs,
            word=word,
            smoke=(name, element) == ("kmeans", "double"),
        )
        for element in ("double", "float")
    ]


ROWS = [
    Row(
        "columns/unnamed",
        (spark.SQLTransformer(statement=f"SELECT *, {', '.join(_UNNAMED)} FROM __THIS__"),),
        rows=_PEOPLE,
        outputs=tuple(_UNNAMED.values()),
        conf={"spark.sql.ansi.enabled": "true"},
        smoke=True,
    ),
    Row(
        "columns/unnamed-read-on",
        (
            spark.SQLTransformer(
                statement="SELECT *, IF(married == 1, 0, 1), age > 0.5, age BETWEEN 1 AND 2, pow(age, 2) FROM __THIS__"
            ),
            spark.SQLTransformer(
                statement="SELECT *, CAST(`(age > 0.5)` AS INT) AS above, CAST(`between(AGE, 1, 2)` AS INT) AS inside FROM __THIS__"
            ),
            spark.VectorAssembler(
                inputCols=["(IF((married = 1), 0, 1))", "above", "inside", "pow(age, 2)"], outputCol="v"
            ),
        ),
        rows={
            "age": doubles(1 / 3, 30.5, -2.7, 1.5, nullable=False),
            "married": column("int", 1, 0, 2, 7, nullable=False),
        },
        outputs=("v",),
        chosen=True,
        word="elementary",
        since=(4, 0),
    ),
    Row(
        "columns/unnamed-formula",
        (
            spark.SQLTransformer(statement="SELECT *, IF(married == 1, 0, 1) FROM __THIS__"),
            spark.RFormula(formula="age ~ . - married"),
        ),
        rows={"age": doubles(1 / 3, 30.5, -2.7), "married": column("int", 1, 0, 2), "s": texts("a", "b", "a")},
        outputs=("features",),
        chosen=True,
    ),
    Row(
        "columns/other-case",
        (
            spark.StringIndexer(inputCol="home", outputCol="Kind", handleInvalid="keep"),
            spark.SQLTransformer(
                statement="SELECT *, AGE + 1 AS older, upper(HOME) AS loud FROM __THIS__ WHERE aGe IS NOT NULL"
            ),
            spark.VectorAssembler(inputCols=["AGE", "OLDER", "kind"], outputCol="v", handleInvalid="keep"),
        ),
        rows={"Age": doubles(1 / 3, 30.5, None, -2.7), "Home": texts("own", "rent", "own", None)},
        outputs=("loud", "v"),
        since=(4, 0),  # older Sparks tell the columns of other stages than SQL by their case
        smoke=True,
    ),
    Row(
        "columns/backquoted",
        (
            spark.StringIndexer(inputCol="`home.type`", outputCol="kind", handleInvalid="keep"),
            spark.SQLTransformer(statement="SELECT *, `net.income` * 2 AS twice, `two words` AS plain FROM __THIS__"),
            spark.VectorAssembler(inputCols=["`net.income`", "kind", "twice", "plain"], outputCol="v"),
        ),
        rows={
            "net.income": doubles(1 / 3, 30.5, -2.7),
            "home.type": texts("own", "rent", "own"),
            "two words": column("int", 1, 2, 3),
        },
        outputs=("v",),
        since=(4, 0),
        smoke=True,
    ),
    *(
        Row(
            f"columns/timestamp-ntz-{zone}",
            (
                spark.SQLTransformer(
                    statement=f"SELECT *, {', '.join(f'{text} AS o{i}' for i, text in enumerate(_NTZ))} FROM __THIS__"
                ),
            ),
            rows={
                "n": column("timestamp_ntz", *_MOMENTS),
                "m": column("timestamp_ntz", *_MOMENTS[:5], *reversed(_MOMENTS[:3])),
            },
            outputs=tuple(f"o{i}" for i in range(len(_NTZ))),
            conf={
                "spark.sql.ansi.enabled": "true",
                **({"spark.sql.session.timeZone": zone} if zone != "untold" else {}),
            },
            smoke=zone == "untold",
        )
        for zone in ("untold", "Europe/Berlin")
    ),
    *_clustered("kmeans", spark.KMeans(k=3, seed=7), BLOBS, ("prediction",), "dot"),
    *_clustered("kmeans-cosine", spark.KMeans(k=3, seed=7, distanceMeasure="cosine"), BLOBS, ("prediction",), "dot"),
    *_clustered("bisecting", spark.BisectingKMeans(k=3, seed=7), BLOBS, ("prediction",), "dot"),
    *_clustered("gaussians", spark.GaussianMixture(k=2, seed=5), BLOBS, ("probability", "prediction"), "iterative"),
    *_clustered(
        "lda", spark.LDA(k=2, seed=5, maxIter=4, optimizer="online"), DOCUMENTS, ("topicDistribution",), "iterative"
    ),
]
