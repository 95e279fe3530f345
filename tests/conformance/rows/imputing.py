"""Imputer."""

from __future__ import annotations

from decimal import Decimal

from tests.conformance.row import INF, NAN, UGLY, Column, Row, column, doubles, spark, texts

TRAINED = (1 / 3, -2.7, 3.1, 0.1, NAN, 0.1, None, 16777217.0)


def _imputed(name: str, trained: Column, asked: Column, smoke: bool = False, **params: object) -> Row:
    return Row(
        f"imputing/{name}",
        (spark.Imputer(inputCol="x", outputCol="o", **params),),
        train={"x": trained},
        rows={"x": asked},
        outputs=("o",),
        smoke=smoke,
    )


ROWS = [
    *(
        _imputed(strategy, doubles(*TRAINED), doubles(*UGLY, None), strategy=strategy, smoke=strategy == "mean")
        for strategy in ("mean", "median", "mode")
    ),
    _imputed("missing-value", doubles(-1.0, 3.1, -2.7, 1 / 3), doubles(-1.0, -0.9999999999999999, 1.0, None, 0.0, INF),
             missingValue=-1.0),
    _imputed("missing-value-beside-nan", doubles(-1.0, 3.1, 1 / 3, nullable=False), doubles(-1.0, NAN, 3.1, nullable=False),
             missingValue=-1.0, smoke=True),
    _imputed("missing-value-nullable-nan", doubles(-1.0, 3.1, 1 / 3), doubles(-1.0, NAN, None, 3.1, 0.0), missingValue=-1.0),
    _imputed("missing-zero", doubles(0.0, 3.1, 1 / 3), doubles(0.0, -0.0, 5e-324, None, 3.1), missingValue=0.0),
    _imputed("integers", column("int", 1, 2, None, 4, 4), column("int", 0, None, -3, 2147483647, -2147483647), smoke=True),
    _imputed("integers-missing-value", column("int", 1, 2, -1, 5), column("int", -1, None, 1), missingValue=-1.0),
    _imputed("integers-down", column("int", -1, -2, None, -2), column("int", None, 1)),
    _imputed("longs", column("bigint", 1, 2, None), column("bigint", None, 9007199254740993, -9007199254740993, 0)),
    _imputed("longs-ends", column("bigint", 7, 1, 3, nullable=False),
             column("bigint", 2**63 - 1, -(2**63), 2**62 + 1, -(2**62) - 1025, 7, nullable=False), missingValue=7.0),
    _imputed("shorts", column("smallint", 1, 2, None), column("smallint", None, 7)),
    _imputed("bytes", column("tinyint", 1, 2, None), column("tinyint", None, 7)),
    _imputed("bytes-high", column("tinyint", 127, 126, None), column("tinyint", None, 7)),
    _imputed("floats", column("float", 0.1, 1.7, None, 3.3), column("float", None, 0.1, NAN, INF, -0.0, 3.4e38)),
    _imputed("floats-missing-value", column("float", 0.1, 1.7, 3.3), column("float", None, 0.1, 1.7), missingValue=0.1),
    _imputed(
        "decimals",
        column("decimal(10,2)", Decimal("1.50"), Decimal("0.25"), None, Decimal("0.10")),
        column("decimal(10,2)", None, Decimal("1.50"), Decimal("0.00"), Decimal("-99999999.99")),
    ),
    _imputed("never-null", doubles(3.1, NAN, 1 / 3, nullable=False), doubles(NAN, 0.1, -0.0, INF, nullable=False)),
    _imputed("floats-never-null", column("float", 3.1, NAN, 0.3, nullable=False), column("float", NAN, 0.1, nullable=False)),
    _imputed("decimals-of-15", column("decimal(15,2)", Decimal("9999999999999.99"), None),
             column("decimal(15,2)", None, Decimal("9999999999999.99"), Decimal("-0.01"))),
    Row(
        "imputing/refused-decimals-of-16",
        (spark.Imputer(inputCol="x", outputCol="o"),),
        rows={"x": column("decimal(16,2)", Decimal("99999999999999.99"), None)},
        refused="decimal of more than 15 digits",
    ),
    Row(
        "imputing/of-an-index",
        (
            spark.StringIndexer(inputCol="s", outputCol="i", handleInvalid="keep"),
            spark.Imputer(inputCol="i", outputCol="o", missingValue=3.0),
        ),
        train={"s": texts("a", "b", "a", "c")},
        rows={"s": texts("a", "b", "c", "d", None)},
        outputs=("o",),
    ),
    *(
        Row(
            f"imputing/many-{strategy}",
            (spark.Imputer(inputCols=["x", "n"], outputCols=["xo", "no"], strategy=strategy),),
            train={"x": doubles(0.1, 0.1, None, -2.7), "n": column("int", 3, None, 5, 5)},
            rows={"x": doubles(None, NAN, 1 / 3, 5e-324), "n": column("int", None, 1, None, 0)},
            outputs=("xo", "no"),
            smoke=strategy == "mode",
        )
        for strategy in ("mean", "median", "mode")
    ),
    Row(
        "imputing/onto-itself",
        (
            spark.Imputer(inputCols=["x"], outputCols=["o"]),
            spark.Imputer(inputCols=["o"], outputCols=["p"], missingValue=0.1),
        ),
        train={"x": doubles(0.1, 0.3, None)},
        rows={"x": doubles(None, 0.1, 0.2, NAN)},
        outputs=("p",),
    ),
]  # fmt: skip
