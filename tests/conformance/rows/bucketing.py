"""Bucketizer, Binarizer."""

from __future__ import annotations

import math

from tests.conformance.row import INF, NAN, UGLY, Row, column, doubles, rolled, spark, vectors, width

SPLITS = (-2.7, 0.0, 1 / 3, 3.1, 16777217.0)


def around(*thresholds: float) -> tuple[float, ...]:
    """Each threshold between its two neighbours."""
    return tuple(x for t in thresholds for x in (math.nextafter(t, -INF), t, math.nextafter(t, INF)))


ROWS = [
    *(
        Row(
            f"bucketing/{handle}",
            (spark.Bucketizer(inputCol="x", outputCol="o", splits=[*SPLITS], handleInvalid=handle),),
            rows={"x": doubles(*around(*SPLITS), *UGLY, -0.0, nullable=False)},
            outputs=("o",),
            smoke=True,
        )
        for handle in ("error", "skip", "keep")
    ),
    *(
        Row(
            f"bucketing/infinite-{handle}",
            (spark.Bucketizer(inputCol="x", outputCol="o", splits=[-INF, *SPLITS, INF], handleInvalid=handle),),
            rows={"x": doubles(*around(*SPLITS), *UGLY, nullable=False)},
            outputs=("o",),
            smoke=handle == "keep",
        )
        for handle in ("error", "skip", "keep")
    ),
    *(
        Row(
            f"bucketing/null-{handle}",
            (spark.Bucketizer(inputCol="x", outputCol="o", splits=[*SPLITS], handleInvalid=handle),),
            rows={"x": doubles(None, 1.0, 0.0)},
            outputs=("o",),
        )
        for handle in ("error", "skip", "keep")
    ),
    Row(  # the bucket that `keep` adds is none of the attribute's categories
        "bucketing/keep-then-one-hot",
        (
            spark.Bucketizer(inputCol="x", outputCol="b", splits=[-INF, 0.0, 1.0, INF], handleInvalid="keep"),
            spark.OneHotEncoder(inputCol="b", outputCol="o"),
        ),
        train={"x": doubles(-1.0, 0.5, 2.0, nullable=False)},
        rows={"x": doubles(-1.0, 0.5, NAN, 2.0, nullable=False)},
        outputs=("o",),
    ),
    Row(
        "bucketing/minus-zero-split",
        (spark.Bucketizer(inputCol="x", outputCol="o", splits=[-1.0, -0.0, 1.0]),),
        rows={"x": doubles(*around(0.0), -0.0, 1.0, -1.0)},
        outputs=("o",),
    ),
    Row(
        "bucketing/zero-split-minus-zero",
        (spark.Bucketizer(inputCol="x", outputCol="o", splits=[0.0, 1.0, 2.0]),),
        rows={"x": doubles(0.0, -0.0, 5e-324, -5e-324, 1.0, 2.0)},
        outputs=("o",),
    ),
    Row(
        "bucketing/integers",
        (
            spark.Bucketizer(
                inputCol="x", outputCol="o", splits=[-INF, -2.5, 0.0, 2147483647.0, INF], handleInvalid="keep"
            ),
        ),
        rows={"x": column("int", -3, -2, 0, -1, 2147483646, 2147483647, nullable=False)},
        outputs=("o",),
    ),
    Row(
        "bucketing/floats",
        (spark.Bucketizer(inputCol="x", outputCol="o", splits=[-INF, 0.1, 0.3, INF], handleInvalid="keep"),),
        rows={"x": column("float", 0.1, 0.3, 0.2, NAN, INF, -0.0, nullable=False)},
        outputs=("o",),
    ),
    *(
        Row(
            f"bucketing/many-{handle}",
            (
                spark.Bucketizer(
                    inputCols=["x", "y"],
                    outputCols=["xo", "yo"],
                    splitsArray=[[*SPLITS], [-INF, 0.1, INF]],
                    handleInvalid=handle,
                ),
            ),
            rows={
                "x": doubles(*around(1 / 3), NAN, 0.0, -3.0, 0.0, nullable=False),
                "y": doubles(*around(0.1), 1.0, NAN, 1.0, -INF, nullable=False),
            },
            outputs=("xo", "yo"),
            smoke=handle == "skip",
        )
        for handle in ("error", "skip", "keep")
    ),
    Row(
        "bucketing/quantiles",
        (spark.QuantileDiscretizer(inputCol="x", outputCol="o", numBuckets=3, handleInvalid="keep"),),
        train={"x": doubles(0.1, 1 / 3, 3.1, -2.7, 5.5, 9.1, 2.2, 1.7, nullable=False)},
        rows={"x": doubles(0.1, 1 / 3, 3.1, -2.7, *UGLY, nullable=False)},
        outputs=("o",),
    ),
    Row(
        "bucketing/then-encoded",
        (
            spark.Bucketizer(inputCol="x", outputCol="b", splits=[-INF, *SPLITS, INF], handleInvalid="keep"),
            spark.OneHotEncoder(inputCol="b", outputCol="o", handleInvalid="keep"),
        ),
        train={"x": doubles(-3.0, -1.0, 0.1, 1.0, 4.0, 1e9, nullable=False)},
        rows={"x": doubles(*around(*SPLITS), NAN, INF, nullable=False)},
        outputs=("o",),
    ),
    *(
        Row(
            f"bucketing/binary-{threshold}",
            (spark.Binarizer(inputCol="x", outputCol="o", threshold=threshold),),
            rows={"x": doubles(*around(threshold), *UGLY, nullable=False)},
            outputs=("o",),
            smoke=threshold == 0.1,
        )
        for threshold in (0.1, 0.0, -2.7)
    ),
    Row(
        "bucketing/binary-null",
        (spark.Binarizer(inputCol="x", outputCol="o", threshold=0.1),),
        rows={"x": doubles(None, 0.1, 0.2, NAN)},
        outputs=("o",),
        smoke=True,
    ),
    *(
        Row(
            f"bucketing/binary-vector-{threshold}",
            (spark.Binarizer(inputCol="v", outputCol="o", threshold=threshold),),
            rows={"v": vectors(*rolled((*around(threshold), *UGLY), 3), metadata=width(3))},
            outputs=("o",),
            smoke=True,
        )
        for threshold in (1 / 3, 0.0, -2.7)
    ),
    Row(
        "bucketing/binary-many-one-threshold",
        (spark.Binarizer(inputCols=["x", "y"], outputCols=["xo", "yo"], threshold=0.1),),
        rows={"x": doubles(*around(0.1), nullable=False), "y": doubles(1.0, NAN, 0.1, nullable=False)},
        outputs=("xo", "yo"),
    ),
    Row(
        "bucketing/binary-many-thresholds",
        (spark.Binarizer(inputCols=["x", "v"], outputCols=["xo", "vo"], thresholds=[0.1, -1.5]),),
        rows={
            "x": doubles(*around(0.1), NAN, nullable=False),
            "v": vectors((0.0, -1.5), (NAN, -1.6), (-1.4, INF), (-INF, 5e-324), metadata=width(2)),
        },
        outputs=("xo", "vo"),
        smoke=True,
    ),
]
