"""Gaussian mixtures: from well apart to nearly flat and wholly flat."""

from __future__ import annotations

from tests.conformance.row import MILD, NAN, Row, doubles, rolled, spark, sparse, vectors
from tests.conformance.rows.clustering import BLOBS

PLANE = tuple((x, y) for x, y, _ in BLOBS)
CLOSE = tuple((x / 7, y / 5 + x / 3, (x * x - y) / 11, 1 / (2 + y * y)) for x, y, _ in BLOBS)
FLAT = tuple((x, 2.0 * x, y) for x, y, _ in BLOBS)  # a covariance of rank 2

ROWS = [
    *(
        Row(
            f"mixing/gaussians-{name}-{k}",
            (spark.GaussianMixture(k=k, seed=5, maxIter=8, tol=1e-6),),
            train={"features": vectors(*points)},
            rows={"features": vectors(*points[::3], *rolled(MILD, len(points[0])), [0.0] * len(points[0]))},
            outputs=("probability", "prediction"),
            word="iterative",
            smoke=(name, k) == ("plane", 3),
        )
        for name, points in (("plane", PLANE), ("blobs", BLOBS), ("close", CLOSE), ("line", tuple((x,) for x, _ in PLANE)))
        for k in (2, 3)
        if (name, k) != ("line", 3)
    ),
    Row(
        "mixing/gaussians-flat",
        (spark.GaussianMixture(k=2, seed=5),),
        train={"features": vectors(*FLAT)},
        rows={"features": vectors(*FLAT[::4], (1.0, 2.0, 0.1), (0.1, 0.2, -5.0), (1.0, 7.0, 0.1))},
        outputs=("probability", "prediction"),
        word="iterative",
    ),
    Row(  # is a covariance flat, or is it not?
        "mixing/gaussians-nearly-flat",
        (spark.GaussianMixture(k=2, seed=5),),
        train={"features": vectors(*((x, x + (i * 5 % 7 - 3) * 7e-9) for i, (x, _) in enumerate(PLANE[:12])))},
        rows={"features": vectors((0.1, 0.1))},
        outputs=("probability", "prediction"),
        word="iterative",
        refused="rounding decides",
    ),
    Row(
        "mixing/gaussians-not-a-number",
        (spark.GaussianMixture(k=2, seed=5),),
        train={"features": vectors(*PLANE)},
        rows={"features": vectors((NAN, 1.0), (1.0, NAN), (NAN, NAN), (0.0, 1.0), sparse(2, {1: 3.1}), sparse(2, {}))},
        outputs=("probability", "prediction"),
        word="iterative",
    ),
    Row(
        "mixing/gaussians-only-prediction",
        (spark.GaussianMixture(k=3, seed=5, featuresCol="f", predictionCol="o", probabilityCol=""),),
        train={"f": vectors(*PLANE)},
        rows={"f": vectors(*PLANE[::5], (2.5, 2.5))},
        outputs=("o",),
        word="iterative",
    ),
    Row(
        "mixing/gaussians-scaled",
        (
            spark.VectorAssembler(inputCols=["a", "b"], outputCol="v", handleInvalid="skip"),
            spark.StandardScaler(inputCol="v", outputCol="w", withMean=True),
            spark.PCA(k=2, inputCol="w", outputCol="p"),
            spark.GaussianMixture(k=2, seed=5, featuresCol="p", probabilityCol="q", predictionCol="c"),
        ),
        train={"a": doubles(*(x for x, _ in PLANE)), "b": doubles(*(y for _, y in PLANE))},
        rows={"a": doubles(0.0, 5.1, -3.3, None, 1 / 3), "b": doubles(0.0, -2.7, 7.7, 1.0, 1.0)},
        outputs=("q", "c"),
        word="iterative",
    ),
]  # fmt: skip
