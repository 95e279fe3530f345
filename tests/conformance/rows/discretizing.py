"""QuantileDiscretizer, which saves a Bucketizer."""

from __future__ import annotations

from typing import Any

from tests.conformance.row import INF, NAN, UGLY, Row, column, doubles, spark

VALUES = (1 / 3, -2.7, 3.1, 0.1, 16777217.0, -1.5, 0.1, 0.1, 7.7, -0.0, 0.0, 5e-324)
FITTED = {
    "x": doubles(*VALUES, NAN, NAN, nullable=False),
    "y": doubles(*VALUES[::-1], None, None),
    "n": column("int", *range(12), None, 3),
}
NEAR = (0.1, 0.09999999999999999, 0.10000000000000002, 1 / 3, 3.1, -1.5, -2.7, 7.7)
ASKED = {
    "x": doubles(*UGLY, *NEAR, nullable=False),
    "y": doubles(*UGLY[:-1], None, *NEAR),
    "n": column("int", *range(-3, 19), None),
}


def _cut(name: str, columns: str, smoke: bool = False, **params: Any) -> Row:
    several = {"inputCols": [*columns], "outputCols": [f"{each}o" for each in columns]}
    names = {"inputCol": columns, "outputCol": f"{columns}o"} if len(columns) == 1 else several
    return Row(
        f"discretizing/{name}",
        (spark.QuantileDiscretizer(**names, **params),),
        train=FITTED,
        rows={each: ASKED[each] for each in columns},
        outputs=tuple(f"{each}o" for each in columns),
        smoke=smoke,
    )


ROWS = [
    *(_cut(f"one-{column}-{handle}", column, numBuckets=4, handleInvalid=handle) for column in "xy" for handle in ("error", "skip", "keep")),
    *(_cut(f"several-{handle}", "xyn", numBuckets=3, handleInvalid=handle, smoke=handle == "keep") for handle in ("error", "skip", "keep")),
    _cut("several-buckets", "xyn", numBucketsArray=[2, 5, 3], handleInvalid="keep"),
    _cut("default", "n"),
    _cut("rough", "x", numBuckets=5, relativeError=0.3, handleInvalid="keep"),
    Row(  # few distinct values: fewer buckets than asked for
        "discretizing/few-values",
        (spark.QuantileDiscretizer(inputCol="x", outputCol="o", numBuckets=10, handleInvalid="keep"),),
        train={"x": doubles(0.0, 0.0, 1 / 3, 1 / 3, 1 / 3)},
        rows={"x": doubles(*UGLY[:-1], 0.3, 0.4, None)},
        outputs=("o",),
    ),
    Row(
        "discretizing/assembled",
        (
            spark.QuantileDiscretizer(inputCols=["x", "y"], outputCols=["p", "q"], numBuckets=3, handleInvalid="keep"),
            spark.OneHotEncoder(inputCols=["p", "q"], outputCols=["h", "i"], handleInvalid="keep"),
            spark.VectorAssembler(inputCols=["h", "p", "i"], outputCol="o", handleInvalid="keep"),
        ),
        train=FITTED,
        rows={"x": doubles(*VALUES, INF, -INF, nullable=False), "y": doubles(*VALUES, 1.0, 2.0)},
        outputs=("o",),
    ),
]  # fmt: skip
