"""Params that only fitting reads, all at once: set, they must not stop a conversion, nor change what it answers."""

from __future__ import annotations

from typing import Any

from tests.conformance.row import Row, Stage, column, doubles, spark, vectors
from tests.conformance.rows.linear import BINARY, REAL, N, X

CLASSIFIED = ("r", "q", "p")
COLUMNS: dict[str, Any] = {"featuresCol": "v", "labelCol": "y", "predictionCol": "p", "weightCol": "w"}
RAW: dict[str, Any] = {**COLUMNS, "rawPredictionCol": "r"}
BOTH: dict[str, Any] = {**RAW, "probabilityCol": "q"}
TREE: dict[str, Any] = {
    "cacheNodeIds": True, "checkpointInterval": 5, "maxBins": 16, "maxDepth": 3, "maxMemoryInMB": 128, "minInfoGain": 0.001,
    "minInstancesPerNode": 2, "minWeightFractionPerNode": 0.01, "seed": 5,
}  # fmt: skip
FOREST = {**TREE, "featureSubsetStrategy": "2", "subsamplingRate": 0.8, "numTrees": 3}
BOOSTED = {
    **TREE, "featureSubsetStrategy": "onethird", "subsamplingRate": 0.8, "maxIter": 3, "stepSize": 0.3,
    "validationIndicatorCol": "b", "validationTol": 0.02,
}  # fmt: skip


def _row(
    name: str, stage: Stage, word: Any, outputs: tuple[str, ...], labels: tuple[float, ...] = BINARY, **rest: Any
) -> Row:
    return Row(
        f"fitting/{name}",
        (stage,),
        train={
            "v": vectors(*X),
            "y": doubles(*labels),
            "w": doubles(*(1.0 + i % 3 for i in range(N))),
            "b": column("boolean", *(i % 4 == 0 for i in range(N))),
            "c": doubles(*((0.0, 1.0) * (N // 2))),
        },
        rows={"v": vectors(*X)},
        outputs=outputs,
        word=word,
        **rest,
    )


ROWS = [
    _row("svc", spark.LinearSVC(**RAW, aggregationDepth=3, maxBlockSizeInMB=1.0, tol=1e-3, maxIter=4), "dot", ("r", "p")),
    _row(
        "logistic",
        spark.LogisticRegression(
            **BOTH,
            maxBlockSizeInMB=1.0,
            maxIter=4,
            lowerBoundsOnIntercepts=spark.Vectors.dense([-0.1]),
            upperBoundsOnCoefficients=spark.Matrices.dense(1, 4, [0.1, 0.3, 5.0, 1.0]),
        ),
        "elementary",
        CLASSIFIED,
    ),
    _row("tree-classifier", spark.DecisionTreeClassifier(**BOTH, **TREE, pruneTree=False, impurity="entropy"), "bit", CLASSIFIED, since=(4, 3)),
    _row(
        "forest-classifier",
        spark.RandomForestClassifier(**BOTH, **FOREST, pruneTree=False, impurity="entropy", bootstrap=False),
        "bit",
        CLASSIFIED,
        since=(4, 3),
    ),
    _row(
        "boosted-classifier",
        spark.GBTClassifier(**COLUMNS, **BOOSTED, impurity="variance", lossType="logistic"),
        "elementary",
        ("rawPrediction", "probability", "p"),
    ),
    _row(
        "fm-classifier",
        spark.FMClassifier(
            featuresCol="v", labelCol="y", predictionCol="p", initStd=0.3, miniBatchFraction=0.7, solver="gd", tol=1e-3,
            stepSize=0.01, maxIter=4, seed=3,
        ),
        "elementary",
        ("rawPrediction", "probability", "p"),
    ),
    _row(
        "linear",
        spark.LinearRegression(**COLUMNS, aggregationDepth=3, maxBlockSizeInMB=1.0, tol=1e-3, solver="l-bfgs", maxIter=4),
        "dot",
        ("p",),
        REAL,
    ),
    _row("tree-regressor", spark.DecisionTreeRegressor(**COLUMNS, **TREE, impurity="variance"), "bit", ("p",), REAL),
    _row(
        "forest-regressor",
        spark.RandomForestRegressor(**COLUMNS, **FOREST, impurity="variance", bootstrap=False),
        "bit",
        ("p",),
        REAL,
    ),
    _row("boosted-regressor", spark.GBTRegressor(**COLUMNS, **BOOSTED, impurity="variance", lossType="absolute"), "dot", ("p",), REAL),
    _row(
        "aft",
        spark.AFTSurvivalRegression(
            featuresCol="v", labelCol="y", predictionCol="p", censorCol="c", maxBlockSizeInMB=1.0, maxIter=3
        ),
        "elementary",
        ("p",),
        tuple(1.5 + y / 50 for y in REAL),
    ),
]  # fmt: skip
